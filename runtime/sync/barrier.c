/* SPDX-License-Identifier: MIT */
/* Barriers: tasks that wait for one another. */
#include <stdio.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

static void describe_barrier(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_barrier *barrier = waiter->data;
    size_t len = wait_queue_describe(text, size, "barrier", barrier->name, barrier);

    snprintf(text + len, size - len, " with %zu of %zu there", barrier->arrived, barrier->parties);
}

static const struct whorl_wait_kind barrier_kind = {describe_barrier, NULL};

static enum whorl_abort leave(struct whorl_waiter *waiter)
{
    struct whorl_barrier *barrier = waiter->data;

    barrier->arrived--;
    wait_queue_remove(&barrier->waiters, waiter);
    return WHORL_ABORT_DONE;
}

WHORL_SUSPENDS int whorl_barrier_wait(struct whorl_barrier *barrier)
{
    struct whorl_waiter waiter = {.data = barrier, .kind = &barrier_kind};
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    wait_queue_touch(&barrier->waiters, "barrier", barrier->name);
    if (barrier->parties == 0)
        return -EINVAL;
    if (++barrier->arrived == barrier->parties) {
        barrier->arrived = 0;
        while (whorl_wait_queue_wake_one(&barrier->waiters, 0))
            ;
        return 1;
    }
    wait_queue_append(&barrier->waiters, &waiter);
    return (int)whorl_park(&waiter, leave, "barrier");
}
