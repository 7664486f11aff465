/* SPDX-License-Identifier: MIT */
/* The few macros and the notion of time that every other whorl header builds on.
 *
 * All time is `int64_t` nanoseconds on the run's own monotonic clock, so `2 * WHORL_SECOND` is a
 * length and `whorl_after(2 * WHORL_SECOND)` the instant two seconds from now.
 */
#ifndef WHORL_BASE_H
#define WHORL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Exported from the shared library. */
#define WHORL_API __attribute__((visibility("default")))

/* The result must be looked at. */
#define WHORL_CHECKED __attribute__((warn_unused_result))

/* Marks every function that may switch tasks. The marker means four things at once: other tasks may
 * run before it returns; it is a cancel point on every call, also when it would not have had to
 * wait; it can return -ECANCELED; its result must be looked at. Between two such calls nothing else
 * runs on this thread, so plain data needs no lock. */
#define WHORL_SUSPENDS

/* Declares a variable that is released when its block is left, on every path:
 *
 *     WHORL_AUTO(group) group = {0};
 *     WHORL_AUTO(http_response) *response = NULL;
 */
#define WHORL_AUTO(type) __attribute__((cleanup(whorl_auto_##type))) struct whorl_##type

#define WHORL_NANOSECOND  ((int64_t)1)
#define WHORL_MICROSECOND ((int64_t)1000)
#define WHORL_MILLISECOND ((int64_t)1000000)
#define WHORL_SECOND      ((int64_t)1000000000)
#define WHORL_MINUTE      (60 * WHORL_SECOND)
#define WHORL_HOUR        (60 * WHORL_MINUTE)

/* A deadline that never comes. */
#define WHORL_FOREVER INT64_MAX

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The current instant of this run's clock (CLOCK_MONOTONIC, or virtual time in a virtual run).
 * Outside a run it is CLOCK_MONOTONIC. Never suspends.
 */
WHORL_API int64_t whorl_now(void);

/**
 * The instant `delay_ns` from now, saturating: a negative delay is now, a huge one WHORL_FOREVER.
 */
WHORL_API int64_t whorl_after(int64_t delay_ns);

#ifdef __cplusplus
}
#endif

#endif
