/* SPDX-License-Identifier: MIT */
/* Semaphores. A released permit goes to the task that has waited longest. */
#include "runtime/base/check.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_semaphore *semaphore =
        container_of(waiter->queue, const struct whorl_semaphore, waiters);

    wait_queue_describe(text, size, "semaphore", semaphore->name, semaphore);
}

static const struct whorl_wait_kind kind = {describe, NULL};

static void touch(struct whorl_semaphore *semaphore)
{
    wait_queue_touch(&semaphore->waiters, "semaphore", semaphore->name);
}

WHORL_SUSPENDS int whorl_semaphore_acquire(struct whorl_semaphore *semaphore)
{
    struct whorl_task *self;
    struct sched *s;

    touch(semaphore);
    int err = sched_enter(&s, &self);
    if (err)
        return err;
    /* A released permit goes directly to a waiter, so while tasks wait `permits` is 0. */
    if (semaphore->permits > 0) {
        semaphore->permits--;
        return 0;
    }
    return (int)wait_queue_park(&semaphore->waiters, "semaphore", &kind);
}

int whorl_semaphore_try_acquire(struct whorl_semaphore *semaphore)
{
    touch(semaphore);
    if (semaphore->permits == 0)
        return -EAGAIN;
    semaphore->permits--;
    return 0;
}

void whorl_semaphore_release(struct whorl_semaphore *semaphore)
{
    touch(semaphore);
    if (!whorl_wait_queue_wake_one(&semaphore->waiters, 0))
        semaphore->permits++;
}
