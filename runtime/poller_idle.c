/* SPDX-License-Identifier: MIT */
/* The idle poller: waits on a condition variable until a deadline or a kick. */
#include "runtime/poller_idle.h"

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/forks.h"

/* Makes the lock and the condition. */
static int make_lock(struct poller_idle *p)
{
    pthread_condattr_t attr;

    int err = pthread_condattr_init(&attr);
    if (err)
        return -err;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    err = pthread_cond_init(&p->kicked_cond, &attr);
    pthread_condattr_destroy(&attr);
    if (err)
        return -err;
    err = pthread_mutex_init(&p->lock, NULL);
    if (err)
        pthread_cond_destroy(&p->kicked_cond);
    return -err;
}

/* Locks. In a forked child it makes a new lock, because a thread of the parent may hold the old
 * one. */
static void lock(struct poller_idle *p)
{
    if (forks_copied(p->depth)) {
        int err = make_lock(p);
        whorl_check(err == 0);
        p->depth = forks_depth;
    }
    pthread_mutex_lock(&p->lock);
}

static int64_t now(struct whorl_poller *poller)
{
    (void)poller;
    return clock_monotonic_ns();
}

static int wait(struct whorl_poller *poller, int64_t deadline_ns)
{
    struct poller_idle *p = container_of(poller, struct poller_idle, poller);
    struct timespec until = {.tv_sec = deadline_ns / WHORL_SECOND,
                             .tv_nsec = deadline_ns % WHORL_SECOND};

    lock(p);
    while (!p->kicked && deadline_ns > 0) {
        if (deadline_ns == WHORL_FOREVER)
            pthread_cond_wait(&p->kicked_cond, &p->lock);
        else if (pthread_cond_timedwait(&p->kicked_cond, &p->lock, &until) != 0)
            break;
    }
    p->kicked = false;
    pthread_mutex_unlock(&p->lock);
    return 0;
}

static bool has_work(struct whorl_poller *poller)
{
    (void)poller;
    return false;
}

static void kick(struct whorl_poller *poller)
{
    struct poller_idle *p = container_of(poller, struct poller_idle, poller);

    lock(p);
    p->kicked = true;
    pthread_cond_signal(&p->kicked_cond);
    pthread_mutex_unlock(&p->lock);
}

static size_t pending(struct whorl_poller *poller)
{
    (void)poller;
    return 0;
}

static const struct whorl_poller_ops ops = {
    .name = "idle",
    .now = now,
    .wait = wait,
    .has_work = has_work,
    .kick = kick,
    .pending = pending,
};

int poller_idle_init(struct poller_idle *p)
{
    p->poller.ops = &ops;
    p->kicked = false;
    p->depth = forks_watch();
    return make_lock(p);
}

void poller_idle_finish(struct poller_idle *p)
{
    if (forks_copied(p->depth))
        return;
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->kicked_cond);
}
