/* SPDX-License-Identifier: MIT */
/* Observers of a run, and the events they get. Tasks normally switch directly to each other. While
 * a run has an observer, the loop runs tasks one at a time (sched.c) and reports what each of them
 * did. */
#include "runtime/debug/trace.h"

#include <errno.h>
#include <stdlib.h>

#include <whorl/error.h>

#include "runtime/base/check.h"

struct observer {
    struct observer *next;
    whorl_trace_fn fn;
    void *arg;
};

struct trace {
    struct sched_trace hooks;   /* s->trace */
    struct observer *observers; /* never empty */
    /* NULL while the loop runs, and after the task that ran has ended */
    struct whorl_task *running;
    bool loop_waits;
    bool telling; /* an observer is being called */
};

static struct trace *trace_of(const struct sched *s)
{
    return container_of(s->trace, struct trace, hooks);
}

static void tell_one(struct sched *s, const struct observer *observer,
                     struct whorl_trace_event event)
{
    event.at_ns = s->poller->ops->now(s->poller);
    trace_of(s)->telling = true;
    observer->fn(observer->arg, &event);
    trace_of(s)->telling = false;
}

static void tell(struct sched *s, struct whorl_trace_event event)
{
    for (const struct observer *observer = trace_of(s)->observers; observer;
         observer = observer->next)
        tell_one(s, observer, event);
}

static void check_not_telling(const struct sched *s)
{
    whorl_check_text(!s->trace || !trace_of(s)->telling,
                     "an observer must not start or stop observing");
}

void trace_spawned(struct sched *s, struct whorl_task *task)
{
    tell(s,
         (struct whorl_trace_event){.kind = WHORL_TRACE_SPAWNED, .task = task, .by = s->current});
}

static void runs(struct sched *s, struct whorl_task *task)
{
    if (trace_of(s)->loop_waits) {
        trace_of(s)->loop_waits = false;
        tell(s, (struct whorl_trace_event){.kind = WHORL_TRACE_LOOP_WAKES});
    }
    trace_of(s)->running = task;
    tell(s, (struct whorl_trace_event){.kind = WHORL_TRACE_RUNS, .task = task});
}

static struct whorl_trace_event stop_of(const struct whorl_task *task)
{
    return (struct whorl_trace_event){.kind = task->waiter ? WHORL_TRACE_WAITS : WHORL_TRACE_YIELDS,
                                      .task = task,
                                      .what = task->waiter ? task->what : NULL};
}

/* Reports the task that ran, unless it has ended. */
static void stopped(struct sched *s)
{
    struct whorl_task *task = trace_of(s)->running;

    trace_of(s)->running = NULL;
    if (task)
        tell(s, stop_of(task));
}

void trace_ends(struct sched *s, struct whorl_task *task, int result)
{
    trace_of(s)->running = NULL;
    tell(s, (struct whorl_trace_event){.kind = WHORL_TRACE_ENDS, .task = task, .result = result});
}

void trace_loop_waits(struct sched *s)
{
    if (trace_of(s)->loop_waits) /* no task ran since the last report */
        return;
    trace_of(s)->loop_waits = true;
    tell(s, (struct whorl_trace_event){.kind = WHORL_TRACE_LOOP_WAITS});
}

void trace_run_ends(struct sched *s, int result)
{
    struct observer *observer = trace_of(s)->observers, *next;

    tell(s, (struct whorl_trace_event){.kind = WHORL_TRACE_RUN_ENDS, .result = result});
    for (; observer; observer = next) {
        next = observer->next;
        free(observer);
    }
    free(trace_of(s));
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
        struct trace *trace = calloc(1, sizeof *trace);
        if (!trace) {
            free(observer);
            return -ENOMEM;
        }
        *trace = (struct trace){.hooks = {runs, stopped}, .running = s->current};
        s->trace = &trace->hooks;
        s->turn_end = s->ready_head; /* makes the running task switch to the loop next */
    }
    for (at = &trace_of(s)->observers; *at;)
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

    struct observer **at = &trace_of(s)->observers, *found;
    while (*at && ((*at)->fn != fn || (*at)->arg != arg))
        at = &(*at)->next;
    if (!*at)
        return;
    found = *at;
    *at = found->next;
    free(found);
    if (!trace_of(s)->observers) {
        free(trace_of(s));
        s->trace = NULL;
    }
}
