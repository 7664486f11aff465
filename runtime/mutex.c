/* SPDX-License-Identifier: MIT */
/* Mutexes: unlocking hands over to the longest waiter, so nobody can slip in between. */
#include <whorl/task.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"
#include "runtime/wait_queue.h"

int whorl_mutex_lock(struct whorl_mutex *mutex)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    if (!mutex->owner) {
        mutex->owner = self;
        return 0;
    }
    if (mutex->owner == self)
        return -EDEADLK;
    return (int)whorl_wait_queue_park(&mutex->waiters, "mutex");
}

int whorl_mutex_try_lock(struct whorl_mutex *mutex)
{
    struct whorl_task *self = whorl_task_self();

    if (!self)
        return WHORL_ENOTASK;
    if (mutex->owner)
        return -EBUSY;
    mutex->owner = self;
    return 0;
}

void whorl_mutex_unlock(struct whorl_mutex *mutex)
{
    whorl_check_text(mutex->owner && mutex->owner == whorl_task_self(),
                     "a mutex is unlocked by the task that locked it");
    struct whorl_waiter *waiter = wait_queue_pop(&mutex->waiters);
    mutex->owner = waiter ? waiter->task : NULL;
    if (waiter)
        whorl_wake(waiter, 0);
}
