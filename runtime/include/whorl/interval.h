/* SPDX-License-Identifier: MIT */
/* Intervals: ticks that repeat without drift.
 *
 *     struct whorl_interval second;
 *     int64_t n;
 *
 *     whorl_interval_init(&second, WHORL_SECOND);
 *     while ((n = whorl_interval_wait(&second)) > 0)
 *         sample(n);                                    // n > 1: some were missed
 *
 * The ticks lie on a grid that begins when the interval is made. Neither long work between two waits
 * nor a late wake-up moves the next tick.
 */
#ifndef WHORL_INTERVAL_H
#define WHORL_INTERVAL_H

#include <whorl/base.h>
#include <whorl/select.h>

/* A plain value; needs no destructor. Used by one task at a time. */
struct whorl_interval {
    int64_t period_ns; /* at least 1 */
    int64_t next_ns;   /* the earliest tick that was not returned yet */
};

#ifdef __cplusplus
extern "C" {
#endif

/** The first tick is `period_ns` from now; less than a nanosecond counts as one. Never suspends. */
WHORL_API void whorl_interval_init(struct whorl_interval *interval, int64_t period_ns);

/** Puts the ticks on a grid through `first_ns`, which is the first. Never suspends. */
WHORL_API void whorl_interval_init_at(struct whorl_interval *interval, int64_t first_ns,
                                      int64_t period_ns);

/**
 * Waits for the next tick, if it has not passed yet.
 *
 * Returns:  how many ticks have passed since the last one returned: 1, or more when some were missed;
 *           WHORL_ENOTASK.
 * Suspends: until the tick.
 * Cancel:   -ECANCELED; no tick is lost.
 */
WHORL_API WHORL_SUSPENDS int64_t whorl_interval_wait(struct whorl_interval *interval);

/** The tick, for whorl_select(). Result: how many, as whorl_interval_wait() but at most INT_MAX. */
WHORL_API struct whorl_case whorl_case_interval(struct whorl_interval *interval);

#ifdef __cplusplus
}
#endif

#endif
