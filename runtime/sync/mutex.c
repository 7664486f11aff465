/* SPDX-License-Identifier: MIT */
/* Mutexes. Unlocking passes the mutex to the task that has waited longest, so no other task can
 * take it in between. */
#include "runtime/sync/mutex.h"

#include <stdio.h>

#include <whorl/task.h>

#include "runtime/base/check.h"
#include "runtime/debug/circle.h"
#include "runtime/debug/dump.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

static const struct whorl_mutex *mutex_of(const struct whorl_waiter *waiter)
{
    return container_of(waiter->queue, const struct whorl_mutex, waiters);
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_mutex *mutex = mutex_of(waiter);
    size_t len = wait_queue_describe(text, size, "mutex", mutex->name, mutex);

    snprintf(text + len, size - len, " held by %s", dump_name_of(mutex->owner));
}

static struct whorl_task *holder(const struct whorl_waiter *waiter)
{
    return mutex_of(waiter)->owner;
}

static const struct whorl_wait_kind kind = {describe, holder};

static void touch(struct whorl_mutex *mutex)
{
    wait_queue_touch(&mutex->waiters, "mutex", mutex->name);
}

static WHORL_SUSPENDS int lock(struct whorl_mutex *mutex, struct whorl_task *self,
                               whorl_abort_fn abort)
{
    touch(mutex);
    if (!mutex->owner) {
        mutex->owner = self;
        return 0;
    }
    if (mutex->owner == self)
        return -EDEADLK;
    struct whorl_waiter waiter = {.kind = &kind};
    wait_queue_append(&mutex->waiters, &waiter);
    return (int)circle_park(&waiter, abort, "mutex");
}

WHORL_SUSPENDS int whorl_mutex_lock(struct whorl_mutex *mutex)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    return err ? err : lock(mutex, self, wait_queue_withdraw);
}

WHORL_SUSPENDS_SHIELDED void mutex_lock_always(struct whorl_mutex *mutex)
{
    int err = lock(mutex, sched_current(), NULL);
    whorl_check(err == 0);
}

int whorl_mutex_try_lock(struct whorl_mutex *mutex)
{
    struct whorl_task *self = sched_current();

    if (!self)
        return WHORL_ENOTASK;
    touch(mutex);
    if (mutex->owner)
        return -EAGAIN;
    mutex->owner = self;
    return 0;
}

void whorl_mutex_unlock(struct whorl_mutex *mutex)
{
    touch(mutex);
    whorl_check_text(mutex->owner && mutex->owner == sched_current(),
                     "a mutex must be unlocked by the task that locked it");
    struct whorl_waiter *waiter = wait_queue_pop(&mutex->waiters);
    mutex->owner = waiter ? waiter->task : NULL;
    if (waiter)
        whorl_wake(waiter, 0);
}
