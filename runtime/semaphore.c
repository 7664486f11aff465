/* SPDX-License-Identifier: MIT */
/* Semaphores: permits, handed to the longest waiter. */
#include "runtime/sched.h"
#include "runtime/wait_queue.h"

int whorl_semaphore_acquire(struct whorl_semaphore *semaphore)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    /* A released permit goes straight to a waiter, so with waiters there is never one to take. */
    if (semaphore->permits > 0) {
        semaphore->permits--;
        return 0;
    }
    return (int)whorl_wait_queue_park(&semaphore->waiters, "semaphore");
}

int whorl_semaphore_try_acquire(struct whorl_semaphore *semaphore)
{
    if (semaphore->permits == 0)
        return -EBUSY;
    semaphore->permits--;
    return 0;
}

void whorl_semaphore_release(struct whorl_semaphore *semaphore)
{
    if (!whorl_wait_queue_wake_one(&semaphore->waiters, 0))
        semaphore->permits++;
}
