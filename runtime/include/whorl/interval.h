/* SPDX-License-Identifier: MIT */
/* Intervals: ticks that repeat without drift.
 *
 * The ticks are at fixed instants, one period apart. Neither long work between two waits nor a late
 * wake-up moves a later tick. Ticks that pass while the task is busy are counted, not repeated.
 *
 *     static int sample_each_second(void *arg)
 *     {
 *         struct whorl_interval second;
 *         int64_t n;
 *
 *         whorl_interval_init(&second, WHORL_SECOND);
 *         while ((n = whorl_interval_wait(&second)) > 0)
 *             sample(arg, n);                              // n > 1: ticks were missed
 *         return (int)n;
 *     }
 */
#ifndef WHORL_INTERVAL_H
#define WHORL_INTERVAL_H

#include <whorl/base.h>
#include <whorl/select.h>

/* A plain value, which needs no destructor. One task at a time may use it. */
struct whorl_interval {
    int64_t period_ns; /* at least 1 */
    int64_t next_ns;   /* the earliest tick that was not returned yet */
};

#ifdef __cplusplus
extern "C" {
#endif

/** Sets the first tick `period_ns` from now; a period below 1 counts as 1. Never suspends. */
WHORL_API void whorl_interval_init(struct whorl_interval *interval, int64_t period_ns);

/** Like whorl_interval_init(), with the first tick at the instant `first_ns`. Never suspends. */
WHORL_API void whorl_interval_init_at(struct whorl_interval *interval, int64_t first_ns,
                                      int64_t period_ns);

/**
 * Waits for the next tick. A tick that has passed already is returned without waiting.
 *
 * Returns:  how many ticks have passed since the last one that was returned: 1, or more when ticks
 *           were missed; WHORL_ENOTASK.
 * Suspends: until the tick.
 * Cancel:   -ECANCELED; no tick is lost.
 */
WHORL_API WHORL_SUSPENDS int64_t whorl_interval_wait(struct whorl_interval *interval);

/** A case for whorl_select(), ready at the next tick. The case's result is that of
 *  whorl_interval_wait(), but at most INT_MAX. */
WHORL_API struct whorl_case whorl_case_interval(struct whorl_interval *interval);

#ifdef __cplusplus
}
#endif

#endif
