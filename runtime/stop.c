/* SPDX-License-Identifier: MIT */
/* The gentle end: groups asked to finish before they are cancelled. */
#include <whorl/stop.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"
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

    if (!whorl_task_self())
        return WHORL_ENOTASK;
    if (!group->opened)
        return whorl_check_cancelled();
    whorl_group_request_stop(group);
    whorl_scope_enter(&grace, whorl_after(grace_ns));
    /* The grace ends for this wait alone: the group was opened outside its scope. So does a scope that
     * was entered since. */
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
    struct whorl_task *self = whorl_task_self();
    return self && self->scope->stopping;
}

/* Where a task that is asked hears of it. Nobody asks the root task, but it may wait for that. */
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
    wait_queue_append_case(stop_queue(whorl_task_self()), c, NULL);
    return 0;
}

struct whorl_case whorl_case_stop(void)
{
    static const struct whorl_case_ops ops = {"being asked to stop", stop_try, stop_start,
                                              wait_queue_stop_case};
    return (struct whorl_case){.ops = &ops};
}
