/* SPDX-License-Identifier: MIT */
/* Calls from other threads into a run; see runner.h. */
#include "runtime/runner.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/chan.h>
#include <whorl/error.h>
#include <whorl/runner.h>

#include "runtime/base/check.h"
#include "runtime/base/forks.h"
#include "runtime/sched.h"

/* In a forked child a copy is not locked: the child has one thread, and a thread of the parent may
 * have held the lock. */
static void lock(struct whorl_runner *runner)
{
    if (!forks_copied(runner->depth))
        pthread_mutex_lock(&runner->lock);
}

static void unlock(struct whorl_runner *runner)
{
    if (!forks_copied(runner->depth))
        pthread_mutex_unlock(&runner->lock);
}

struct whorl_runner *runner_of(struct sched *s)
{
    struct whorl_runner *runner = s->runner;

    if (runner)
        return runner;
    runner = calloc(1, sizeof *runner);
    if (!runner)
        return NULL;
    if (pthread_mutex_init(&runner->lock, NULL) != 0) {
        free(runner);
        return NULL;
    }
    runner->end = &runner->first;
    runner->sched = s;
    runner->depth = forks_watch();
    s->runner = runner;
    return runner;
}

void runner_hold(struct whorl_runner *runner)
{
    lock(runner);
    runner->handles++;
    unlock(runner);
}

int whorl_runner_acquire(struct whorl_runner **ret)
{
    struct sched *s = sched_self();

    if (!s)
        return WHORL_ENOTASK;
    struct whorl_runner *runner = runner_of(s);
    if (!runner)
        return -ENOMEM;
    runner_hold(runner);
    *ret = runner;
    return 0;
}

static void destroy(struct whorl_runner *runner)
{
    pthread_mutex_destroy(&runner->lock);
    free(runner);
}

void whorl_runner_release_remote(struct whorl_runner *runner)
{
    if (!runner)
        return;
    lock(runner);
    whorl_check_text(runner->handles > 0, "a runner was released more often than acquired");
    bool last = --runner->handles == 0;
    struct sched *s = runner->sched;
    /* The loop may be waiting because this handle could still bring a call. Wake it to check
     * again. */
    if (last && s)
        s->poller->ops->kick(s->poller);
    unlock(runner);
    if (last && !s)
        destroy(runner);
}

void runner_await(struct whorl_runner *runner)
{
    runner_hold(runner);
    runner->blocked++;
}

/* The loop runs on this thread, so it sees the change without a wake-up. */
void runner_await_no_more(struct whorl_runner *runner)
{
    lock(runner);
    runner->handles--;
    unlock(runner);
    runner->blocked--;
}

int runner_post(struct whorl_runner *runner, struct runner_call *call)
{
    int err = 0;

    call->next = NULL;
    lock(runner);
    if (!runner->sched) {
        err = -ESHUTDOWN;
    } else {
        bool was_empty = !runner->first;
        call->posted = true;
        *runner->end = call;
        runner->end = &call->next;
        atomic_store_explicit(&runner->has_calls, true, memory_order_release);
        if (was_empty)
            runner->sched->poller->ops->kick(runner->sched->poller);
    }
    unlock(runner);
    return err;
}

/* Removes all posted calls and returns them. */
static struct runner_call *take(struct whorl_runner *runner)
{
    struct runner_call *calls = runner->first;

    runner->first = NULL;
    runner->end = &runner->first;
    atomic_store_explicit(&runner->has_calls, false, memory_order_relaxed);
    return calls;
}

void runner_drain(struct sched *s)
{
    struct whorl_runner *runner = s->runner;

    if (!runner || !atomic_load_explicit(&runner->has_calls, memory_order_acquire))
        return;
    lock(runner);
    struct runner_call *call = take(runner), *next;
    unlock(runner);
    for (; call; call = next) {
        next = call->next;
        call->call(call, false);
    }
}

bool runner_is_held(struct whorl_runner *runner)
{
    if (!runner || forks_copied(runner->depth))
        return false;
    lock(runner);
    bool held = runner->handles > 0 || runner->first;
    unlock(runner);
    return held;
}

