/* SPDX-License-Identifier: MIT */
/* Parking and waking, for callers that already have the run. */
#ifndef RUNTIME_PARK_H
#define RUNTIME_PARK_H

#include <whorl/park.h>

#include "runtime/park_hook.h"
#include "runtime/sched.h"

/* Parks without any check: the waiter has not been woken, and the task is not cancelled or waits in
 * spite of it. */
WHORL_ANNOTATE("whorl_primitive") /* the code that cancels wakes it with -ECANCELED */
static inline WHORL_SUSPENDS int64_t park_now(struct sched *s, struct whorl_task *self,
                                              struct whorl_waiter *waiter, whorl_abort_fn abort,
                                              const char *what)
{
    waiter->task = self;
    self->waiter = waiter;
    self->abort = abort;
    self->what = what;
    sched_switch(s, self);
    return waiter->result;
}

/* Like whorl_park(), for a caller that has just called sched_enter(): the scope is not cancelled,
 * and the waiter cannot have been woken yet. */
static inline WHORL_SUSPENDS int64_t park_entered(struct sched *s, struct whorl_task *self,
                                                  struct whorl_waiter *waiter, whorl_abort_fn abort,
                                                  const char *what)
{
    if (__builtin_expect(sched_park_hook != NULL, 0))
        return whorl_park(waiter, abort, what);
    return park_now(s, self, waiter, abort, what);
}

/* Like whorl_wake(), for a caller that has the run already and has checked that the task belongs to
 * it. wait_queue_pop() makes that check. */
static inline void park_wake(struct sched *s, struct whorl_waiter *waiter, int64_t result)
{
    struct whorl_task *task = waiter->task;

    waiter->result = result;
    waiter->woken = true;
    if (task) {
        task->waiter = NULL;
        sched_ready(s, task);
    } else if (waiter->notify) {
        waiter->notify(waiter);
    }
}

/* Cancellation: calls the abort function of the task's wait, if it is parked. */
void park_abort(struct sched *s, struct whorl_task *task);

#endif
