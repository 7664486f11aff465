/* SPDX-License-Identifier: MIT */
/* Graceful stop: groups are asked to finish before they are cancelled. */
#include <whorl/park.h>
#include <whorl/stop.h>

#include "runtime/base/check.h"
#include "runtime/group.h"
#include "runtime/sched.h"
#include "runtime/scope.h"
#include "runtime/sync/wait_queue.h"

void whorl_group_request_stop(struct whorl_group *group)
{
    struct sched *s = sched_self();

    whorl_check_text(s, "whorl_group_request_stop() called outside a run");
    if (!group->opened)
        group_open(group, s->current ? s->current->scope : NULL);
    scope_request_stop(s, &group->scope);
}

WHORL_SUSPENDS int whorl_group_stop(struct whorl_group *group, int64_t grace_ns)
{
    struct whorl_scope grace;

    if (!sched_current())
        return WHORL_ENOTASK;
    if (!group->opened)
        return whorl_check_cancelled();
    whorl_group_request_stop(group);
    whorl_scope_enter(&grace, whorl_after(grace_ns));
    /* The end of the grace period ends only this wait: the group was opened outside the grace
     * scope, so its tasks are not cancelled. The same holds for any scope that was entered after
     * the group was opened. */
    int err = whorl_group_wait(group);
    bool joined = !group->opened;
    int ended = whorl_scope_leave(&grace, err);
    if (joined)
        return err;
    whorl_group_cancel(group);
    err = whorl_group_wait(group);
    return err == 0 || err == -ECANCELED ? ended : err;
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
