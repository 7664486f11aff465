/* SPDX-License-Identifier: MIT */
/* The watchdog: a thread that looks at the run four times per threshold and reports a task that has
 * kept the run's thread for the whole threshold. A switch does no extra work for it: the watchdog
 * reads fields that the scheduler keeps anyway, without a lock. The memory that these fields point
 * to may be unmapped at any time, so the watchdog copies it as a debugger does: an address that is
 * no longer mapped gives an error, not a crash.
 */
#include "runtime/debug/watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/text.h>

#include "runtime/base/clock.h"
#include "runtime/base/forks.h"
#include "runtime/debug/backtrace.h"
#include "runtime/debug/peek.h"
#include "runtime/sched.h"

/* Identifies one uninterrupted stretch of a task: the running task and the count of switches. */
struct stretch {
    struct whorl_task *task;
    uint32_t head;
    uint32_t turn_end;
};

struct watchdog {
    struct sched *sched;
    int64_t threshold_ns;
    struct backtrace backtrace; /* of the run's thread */
    struct stretch reported;    /* the stretch whose backtrace is wanted */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop_cond;
    bool stopping;  /* under lock */
    unsigned depth; /* see forks.h */
};

static void report(struct watchdog *w, const struct whorl_task *task, int64_t held_ns)
{
    /* Take the backtrace first, before the task continues. The task's record is at the upper end of
     * its stack. */
    bool taken = backtrace_take(&w->backtrace, task->stack_low, w->reported.task);
    char raw[128] = "", site[4 * sizeof raw], name[4 * TASK_NAME_MAX];

    if (task->site) /* static text, but the pointer may be stale */
        (void)(peek(raw, task->site, sizeof raw - 1) || peek(raw, task->site, 32));
    whorl_text_escape(raw, strlen(raw), site, sizeof site);
    whorl_text_escape(task->name, strnlen(task->name, TASK_NAME_MAX), name, sizeof name);
    flockfile(stderr);
    fprintf(stderr, "whorl: task %llu %s has kept its thread for %lld ms%s%s%s\n",
            (unsigned long long)task->id, name[0] ? name : site,
            (long long)(held_ns / WHORL_MILLISECOND), name[0] ? "  (spawned as " : "",
            name[0] ? site : "", name[0] ? ")" : "");
    if (taken)
        backtrace_print(&w->backtrace, stderr);
    funlockfile(stderr);
}

/* Reads the fields without a lock while the run's thread writes them. A stale value does no
 * harm. */
__attribute__((no_sanitize("thread"))) static struct stretch look(const struct sched *s)
{
    return (struct stretch){*(struct whorl_task *const volatile *)&s->current,
                            *(const volatile uint32_t *)&s->ready_head,
                            *(const volatile uint32_t *)&s->turn_end};
}

static bool is_same(const struct stretch *a, const struct stretch *b)
{
    return a->task == b->task && a->head == b->head && a->turn_end == b->turn_end;
}

/* Whether the run's thread still runs the reported task. A signal handler calls this too. */
static bool is_still_there(void *arg)
{
    struct watchdog *w = arg;
    struct stretch now = look(w->sched);

    return is_same(&now, &w->reported);
}

static bool sleep_or_stop(struct watchdog *w, int64_t duration_ns)
{
    int64_t until = clock_monotonic_ns() + duration_ns;
    struct timespec at = {until / WHORL_SECOND, until % WHORL_SECOND};

    pthread_mutex_lock(&w->lock);
    while (!w->stopping && pthread_cond_timedwait(&w->stop_cond, &w->lock, &at) == 0)
        ;
    bool stop = w->stopping;
    pthread_mutex_unlock(&w->lock);
    return stop;
}

static void *watch(void *arg)
{
    struct watchdog *w = arg;
    struct stretch seen = {0};
    int64_t since = clock_monotonic_ns(), next_report = w->threshold_ns;
    struct whorl_task copy;

    pthread_setname_np(pthread_self(), "whorl-watchdog");
    while (!sleep_or_stop(w, w->threshold_ns / 4)) {
        struct stretch now = look(w->sched);
        int64_t held = clock_monotonic_ns() - since;
        if (!now.task || !is_same(&now, &seen)) {
            seen = now;
            since = clock_monotonic_ns();
            next_report = w->threshold_ns;
        } else if (held >= next_report && peek(&copy, now.task, sizeof copy) &&
                   copy.magic == TASK_MAGIC) {
            w->reported = now;
            report(w, &copy, held);
            next_report = held * 4; /* report again, but less and less often */
        }
    }
    return NULL;
}

struct watchdog *watchdog_start(struct sched *s, int64_t threshold_ns)
{
    struct watchdog *w = calloc(1, sizeof *w);
    sigset_t all, before;
    pthread_condattr_t attr;

    if (!w)
        return NULL;
    w->sched = s;
    w->threshold_ns = threshold_ns;
    w->depth = forks_watch();
    backtrace_init(&w->backtrace, is_still_there, w);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->stop_cond, &attr);
    pthread_condattr_destroy(&attr);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&w->thread, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        pthread_cond_destroy(&w->stop_cond);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return NULL;
    }
    return w;
}

void watchdog_stop(struct watchdog *w)
{
    if (!w)
        return;
    if (forks_copied(w->depth)) { /* a forked child has no such thread, and no use for the lock */
        free(w);
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->stop_cond);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->stop_cond);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
