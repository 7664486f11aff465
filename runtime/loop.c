/* SPDX-License-Identifier: MIT */
/* The loop of a run. It runs on the thread's own stack. It runs ready tasks, polls the kernel,
 * fires timers, and detects a deadlock: every task waits for another task. */
#include "runtime/loop.h"

#include <stdio.h>

#include <whorl/scope.h>

#include "runtime/base/check.h"
#include "runtime/base/forks.h"
#include "runtime/debug/circle.h"
#include "runtime/debug/dump.h"
#include "runtime/debug/trace.h"
#include "runtime/park.h"
#include "runtime/runner.h"

/* Cancels a task in spite of its shields: the second measure against a deadlock. */
static void abort_shielded(struct whorl_task *task, void *ctx)
{
    for (struct whorl_scope *scope = task->scope; scope; scope = scope->parent)
        scope->cancelled = true;
    park_abort(ctx, task);
}

/* No event can wake a task any more. Cancelling makes the tasks end and release what they hold. */
static void break_deadlock(struct sched *s)
{
    if (!s->deadlocked) {
        s->deadlocked = true;
        if (!s->options.quiet)
            dump_tasks(s, stderr, "every task waits on another");
        whorl_scope_cancel(&s->root_scope);
        whorl_scope_cancel(&s->daemons.scope);
    }
    if (sched_ready_count(s) == 0)
        stack_for_each_task(&s->stacks, abort_shielded, s);
    if (sched_ready_count(s) == 0) {
        dump_tasks(s, stderr, "these tasks cannot be woken or cancelled");
        check_failed(__FILE__, __LINE__, "deadlock");
    }
}

static void poll(struct sched *s, int64_t deadline_ns)
{
    s->polls++;
    int err = s->poller->ops->wait(s->poller, deadline_ns);
    if (err < 0) {
        fprintf(stderr, "whorl: %s: %s%s\n", s->poller->ops->name, whorl_strerror(err),
                forks_copied(s->depth) ? ": a forked child may not wait in its parent's run" : "");
        check_failed(__FILE__, __LINE__, "the poller failed");
    }
}

static bool has_work(const struct sched *s)
{
    const struct whorl_poller_ops *ops = s->poller->ops;

    return !ops->has_work || ops->has_work(s->poller);
}

static void fire_timers(struct sched *s)
{
    if (s->wheel.armed > 0)
        timer_wheel_advance(&s->wheel, s->poller->ops->now(s->poller));
}

/* The target length of a turn while tasks stay ready, whatever they do between two switches. A
 * socket or a timer is then delayed by little more than the longest step of a task. */
#define TURN_NS (250 * WHORL_MICROSECOND)

static void adapt_turn(struct sched *s)
{
    int64_t now = s->poller->ops->now(s->poller);
    int64_t took = now - s->turn_began_ns;

    s->turn_began_ns = now;
    if (took > TURN_NS && s->turn > 1)
        s->turn = took > 8 * TURN_NS ? (s->turn + 7) / 8 : s->turn / 2;
    else if (took < TURN_NS / 2 && s->turn < SCHED_TURN_MAX && !s->random)
        s->turn *= 2;
}

/* The next time at which the loop has work that the poller does not know about. A virtual clock
 * stands still while another thread works for the run. */
static int64_t next_deadline(const struct sched *s, int64_t timers_ns)
{
    if (s->poller->ops->virtual_time)
        return runner_is_expected(s->runner) ? WHORL_FOREVER : timers_ns;
    int64_t search_ns = circle_deadline(s), trim_ns = s->stacks.trim_at_ns;
    int64_t own_ns = search_ns < trim_ns ? search_ns : trim_ns;
    return own_ns < timers_ns ? own_ns : timers_ns;
}

static void search_circles(struct sched *s)
{
    if (circle_is_due(s, s->turn_began_ns))
        circle_search(s, s->turn_began_ns);
}

/* Polls the kernel. While tasks are ready, or without `may_wait`, it does not wait; otherwise it
 * waits until an event or a deadline. */
static void turn(struct sched *s, bool may_wait)
{
    const struct whorl_poller_ops *ops = s->poller->ops;

    s->turns++;
    runner_drain(s);
    if (sched_ready_count(s) > 0) {
        adapt_turn(s);
        if (has_work(s))
            poll(s, 0);
        fire_timers(s);
        search_circles(s);
        return;
    }
    int64_t deadline = timer_wheel_next(&s->wheel);
    bool idle = s->wheel.armed == s->wheel.background; /* no task waits for a timer */
    if (idle && ops->pending(s->poller) == 0 && !runner_is_held(s->runner)) {
        break_deadlock(s);
        return;
    }
    if (s->stacks.trim_at_ns != WHORL_FOREVER && !ops->virtual_time) {
        int64_t now = ops->now(s->poller);
        if (now >= s->stacks.trim_at_ns) {
            stack_pool_trim(&s->stacks, now, WHORL_SECOND);
            if (s->stacks.trim_at_ns == WHORL_FOREVER)
                sched_trim(s);
        }
    }
    if (s->trace)
        trace_loop_waits(s);
    poll(s, may_wait ? next_deadline(s, deadline) : 0);
    s->turn_began_ns = ops->now(s->poller); /* the time asleep is no task's time */
    if (s->turn > SCHED_TURN_FIRST)
        s->turn = SCHED_TURN_FIRST;
    runner_drain(s);
    fire_timers(s);
    search_circles(s);
    /* A timer may have made requests, such as the cancels of a scope. The next poll submits them,
     * but without `may_wait` the host waits before that. */
    if (!may_wait && has_work(s))
        poll(s, 0);
}

/* Whether the root task and all daemons have ended. Cancels the daemons when the root task has
 * ended. */
static bool has_ended(struct sched *s)
{
    if (s->root)
        return false;
    if (s->alive == 0)
        return true;
    if (!s->daemons_cancelled) {
        s->daemons_cancelled = true;
        whorl_scope_cancel(&s->daemons.scope);
    }
    return false;
}

static int end_run(struct sched *s)
{
    int result = s->deadlocked ? -EDEADLK : s->root_result;

    if (s->trace)
        trace_run_ends(s, result);
    return result;
}

int loop_run(struct sched *s)
{
    for (;;) {
        sched_run_ready(s);
        if (has_ended(s))
            return end_run(s);
        turn(s, true);
    }
}

bool loop_step(struct sched *s, unsigned turns, int *ret_result)
{
    s->turn_began_ns = s->poller->ops->now(s->poller); /* the host's time is no task's time */
    for (unsigned i = 0; i < turns; i++) {
        sched_run_ready(s);
        if (has_ended(s)) {
            *ret_result = end_run(s);
            return true;
        }
        turn(s, false);
        if (sched_ready_count(s) == 0)
            break;
    }
    return false;
}

int64_t loop_deadline(struct sched *s)
{
    return sched_ready_count(s) > 0 ? 0 : next_deadline(s, timer_wheel_next(&s->wheel));
}
