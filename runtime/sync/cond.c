/* SPDX-License-Identifier: MIT */
/* Condition variables. */
#include "runtime/base/check.h"
#include "runtime/sched.h"
#include "runtime/sync/mutex.h"
#include "runtime/sync/wait_queue.h"

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_cond *cond = container_of(waiter->queue, const struct whorl_cond, waiters);

    wait_queue_describe(text, size, "condition", cond->name, cond);
}

static const struct whorl_wait_kind kind = {describe, NULL};

static void touch(struct whorl_cond *cond)
{
    wait_queue_touch(&cond->waiters, "condition", cond->name);
}

WHORL_SUSPENDS int whorl_cond_wait(struct whorl_cond *cond, struct whorl_mutex *mutex)
{
    struct whorl_waiter waiter = {.kind = &kind};
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    touch(cond);
    whorl_check_text(mutex->owner == self, "whorl_cond_wait() needs the mutex locked");
    wait_queue_append(&cond->waiters, &waiter);
    whorl_mutex_unlock(mutex);
    err = (int)whorl_park(&waiter, wait_queue_withdraw, "condition");
    mutex_lock_always(mutex);
    /* This task was signalled and then cancelled before it ran. The caller will stop at its next
     * call and may not act on the signal, so pass the signal on to another waiter. */
    if (err == 0 && sched_is_cancelled(self)) {
        whorl_cond_signal(cond);
        err = -ECANCELED;
    }
    return err;
}

void whorl_cond_signal(struct whorl_cond *cond)
{
    touch(cond);
    whorl_wait_queue_wake_one(&cond->waiters, 0);
}

void whorl_cond_broadcast(struct whorl_cond *cond)
{
    touch(cond);
    while (whorl_wait_queue_wake_one(&cond->waiters, 0))
        ;
}
