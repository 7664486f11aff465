/* SPDX-License-Identifier: MIT */
/* Sleeping: a timer that wakes its task. */
#include <whorl/error.h>
#include <whorl/park.h>
#include <whorl/task.h>
#include <whorl/timer.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"

struct sleeper {
    struct whorl_waiter waiter;
    struct whorl_timer timer;
};

static void fire(struct whorl_timer *timer)
{
    whorl_wake(&container_of(timer, struct sleeper, timer)->waiter, 0);
}

static enum whorl_abort withdraw(struct whorl_waiter *waiter)
{
    whorl_timer_disarm(&container_of(waiter, struct sleeper, waiter)->timer);
    return WHORL_ABORT_DONE;
}

WHORL_SUSPENDS int whorl_sleep_until(int64_t deadline_ns)
{
    struct sleeper sleeper = {.waiter = WHORL_WAITER_INIT};
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    sched_check_instant(s, deadline_ns);
    whorl_timer_arm(&sleeper.timer, deadline_ns, fire);
    return (int)whorl_park(&sleeper.waiter, withdraw, "sleep");
}

WHORL_SUSPENDS int whorl_sleep(int64_t duration_ns)
{
    return duration_ns <= 0 ? whorl_yield() : whorl_sleep_until(whorl_after(duration_ns));
}
