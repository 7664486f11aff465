/* SPDX-License-Identifier: MIT */
/* What every other whorl header builds on: markers for functions, units of time, and the clock.
 *
 * All time is `int64_t` nanoseconds. An instant is a reading of the run's monotonic clock;
 * parameters and fields that hold one are called `deadline_ns`, `at_ns` and so on. A length of time
 * is a product such as `2 * WHORL_SECOND`; whorl_after() makes an instant of it.
 *
 *     static WHORL_SUSPENDS int wait_for_file(const char *path)
 *     {
 *         int64_t deadline_ns = whorl_after(10 * WHORL_SECOND);
 *         int err = 0;
 *
 *         while (access(path, F_OK) != 0 && err == 0)
 *             err = whorl_now() < deadline_ns ? whorl_sleep(50 * WHORL_MILLISECOND) : -ETIMEDOUT;
 *         return err;
 *     }
 */
#ifndef WHORL_BASE_H
#define WHORL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Marks what the shared library exports. */
#define WHORL_API __attribute__((visibility("default")))

/* Marks a function whose result the caller must look at. */
#define WHORL_CHECKED __attribute__((warn_unused_result))

/* A note for whorl-check-suspends. Only clang keeps it. */
#if defined(__clang__) && !defined(WHORL_NO_ANNOTATE)
#define WHORL_ANNOTATE(text) __attribute__((annotate(text)))
#else
#define WHORL_ANNOTATE(text)
#endif

/* Marks every function that may switch tasks, at each declaration and at the definition. The marker
 * means four things at once:
 *
 *   - other tasks may run before the function returns;
 *   - the function is a cancel point: in a cancelled scope it does not wait for its condition, and
 *     it fails even if it would not have had to wait;
 *   - it reports this as -ECANCELED;
 *   - the caller must look at its result.
 *
 * The comment of a function says under `Cancel:` what a cancellation does. Some calls end normally
 * in a cancelled scope:
 *
 *   - a call for which the event has already happened, such as whorl_park() with a waiter that was
 *     woken, returns the event's result; the next call reports the cancellation;
 *   - whorl_group_wait() and whorl_group_stop() cancel the tasks of a group that was opened inside
 *     the scope, wait for their end and return the group's result;
 *   - whorl_flock() with LOCK_UN unlocks.
 *
 * An error that a function finds before it begins to wait, such as -EINVAL for a wrong argument or
 * WHORL_ENOTASK outside a task, is returned instead of -ECANCELED. whorl_chan_recv_next() returns a
 * bool, and stores the code.
 *
 * A function with neither this marker nor the next one never suspends. Outside a task, functions
 * such as whorl_run() may block the thread.
 *
 * Between two calls of such functions no other task of this thread runs, so plain data needs no
 * lock.
 *
 * A field, parameter or variable that points to such a function carries the marker, too. So does a
 * typedef of function pointers, such as whorl_task_fn: a function that is passed as one may suspend
 * without a marker of its own. A function pointer that is only called outside a run may point to
 * any function: mark it with WHORL_ANNOTATE("whorl_unchecked") before its type. */
#define WHORL_SUSPENDS WHORL_CHECKED WHORL_ANNOTATE("whorl_suspends")

/* Marks a function that may switch tasks but never reports a cancellation, such as a close or a
 * join that is shielded. Its result may be ignored. A function that suspends and returns void
 * carries this marker. */
#define WHORL_SUSPENDS_SHIELDED WHORL_ANNOTATE("whorl_suspends_shielded")

/* Declares a variable that is released when its block is left, on every path:
 *
 *     WHORL_AUTO(group) group = {0};
 *     WHORL_AUTO(chan) *chan = NULL;
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
 * Returns the current instant on this run's clock: CLOCK_MONOTONIC, or virtual time in a virtual
 * run. Outside a run the clock is CLOCK_MONOTONIC. Never suspends.
 */
WHORL_API int64_t whorl_now(void);

/**
 * Returns the instant that is `delay_ns` from now. A negative delay gives the present instant; a
 * sum that is too large gives WHORL_FOREVER. Never suspends.
 */
WHORL_API int64_t whorl_after(int64_t delay_ns);

#ifdef __cplusplus
}
#endif

#endif
