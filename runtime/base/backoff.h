/* SPDX-License-Identifier: MIT */
/* Delays that double. They say when to retry an operation that no event announces. */
#ifndef RUNTIME_BASE_BACKOFF_H
#define RUNTIME_BASE_BACKOFF_H

#include <stdint.h>

/* Returns the delay that follows `delay_ns`: twice as long, within the limits. After 0, which means
 * that there was none, it is `min_ns`. */
static inline int64_t backoff_longer(int64_t delay_ns, int64_t min_ns, int64_t max_ns)
{
    if (delay_ns == 0)
        return min_ns;
    return delay_ns < max_ns / 2 ? delay_ns * 2 : max_ns;
}

/* A series of tries at certain times. Zeroed at first. */
struct backoff {
    int64_t at_ns; /* when the next try is due */
    int64_t delay_ns;
};

/* Sets the time of the next try. When the last try was longer ago than `max_ns`, that series is
 * over, and the delay is `min_ns` again. */
static inline void backoff_next(struct backoff *backoff, int64_t now_ns, int64_t min_ns,
                                int64_t max_ns)
{
    if (now_ns - backoff->at_ns > max_ns)
        backoff->delay_ns = 0;
    backoff->delay_ns = backoff_longer(backoff->delay_ns, min_ns, max_ns);
    backoff->at_ns = now_ns + backoff->delay_ns;
}

#endif
