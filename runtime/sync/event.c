/* SPDX-License-Identifier: MIT */
/* Events: a flag that tasks can wait for. */
#include "runtime/base/check.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_event *event =
        container_of(waiter->queue, const struct whorl_event, waiters);

    wait_queue_describe(text, size, "event", event->name, event);
}

static const struct whorl_wait_kind kind = {describe, NULL};

static void touch(struct whorl_event *event)
{
    wait_queue_touch(&event->waiters, "event", event->name);
}

WHORL_SUSPENDS int whorl_event_wait(struct whorl_event *event)
{
    struct whorl_task *self;
    struct sched *s;

    touch(event);
    int err = sched_enter(&s, &self);
    if (err || event->is_set)
        return err;
    return (int)wait_queue_park(&event->waiters, "event", &kind);
}

void whorl_event_set(struct whorl_event *event)
{
    touch(event);
    event->is_set = true;
    while (whorl_wait_queue_wake_one(&event->waiters, 0))
        ;
}

void whorl_event_reset(struct whorl_event *event)
{
    touch(event);
    event->is_set = false;
}

bool whorl_event_is_set(const struct whorl_event *event)
{
    return event->is_set;
}

static bool event_try(struct whorl_case *c)
{
    c->result = 0;
    return ((struct whorl_event *)c->object)->is_set;
}

static int event_start(struct whorl_case *c)
{
    wait_queue_append_case(&((struct whorl_event *)c->object)->waiters, c, &kind);
    return 0;
}

struct whorl_case whorl_case_event(struct whorl_event *event)
{
    static const struct whorl_case_ops ops = {"event", event_try, event_start,
                                              wait_queue_stop_case};
    return (struct whorl_case){.ops = &ops, .object = event};
}
