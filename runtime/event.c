/* SPDX-License-Identifier: MIT */
/* Events: a flag that tasks can wait for. */
#include "runtime/sched.h"
#include "runtime/wait_queue.h"

int whorl_event_wait(struct whorl_event *event)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err || event->is_set)
        return err;
    return (int)whorl_wait_queue_park(&event->waiters, "event");
}

void whorl_event_set(struct whorl_event *event)
{
    event->is_set = true;
    while (whorl_wait_queue_wake_one(&event->waiters, 0))
        ;
}

void whorl_event_reset(struct whorl_event *event)
{
    event->is_set = false;
}

bool whorl_event_is_set(const struct whorl_event *event)
{
    return event->is_set;
}
