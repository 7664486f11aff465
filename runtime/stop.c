/* SPDX-License-Identifier: MIT */
/* Graceful stop: groups are asked to finish before they are cancelled. */
#include <errno.h>

#include <whorl/park.h>
#include <whorl/stop.h>
#include <whorl/timer.h>

#include "runtime/base/check.h"
#include "runtime/group.h"
#include "runtime/sched.h"
#include "runtime/scope.h"
#include "runtime/sync/wait_queue.h"

void whorl_group_request_stop(struct whorl_group *group)
{
    struct sched *s = sched_self();

    whorl_check_text(s || !group->opened, "whorl_group_request_stop() called outside a run");
    if (group->opened)
        scope_request_stop(s, &group->scope);
    else
        group->stop_requested = true;
}

/* A task in whorl_group_stop(). The group exists as long as the waiter is in its queue. */
struct stopper {
    struct whorl_waiter waiter;
    struct whorl_timer grace; /* armed until the end of the grace period */
    struct whorl_group *group;
    bool timed_out; /* the grace period has ended before the tasks */
    bool cancelled; /* the caller was cancelled */
};

/* When the waiter has been woken, its task runs in this turn of the loop. Mostly that is the end;
 * but if another task has spawned into the group meanwhile, the wait is continued. So the timer
 * fires again in the next turn, unless the task has disarmed it by then. */
static void end_grace(struct whorl_timer *timer)
{
    struct stopper *stopper = container_of(timer, struct stopper, grace);

    if (stopper->waiter.woken) {
        whorl_timer_arm(timer, whorl_now(), end_grace);
        return;
    }
    stopper->timed_out = true;
    whorl_group_cancel(stopper->group);
}

static enum whorl_abort cancel_now(struct whorl_waiter *waiter)
{
    struct stopper *stopper = container_of(waiter, struct stopper, waiter);

    stopper->cancelled = true;
    whorl_group_cancel(stopper->group);
    return WHORL_ABORT_PENDING;
}

WHORL_SUSPENDS int whorl_group_stop(struct whorl_group *group, int64_t grace_ns)
{
    struct stopper stopper = {.group = group};

    if (!sched_current())
        return WHORL_ENOTASK;
    if (!group->opened)
        return whorl_group_wait(group);
    if (group_is_around(group, sched_current()))
        return -EDEADLK;
    whorl_group_request_stop(group);
    if (group->alive > 0 && grace_ns > 0) {
        whorl_timer_arm(&stopper.grace, whorl_after(grace_ns), end_grace);
    } else if (group->alive > 0) {
        stopper.timed_out = true;
        whorl_group_cancel(group);
    }
    int result = group_join(group, &stopper.waiter, cancel_now);
    whorl_timer_disarm(&stopper.grace);
    if (result != 0 && result != -ECANCELED)
        return result;
    return stopper.cancelled ? -ECANCELED : stopper.timed_out ? -ETIMEDOUT : result;
}

bool whorl_stop_requested(void)
{
    struct whorl_task *self = sched_current();
    return self && self->scope->stopping;
}

/* The queue that is woken when a task is asked to stop. The root task has no group and is never
 * asked, but it may wait. */
static struct whorl_wait_queue *stop_queue(struct whorl_task *self)
{
    return self->group ? &self->group->stop_waiters : &sched_self()->root_stop_waiters;
}

WHORL_SUSPENDS int whorl_stop_wait_requested(void)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err || self->scope->stopping)
        return err;
    return (int)whorl_wait_queue_park(stop_queue(self), "being asked to stop");
}

static bool stop_try(struct whorl_case *c)
{
    c->result = 0;
    return whorl_stop_requested();
}

static int stop_start(struct whorl_case *c)
{
    wait_queue_append_case(stop_queue(sched_current()), c, NULL);
    return 0;
}

struct whorl_case whorl_case_stop(void)
{
    static const struct whorl_case_ops ops = {"being asked to stop", stop_try, stop_start,
                                              wait_queue_stop_case};
    return (struct whorl_case){.ops = &ops};
}
