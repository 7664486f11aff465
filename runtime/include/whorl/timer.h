/* SPDX-License-Identifier: MIT */
/* For implementers of things that end by themselves: timers, which call a function at an instant.
 *
 * Users sleep (task.h), set deadlines (scope.h) or tick (interval.h).
 *
 *     static void expire(struct whorl_timer *timer)
 *     {
 *         struct entry *entry = (struct entry *)((char *)timer - offsetof(struct entry, timer));
 *         whorl_wake(entry->waiter, -ETIMEDOUT);
 *     }
 *
 *     whorl_timer_arm(&entry->timer, whorl_after(WHORL_SECOND), expire);
 *     ...
 *     whorl_timer_disarm(&entry->timer);
 */
#ifndef WHORL_TIMER_H
#define WHORL_TIMER_H

#include <whorl/base.h>

/* An instant at which something is called. Fires at most once for each arming; arming and disarming
 * cost a few nanoseconds whatever the number of timers. Zero-initialised is disarmed. */
struct whorl_timer {
    struct whorl_timer *next, *prev; /* NULL while disarmed */
    int64_t deadline_ns;
    void (*fire)(struct whorl_timer *timer); /* must not suspend; the timer is disarmed already */
    uint32_t slot;                           /* private to the wheel */
};

#ifdef __cplusplus
extern "C" {
#endif

/** Arms (or moves) a timer of this run. A deadline in the past fires at the next turn of the loop. */
WHORL_API void whorl_timer_arm(struct whorl_timer *timer, int64_t deadline_ns,
                               void (*fire)(struct whorl_timer *timer));

/** Disarms; nothing happens when it is not armed. */
WHORL_API void whorl_timer_disarm(struct whorl_timer *timer);

#ifdef __cplusplus
}
#endif

#endif
