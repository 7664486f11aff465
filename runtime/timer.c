/* SPDX-License-Identifier: MIT */
/* Timers of the run: arming and disarming in its wheel. */
#include <whorl/timer.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"

static struct timer_wheel *wheel_of_run(void)
{
    struct sched *s = sched_self();

    whorl_check_text(s, "a timer is armed or disarmed outside a run");
    return &s->wheel;
}

static void arm(struct whorl_timer *timer, int64_t deadline_ns,
                void (*fire)(struct whorl_timer *timer), bool background)
{
    struct timer_wheel *wheel = wheel_of_run();

    if (timer_is_armed(timer))
        timer_wheel_remove(wheel, timer);
    timer->deadline_ns = deadline_ns;
    timer->fire = fire;
    timer->background = background;
    if (deadline_ns != WHORL_FOREVER)
        timer_wheel_add(wheel, timer);
}

void whorl_timer_arm(struct whorl_timer *timer, int64_t deadline_ns,
                     void (*fire)(struct whorl_timer *timer))
{
    arm(timer, deadline_ns, fire, false);
}

void whorl_timer_arm_background(struct whorl_timer *timer, int64_t deadline_ns,
                                void (*fire)(struct whorl_timer *timer))
{
    arm(timer, deadline_ns, fire, true);
}

void whorl_timer_disarm(struct whorl_timer *timer)
{
    if (timer_is_armed(timer))
        timer_wheel_remove(wheel_of_run(), timer);
}
