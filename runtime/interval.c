/* SPDX-License-Identifier: MIT */
/* Intervals: a series of instants at equal distances. A wait returns how many of them have
 * passed. */
#include <limits.h>

#include <whorl/error.h>
#include <whorl/interval.h>
#include <whorl/park.h>
#include <whorl/task.h>
#include <whorl/timer.h>

#include "runtime/base/check.h"

void whorl_interval_init(struct whorl_interval *interval, int64_t period_ns)
{
    whorl_interval_init_at(interval, whorl_after(period_ns < 1 ? 1 : period_ns), period_ns);
}

void whorl_interval_init_at(struct whorl_interval *interval, int64_t first_ns, int64_t period_ns)
{
    interval->period_ns = period_ns < 1 ? 1 : period_ns;
    interval->next_ns = first_ns;
}

/* Consumes the ticks up to `now_ns` and returns their number; 0 when the next tick is still ahead.
 * The next tick becomes WHORL_FOREVER when it would overflow. */
static int64_t take(struct whorl_interval *interval, int64_t now_ns)
{
    int64_t last_ns;

    if (now_ns < interval->next_ns || interval->next_ns == WHORL_FOREVER)
        return 0;
    /* Instants may be negative on a virtual clock, so the distance is computed with unsigned
     * numbers. */
    uint64_t late_ns = (uint64_t)now_ns - (uint64_t)interval->next_ns;
    uint64_t count = late_ns / (uint64_t)interval->period_ns;
    last_ns = (int64_t)((uint64_t)interval->next_ns + count * (uint64_t)interval->period_ns);
    if (__builtin_add_overflow(last_ns, interval->period_ns, &interval->next_ns))
        interval->next_ns = WHORL_FOREVER;
    return count < INT64_MAX ? (int64_t)count + 1 : INT64_MAX;
}

WHORL_SUSPENDS int64_t whorl_interval_wait(struct whorl_interval *interval)
{
    for (;;) {
        int err = whorl_sleep_until(interval->next_ns);
        if (err)
            return err;
        int64_t count = take(interval, whorl_now());
        if (count > 0)
            return count;
    }
}

/* --- select ----------------------------------------------------------------------------------- */

/* The timer is stored in the memory of the case's waiter. This case uses no field of the waiter
 * except `kind`. */
_Static_assert(sizeof(struct whorl_timer) <= offsetof(struct whorl_waiter, kind), "a timer fits");

static struct whorl_timer *timer_of(struct whorl_case *c)
{
    return (struct whorl_timer *)(void *)&c->waiter;
}

static bool interval_try(struct whorl_case *c)
{
    int64_t count = take(c->object, whorl_now());

    c->result = count < INT_MAX ? (int)count : INT_MAX;
    return count > 0;
}

static void interval_fire(struct whorl_timer *timer)
{
    struct whorl_case *c =
        container_of((struct whorl_waiter *)(void *)timer, struct whorl_case, waiter);
    struct whorl_interval *interval = c->object;

    if (interval_try(c))
        whorl_case_ready(c, c->result);
    else
        whorl_timer_arm(timer, interval->next_ns, interval_fire);
}

static int interval_start(struct whorl_case *c)
{
    *timer_of(c) = (struct whorl_timer){0};
    whorl_timer_arm(timer_of(c), ((struct whorl_interval *)c->object)->next_ns, interval_fire);
    return 0;
}

static enum whorl_abort interval_stop(struct whorl_case *c)
{
    whorl_timer_disarm(timer_of(c));
    return WHORL_ABORT_DONE;
}

struct whorl_case whorl_case_interval(struct whorl_interval *interval)
{
    static const struct whorl_case_ops ops = {"interval", interval_try, interval_start,
                                              interval_stop};
    return (struct whorl_case){.ops = &ops, .object = interval};
}
