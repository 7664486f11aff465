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

/* Notes that whorl-check-suspends reads. Only clang keeps them. */
#if defined(__clang__) && !defined(WHORL_NO_ANNOTATE)
#define WHORL_ANNOTATE(text) __attribute__((annotate(text)))
#else
#define WHORL_ANNOTATE(text)
#endif

/* Marks every function that may switch tasks, at each declaration and at the definition. The marker
 * means four things at once: other tasks may run before it returns; it is a cancel point on every
 * call, also when it does not have to wait; it can return -ECANCELED; its result must be looked at.
 * Between two such calls nothing else runs on this thread, so plain data needs no lock.
 *
 * A field, parameter or variable that points to such a function carries the marker, too. So does a
 * typedef of function pointers, such as whorl_task_fn: a function that is passed as one may suspend
 * without a marker of its own. */
#define WHORL_SUSPENDS WHORL_CHECKED WHORL_ANNOTATE("whorl_suspends")

/* Marks a function that may switch tasks but never reports a cancellation, such as a close or a join
 * that is shielded. Its result may be ignored. Functions that return void carry this one. */
#define WHORL_SUSPENDS_SHIELDED WHORL_ANNOTATE("whorl_suspends_shielded")

/* Declares a variable that is released when its block is left, on every path:
 *
 *     WHORL_AUTO(group) group = {0};
 *     WHORL_AUTO(http_response) *response = NULL;
 */
#define WHORL_AUTO(type)                        \
    __attribute__((cleanup(whorl_auto_##type))) \
    WHORL_ANNOTATE("whorl_at_exit:whorl_auto_" #type) struct whorl_##type

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
