/* SPDX-License-Identifier: MIT */
/* Barriers and wait groups: waiting for a number of tasks. */
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

static void describe_wait_group(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_wait_group *wait_group =
        container_of(waiter->queue, const struct whorl_wait_group, waiters);
    size_t len = wait_queue_describe(text, size, "wait group", wait_group->name, wait_group);

    snprintf(text + len, size - len, " at %zu", wait_group->count);
}

static const struct whorl_wait_kind barrier_kind = {describe_barrier, NULL},
                                    wait_group_kind = {describe_wait_group, NULL};

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

static void touch(struct whorl_wait_group *wait_group)
{
    wait_queue_touch(&wait_group->waiters, "wait group", wait_group->name);
}

void whorl_wait_group_add(struct whorl_wait_group *wait_group, size_t n)
{
    touch(wait_group);
    whorl_check_text(wait_group->count + n >= n, "the count of a wait group overflowed");
    wait_group->count += n;
}

void whorl_wait_group_done(struct whorl_wait_group *wait_group)
{
    touch(wait_group);
    whorl_check_text(wait_group->count > 0, "the count of a wait group fell below zero");
    if (--wait_group->count == 0)
        while (whorl_wait_queue_wake_one(&wait_group->waiters, 0))
            ;
}

WHORL_SUSPENDS int whorl_wait_group_wait(struct whorl_wait_group *wait_group)
{
    struct whorl_task *self;
    struct sched *s;

    touch(wait_group);
    int err = sched_enter(&s, &self);
    if (err || wait_group->count == 0)
        return err;
    return (int)wait_queue_park(&wait_group->waiters, "wait group", &wait_group_kind);
}
