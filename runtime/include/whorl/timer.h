/* SPDX-License-Identifier: MIT */
/* For implementers of things with a time limit: timers, which call a function at an instant.
 *
 * The run's loop calls the function, on the thread's own stack, so the function must not suspend.
 * Users sleep (task.h), set deadlines (scope.h) or wait for ticks (interval.h).
 *
 *     struct entry {
 *         struct whorl_timer timer;
 *         struct whorl_waiter *waiter;
 *     };
 *
 *     static void expire(struct whorl_timer *timer)
 *     {
 *         struct entry *entry = (struct entry *)((char *)timer - offsetof(struct entry, timer));
 *
 *         whorl_wake(entry->waiter, -ETIMEDOUT);
 *     }
 *
 *     static WHORL_SUSPENDS int entry_wait(struct entry *entry)
 *     {
 *         struct whorl_waiter waiter = WHORL_WAITER_INIT;
 *
 *         entry->waiter = &waiter;
 *         whorl_timer_arm(&entry->timer, whorl_after(WHORL_SECOND), expire);
 *         int err = (int)whorl_park(&waiter, NULL, "entry");
 *         whorl_timer_disarm(&entry->timer);
 *         return err;
 *     }
 */
#ifndef WHORL_TIMER_H
#define WHORL_TIMER_H

#include <whorl/base.h>

/* An instant at which a function is called, at most once for each arming. Arming and disarming take
 * a few nanoseconds, however many timers there are. Zero-initialised is disarmed. */
struct whorl_timer {
    struct whorl_timer *next, *prev; /* NULL while disarmed */
    int64_t deadline_ns;
    void (*fire)(struct whorl_timer *timer); /* must not suspend; the timer is disarmed already */
    uint32_t slot;                           /* private to the wheel */
    bool background;                         /* see whorl_timer_arm_background() */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Arms a timer of this run, or moves it when it is armed. A deadline in the past fires in the next
 * turn of the loop. Never suspends.
 */
WHORL_API void whorl_timer_arm(struct whorl_timer *timer, int64_t deadline_ns,
                               void (*fire)(struct whorl_timer *timer));

/**
 * Like whorl_timer_arm(), for housekeeping that no task waits for, such as closing what is only
 * kept for reuse. The timer does not keep the run from noticing a deadlock, so `fire` must not be
 * the only event that wakes a task.
 */
WHORL_API void whorl_timer_arm_background(struct whorl_timer *timer, int64_t deadline_ns,
                                          void (*fire)(struct whorl_timer *timer));

/** Disarms the timer; does nothing when it is not armed. Never suspends. */
WHORL_API void whorl_timer_disarm(struct whorl_timer *timer);

#ifdef __cplusplus
}
#endif

#endif
