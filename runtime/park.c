/* SPDX-License-Identifier: MIT */
/* Waiting and waking: the interface between tasks and everything that blocks. */
#include "runtime/park.h"

#include "runtime/base/check.h"

void (*sched_park_hook)(const char *what);

WHORL_SUSPENDS int64_t whorl_park(struct whorl_waiter *waiter, whorl_abort_fn abort,
                                  const char *what)
{
    struct sched *s = sched_self();
    struct whorl_task *self = s ? s->current : NULL;

    whorl_check_text(self, "whorl_park() called outside a task");
    if (__builtin_expect(sched_park_hook != NULL, 0))
        sched_park_hook(what);
    if (waiter->woken)
        return waiter->result;
    if (__builtin_expect(sched_is_cancelled(self), 0) && abort) {
        enum whorl_abort answer = abort(waiter);
        if (waiter->woken)
            return waiter->result;
        if (answer == WHORL_ABORT_DONE)
            return -ECANCELED;
        abort = NULL; /* abort was called, and is called at most once */
    }
    return park_now(s, self, waiter, abort, what);
}

void whorl_wake(struct whorl_waiter *waiter, int64_t result)
{
    struct sched *s = sched_self();

    whorl_check_text(!waiter->woken, "a waiter was woken twice");
    /* The wait is not described, because the waiter has left the queue that led to the object. */
    if (waiter->task && __builtin_expect(waiter->task->sched != s, 0)) {
        waiter->kind = NULL;
        sched_fail_foreign(waiter->task);
    }
    park_wake(s, waiter, result);
}

void park_abort(struct sched *s, struct whorl_task *task)
{
    struct whorl_waiter *waiter = task->waiter;
    whorl_abort_fn abort = task->abort;

    if (!waiter || !abort)
        return;
    sched_check_own(s, task);
    task->abort = NULL;
    if (abort(waiter) == WHORL_ABORT_DONE && !waiter->woken)
        whorl_wake(waiter, -ECANCELED);
}
