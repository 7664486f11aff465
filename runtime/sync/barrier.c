/* SPDX-License-Identifier: MIT */
/* Barriers and latches: waiting for a number of tasks. */
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

static void describe_latch(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_latch *latch =
        container_of(waiter->queue, const struct whorl_latch, waiters);
    size_t len = wait_queue_describe(text, size, "latch", latch->name, latch);

    snprintf(text + len, size - len, " at %zu", latch->count);
}

static const struct whorl_wait_kind barrier_kind = {describe_barrier, NULL},
                                    latch_kind = {describe_latch, NULL};

static enum whorl_abort leave(struct whorl_waiter *waiter)
{
    struct whorl_barrier *barrier = waiter->data;

    barrier->arrived--;
    wait_queue_remove(&barrier->waiters, waiter);
    return WHORL_ABORT_DONE;
}

int whorl_barrier_wait(struct whorl_barrier *barrier)
{
    struct whorl_waiter waiter = {.data = barrier, .kind = &barrier_kind};
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
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

void whorl_latch_add(struct whorl_latch *latch, size_t n)
{
    whorl_check_text(latch->count + n >= n, "a latch counts too high");
    latch->count += n;
}

void whorl_latch_done(struct whorl_latch *latch)
{
    whorl_check_text(latch->count > 0, "a latch is counted below zero");
    if (--latch->count == 0)
        while (whorl_wait_queue_wake_one(&latch->waiters, 0))
            ;
}

int whorl_latch_wait(struct whorl_latch *latch)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err || latch->count == 0)
        return err;
    return (int)wait_queue_park(&latch->waiters, "latch", &latch_kind);
}
