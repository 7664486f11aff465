/* SPDX-License-Identifier: MIT */
/* Rate limiters: token buckets that limit how often the tasks of one run do something.
 *
 * A bucket holds up to `burst` tokens and is full at first. It gains `rate` tokens per period, one
 * after the other. A task takes tokens before it does something: one for a request, or one for each
 * byte. When there are not enough, it waits. Tasks get their tokens in the order of their arrival,
 * so a task that needs many tokens is not overtaken by tasks that need few.
 *
 *     static struct whorl_limiter requests = {.rate = 100, .burst = 20};     // 100 a second
 *
 *     static WHORL_SUSPENDS int fetch_politely(const char *url)
 *     {
 *         int err = whorl_limiter_acquire(&requests, 1);
 *         return err ? err : fetch(url);
 *     }
 *
 * The limiter needs no destructor. It waits on the run's clock, so tests can use virtual time.
 */
#ifndef WHORL_LIMITER_H
#define WHORL_LIMITER_H

#include <whorl/base.h>
#include <whorl/sync.h>
#include <whorl/timer.h>

/* Zero-initialised is valid and limits nothing. The first part may be set by the user, before the
 * first use; the second is private. */
struct whorl_limiter {
    uint64_t rate;     /* tokens per period; 0: no limit */
    uint64_t burst;    /* tokens that the bucket holds; 0: one */
    int64_t period_ns; /* 0: one second */
    const char *name;  /* static text for reports */

    uint64_t missing;         /* tokens until the bucket is full */
    uint64_t part;            /* of the next token, in units of 1 / period_ns */
    int64_t filled_ns;        /* the instant that `missing` and `part` are valid for */
    struct whorl_timer timer; /* armed for the first waiter */
    struct whorl_wait_queue waiters;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Takes `n` tokens.
 *
 * Returns:  0; -EINVAL when `n` is more than the bucket holds; WHORL_ENOTASK.
 * Suspends: until the bucket has `n` tokens and all earlier tasks have got theirs.
 * Cancel:   -ECANCELED; no token is taken. If the tokens were already given to the task, 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_limiter_acquire(struct whorl_limiter *limiter, uint64_t n);

/**
 * Takes `n` tokens if the bucket has them and no task waits. Never suspends.
 *
 * Returns: 0; -EAGAIN when whorl_limiter_acquire() would wait; -EINVAL when `n` is more than the
 *          bucket holds.
 */
WHORL_API WHORL_CHECKED int whorl_limiter_try_acquire(struct whorl_limiter *limiter, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif
