/* SPDX-License-Identifier: MIT */
/* Observers of a run, and the events they get. Tasks normally switch directly to each other. While
 * a run has an observer, the loop runs tasks one at a time (sched.c) and reports what each of them
 * did. */
#include <errno.h>
#include <stdlib.h>

#include <whorl/error.h>
#include <whorl/trace.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"

struct observer {
    struct observer *next;
    whorl_trace_fn fn;
    void *arg;
};

struct trace {
    struct observer *observers; /* never empty */
    /* NULL while the loop runs, and after the task that ran has ended */
    struct whorl_task *running;
    bool loop_waits;
    bool telling; /* an observer is being called */
};

static void tell_one(struct sched *s, const struct observer *observer,
                     struct whorl_trace_event event)
{
    event.at_ns = s->poller->ops->now(s->poller);
    s->trace->telling = true;
    observer->fn(observer->arg, &event);
    s->trace->telling = false;
}

static void tell(struct sched *s, struct whorl_trace_event event)
{
    for (const struct observer *observer = s->trace->observers; observer; observer = observer->next)
        tell_one(s, observer, event);
}

static void check_not_telling(const struct sched *s)
{
    whorl_check_text(!s->trace || !s->trace->telling,
                     "an observer must not start or stop observing");
}

void trace_spawned(struct sched *s, struct whorl_task *task)
{
    tell(s,
         (struct whorl_trace_event){.kind = WHORL_TRACE_SPAWNED, .task = task, .by = s->current});
}

void trace_runs(struct sched *s, struct whorl_task *task)
{
    if (s->trace->loop_waits) {
        s->trace->loop_waits = false;
        tell(s, (struct whorl_trace_event){.kind = WHORL_TRACE_LOOP_WAKES});
    }
    s->trace->running = task;
    tell(s, (struct whorl_trace_event){.kind = WHORL_TRACE_RUNS, .task = task});
}

static struct whorl_trace_event stop_of(const struct whorl_task *task)
{
    return (struct whorl_trace_event){.kind = task->waiter ? WHORL_TRACE_WAITS : WHORL_TRACE_YIELDS,
                                      .task = task,
                                      .what = task->waiter ? task->what : NULL};
}

void trace_stopped(struct sched *s)
{
    struct whorl_task *task = s->trace->running;

    s->trace->running = NULL;
    if (task)
        tell(s, stop_of(task));
}

void trace_ends(struct sched *s, struct whorl_task *task, int result)
{
    s->trace->running = NULL;
    tell(s, (struct whorl_trace_event){.kind = WHORL_TRACE_ENDS, .task = task, .result = result});
}

void trace_loop_waits(struct sched *s)
{
    if (s->trace->loop_waits) /* no task ran since the last report */
        return;
    s->trace->loop_waits = true;
    tell(s, (struct whorl_trace_event){.kind = WHORL_TRACE_LOOP_WAITS});
}

void trace_run_ends(struct sched *s, int result)
{
    struct observer *observer = s->trace->observers, *next;

    tell(s, (struct whorl_trace_event){.kind = WHORL_TRACE_RUN_ENDS, .result = result});
    for (; observer; observer = next) {
        next = observer->next;
        free(observer);
    }
    free(s->trace);
    s->trace = NULL;
}

struct announcing {
    struct sched *s;
    const struct observer *to;
};

/* Reports a task that is older than the observer. */
static void announce(struct whorl_task *task, void *ctx)
{
    const struct announcing *a = ctx;

    tell_one(a->s, a->to, (struct whorl_trace_event){.kind = WHORL_TRACE_SPAWNED, .task = task});
    if (task == a->s->current)
        tell_one(a->s, a->to, (struct whorl_trace_event){.kind = WHORL_TRACE_RUNS, .task = task});
    else if (task->waiter)
        tell_one(a->s, a->to, stop_of(task));
}

int trace_start(struct sched *s, whorl_trace_fn fn, void *arg)
{
    check_not_telling(s);

    struct observer *observer = malloc(sizeof *observer), **at;
    if (!observer)
        return -ENOMEM;
    *observer = (struct observer){.fn = fn, .arg = arg};
    if (!s->trace) {
        s->trace = calloc(1, sizeof *s->trace);
        if (!s->trace) {
            free(observer);
            return -ENOMEM;
        }
        s->trace->running = s->current;
        s->turn_end = s->ready_head; /* makes the running task switch to the loop next */
    }
    for (at = &s->trace->observers; *at;)
        at = &(*at)->next;
    *at = observer;
    stack_for_each_task(&s->stacks, announce, &(struct announcing){s, observer});
    return 0;
}

int whorl_trace_start(whorl_trace_fn fn, void *arg)
{
    struct sched *s = sched_self();
    return s ? trace_start(s, fn, arg) : WHORL_ENOTASK;
}

void whorl_trace_stop(whorl_trace_fn fn, void *arg)
{
    struct sched *s = sched_self();

    if (!s || !s->trace)
        return;
    check_not_telling(s);

    struct observer **at = &s->trace->observers, *found;
    while (*at && ((*at)->fn != fn || (*at)->arg != arg))
        at = &(*at)->next;
    if (!*at)
        return;
    found = *at;
    *at = found->next;
    free(found);
    if (!s->trace->observers) {
        free(s->trace);
        s->trace = NULL;
    }
}
