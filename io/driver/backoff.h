/* SPDX-License-Identifier: MIT */
/* Delays that double. They say when to retry an operation that no event announces. */
#ifndef IO_DRIVER_BACKOFF_H
#define IO_DRIVER_BACKOFF_H

#include <stdint.h>

/* Zeroed at first. */
struct backoff {
    int64_t at_ns; /* when the next try is due */
    int64_t delay_ns;
};

/* Sets the time of the next try: the delay is twice the last one, within the limits. When the last
 * try was longer ago than `max_ns`, that series is over, and the delay is `min_ns` again. */
static inline void backoff_next(struct backoff *backoff, int64_t now_ns, int64_t min_ns,
                                int64_t max_ns)
{
    int64_t delay_ns = backoff->delay_ns * 2;

    if (delay_ns == 0 || now_ns - backoff->at_ns > max_ns)
        delay_ns = min_ns;
    else if (delay_ns > max_ns)
        delay_ns = max_ns;
    backoff->delay_ns = delay_ns;
    backoff->at_ns = now_ns + delay_ns;
}

#endif
