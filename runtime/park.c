/* SPDX-License-Identifier: MIT */
/* Waiting and waking: the interface between tasks and everything that blocks. */
#include <whorl/park.h>
#include <whorl/timer.h>

#include "runtime/base/check.h"
#include "runtime/park_hook.h"
#include "runtime/sched.h"

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
    waiter->task = self;
    self->waiter = waiter;
    self->abort = abort;
    self->what = what;
    sched_switch(s, self);
    return waiter->result;
}

void whorl_wake(struct whorl_waiter *waiter, int64_t result)
{
    whorl_check_text(!waiter->woken, "a waiter was woken twice");
    sched_wake(sched_self(), waiter, result);
}

void task_abort(struct sched *s, struct whorl_task *task)
{
    struct whorl_waiter *waiter = task->waiter;
    whorl_abort_fn abort = task->abort;

    (void)s;
    if (!waiter || !abort)
        return;
    task->abort = NULL;
    if (abort(waiter) == WHORL_ABORT_DONE && !waiter->woken)
        whorl_wake(waiter, -ECANCELED);
}

void whorl_timer_arm(struct whorl_timer *timer, int64_t deadline_ns,
                     void (*fire)(struct whorl_timer *timer))
{
    struct timer_wheel *wheel = &sched_self()->wheel;

    if (timer_is_armed(timer))
        timer_wheel_remove(wheel, timer);
    timer->deadline_ns = deadline_ns;
    timer->fire = fire;
    if (deadline_ns != WHORL_FOREVER)
        timer_wheel_add(wheel, timer);
}

void whorl_timer_disarm(struct whorl_timer *timer)
{
    if (timer_is_armed(timer))
        timer_wheel_remove(&sched_self()->wheel, timer);
}
