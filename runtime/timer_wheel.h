/* SPDX-License-Identifier: MIT */
/* The timer wheel. Arming, moving and disarming a timer cost a few nanoseconds, with one timer or
 * with a million. */
#ifndef RUNTIME_TIMER_WHEEL_H
#define RUNTIME_TIMER_WHEEL_H

#include <whorl/base.h>
#include <whorl/park.h>
#include <whorl/timer.h>

#define TIMER_TICK_BITS 14 /* 16.4 us; deadlines within one tick are ordered when the tick comes */
#define TIMER_SLOT_BITS 10
#define TIMER_SLOTS     (1 << TIMER_SLOT_BITS)
#define TIMER_LEVELS    5 /* 14 + 5 * 10 bits cover every int64_t deadline */

struct timer_slot {
    struct whorl_timer *first; /* ring in the order of arming; NULL when empty */
    int64_t min_ns;            /* no timer in the slot is due earlier */
};

struct timer_level {
    uint64_t words;                      /* bit i: occupied[i] is not 0 */
    uint64_t occupied[TIMER_SLOTS / 64]; /* one bit per slot */
    struct timer_slot slots[TIMER_SLOTS];
};

struct timer_wheel {
    uint64_t position;        /* the tick up to which all timers have been fired or moved down */
    size_t armed, background; /* timers; those of them that no task waits for */
    struct timer_slot due;    /* timers of the current tick, in the order of their deadlines */
    struct timer_level levels[TIMER_LEVELS];
};

/* Initialises a wheel in zeroed memory. It writes only one field, so the pages of its 80 KiB that
 * no timer needs stay untouched. */
void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ns);

/* Arms a disarmed timer whose deadline_ns, fire and background are set. */
void timer_wheel_add(struct timer_wheel *wheel, struct whorl_timer *timer);

/* Disarms an armed timer. */
void timer_wheel_remove(struct timer_wheel *wheel, struct whorl_timer *timer);

static inline bool timer_is_armed(const struct whorl_timer *timer)
{
    return timer->next != NULL;
}

/* Returns an instant that is not later than the next deadline, and is usually equal to it;
 * WHORL_FOREVER when no timer is armed. */
int64_t timer_wheel_next(const struct timer_wheel *wheel);

/* Fires the timers that are due at `now_ns`, in the order of their deadlines; equal deadlines in
 * the order of arming. Of a large wave it fires only the first part; then timer_wheel_next() says
 * that more timers are due. */
void timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ns);

#endif
