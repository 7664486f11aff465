/* SPDX-License-Identifier: MIT */
/* The timer wheel: arming, moving and disarming cost a few nanoseconds with one timer or a million. */
#ifndef RUNTIME_TIMER_H
#define RUNTIME_TIMER_H

#include <whorl/base.h>
#include <whorl/park.h>
#include <whorl/timer.h>

#define TIMER_TICK_BITS 14 /* 16.4 us; deadlines within a tick are told apart when it comes */
#define TIMER_SLOT_BITS 10
#define TIMER_SLOTS     (1 << TIMER_SLOT_BITS)
#define TIMER_LEVELS    5 /* 14 + 5 * 10 bits cover every int64_t deadline */

struct timer_slot {
    struct whorl_timer *first; /* a ring in the order of arming; NULL when empty */
    int64_t min_ns;            /* no timer in the slot is earlier */
};

struct timer_level {
    uint64_t words;                      /* which of `occupied` are not 0 */
    uint64_t occupied[TIMER_SLOTS / 64]; /* a bit a slot */
    struct timer_slot slots[TIMER_SLOTS];
};

struct timer_wheel {
    uint64_t position; /* the tick up to which everything has been fired or moved down */
    size_t armed;
    struct timer_slot due; /* of the tick that has come, in the order of deadlines */
    struct timer_level levels[TIMER_LEVELS];
};

/* `wheel` is zeroed memory; what of its 80 KiB no timer needs is not touched. */
void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ns);

/* Arms a disarmed timer whose deadline_ns and fire are set. */
void timer_wheel_add(struct timer_wheel *wheel, struct whorl_timer *timer);

/* Disarms an armed timer. */
void timer_wheel_remove(struct timer_wheel *wheel, struct whorl_timer *timer);

static inline bool timer_is_armed(const struct whorl_timer *timer)
{
    return timer->next != NULL;
}

/* An instant not later than the next deadline, and mostly that deadline; WHORL_FOREVER for none. */
int64_t timer_wheel_next(const struct timer_wheel *wheel);

/* Fires the timers due at `now_ns` in the order of deadlines, equal ones in the order of arming. Of a
 * large wave the first part only: then timer_wheel_next() says that more are due. */
void timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ns);

#endif