bool runner_is_expected(struct whorl_runner *runner)
{
    if (!runner || forks_copied(runner->depth))
        return false;
    lock(runner);
    bool expected = runner->handles > runner->blocked || runner->first;
    unlock(runner);
    return expected;
}

void runner_shut(struct sched *s)
{
    struct whorl_runner *runner = s->runner;

    if (!runner)
        return;
    lock(runner);
    runner->sched = NULL;
    struct runner_call *call = take(runner), *next;
    bool last = runner->handles == 0;
    unlock(runner);
    s->runner = NULL;
    for (; call; call = next) {
        next = call->next;
        call->call(call, true);
    }
    if (last)
        destroy(runner);
}

/* --- posting functions ------------------------------------------------------------------------ */

struct posted {
    struct runner_call call;
    void (*fn)(void *arg);
    void *arg;
};

static void run_posted(struct runner_call *call, bool dropped)
{
    struct posted *posted = container_of(call, struct posted, call);

    if (!dropped)
        posted->fn(posted->arg);
    free(posted);
}

int whorl_runner_post_remote(struct whorl_runner *runner, void (*fn)(void *arg), void *arg)
{
    struct posted *posted = malloc(sizeof *posted);

    if (!posted)
        return -ENOMEM;
    *posted = (struct posted){.call.call = run_posted, .fn = fn, .arg = arg};
    int err = runner_post(runner, &posted->call);
    if (err)
        free(posted);
    return err;
}

struct remote_wake {
    struct runner_call call;
    struct whorl_waiter *waiter;
    int64_t result;
};

static void run_wake(struct runner_call *call, bool dropped)
{
    struct remote_wake *wake = container_of(call, struct remote_wake, call);

    if (!dropped)
        whorl_wake(wake->waiter, wake->result);
    free(wake);
}

int whorl_runner_wake_remote(struct whorl_runner *runner, struct whorl_waiter *waiter,
                             int64_t result)
{
    struct remote_wake *wake = malloc(sizeof *wake);

    if (!wake)
        return -ENOMEM;
    *wake = (struct remote_wake){.call.call = run_wake, .waiter = waiter, .result = result};
    int err = runner_post(runner, &wake->call);
    if (err)
        free(wake);
    return err;
}

/* --- sending on a channel --------------------------------------------------------------------- */

/* A send from another thread. It is on that thread's stack, and the thread waits on `done`. */
struct remote_send {
    struct runner_call call;
    struct whorl_runner *runner;
    struct whorl_chan *chan;
    const void *value;
    int err;
    sem_t done;
};

static void finish_send(struct remote_send *send, int err)
{
    send->err = err;
    sem_post(&send->done);
}

/* A daemon task that sends when the channel has no room and the send must wait. */
static int send_task(void *arg)
{
    struct remote_send *send = arg;
    struct whorl_runner *runner = send->runner;

    runner->blocked++;
    int err = whorl_chan_send(send->chan, send->value);
    runner->blocked--;
    finish_send(send, err == -ECANCELED ? -ESHUTDOWN : err);
    return 0;
}

static void run_send(struct runner_call *call, bool dropped)
{
    struct remote_send *send = container_of(call, struct remote_send, call);

    if (dropped) {
        finish_send(send, -ESHUTDOWN);
        return;
    }
    int err = whorl_chan_try_send(send->chan, send->value);
    if (err == -EAGAIN) {
        err = whorl_spawn(whorl_root_group(), send_task, send);
        if (err == 0)
            return;
    }
    finish_send(send, err == -ECANCELED ? -ESHUTDOWN : err);
}

int whorl_chan_send_remote(struct whorl_runner *runner, struct whorl_chan *chan, const void *value)
{
    struct remote_send send = {
        .call.call = run_send, .runner = runner, .chan = chan, .value = value};

    sem_init(&send.done, 0, 0);
    int err = runner_post(runner, &send.call);
    if (err == 0) {
        while (sem_wait(&send.done) < 0 && errno == EINTR)
            ;
        err = send.err;
    }
    sem_destroy(&send.done);
    return err;
}
