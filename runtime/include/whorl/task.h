/* SPDX-License-Identifier: MIT */
/* Tasks: functions with stacks of their own, which take turns on one thread (stackful coroutines).
 *
 * A task runs until it calls a function marked WHORL_SUSPENDS that has to wait. Then the task runs
 * that has been ready for the longest time. Tasks are started in groups only (group.h), so none
 * outlives the function that started it.
 *
 *     static int tick(void *arg)
 *     {
 *         for (int i = 0; i < 3; i++) {
 *             puts(arg);
 *             int err = whorl_sleep(WHORL_SECOND);
 *             if (err)
 *                 return err;
 *         }
 *         return 0;
 *     }
 *
 *     static WHORL_SUSPENDS int tick_twice(void)
 *     {
 *         WHORL_AUTO(group) group = {0};
 *
 *         int err = whorl_spawn(&group, tick, "a");
 *         if (err == 0)
 *             err = whorl_spawn(&group, tick, "b");
 *         return err ? err : whorl_group_wait(&group);
 *     }
 */
#ifndef WHORL_TASK_H
#define WHORL_TASK_H

#include <whorl/base.h>

/* The function that a task runs. It returns 0 or a negative code. Data goes through `arg`, a
 * channel or a future.
 *
 * In C++ it may throw and catch exceptions, and it may suspend in handlers. An exception that
 * leaves it ends the process. No exception may pass through a function of this library. */
typedef WHORL_SUSPENDS int (*whorl_task_fn)(void *arg);

struct whorl_task;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Lets every task that is ready now run once, then continues.
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: always, unless cancelled.
 * Cancel:   -ECANCELED at once; no other task runs before.
 */
WHORL_API WHORL_SUSPENDS int whorl_yield(void);

/**
 * Waits for `duration_ns`. A duration of 0 or less is a whorl_yield().
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: until the time has passed.
 * Cancel:   -ECANCELED at once.
 */
WHORL_API WHORL_SUSPENDS int whorl_sleep(int64_t duration_ns);

/**
 * Waits until the run's clock shows `deadline_ns`; with WHORL_FOREVER, until cancelled.
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: until the instant has come.
 * Cancel:   -ECANCELED at once.
 */
WHORL_API WHORL_SUSPENDS int whorl_sleep_until(int64_t deadline_ns);

/**
 * Tells whether the running task is cancelled. For loops that compute for long without a suspending
 * call. Never suspends, and takes a few nanoseconds.
 *
 * A deadline that passes while the task computes is noticed here, although the run's loop has no
 * turn meanwhile: at the latest 10 ms after the deadline.
 *
 * On a thread of an offload pool (offload.h) it tells whether the work that the thread runs is
 * cancelled. So one function can be called in both places.
 *
 * Returns: -ECANCELED when one of the scopes that the task is in is cancelled, or when the
 *          offloaded work is; else 0, also outside a task.
 */
WHORL_API WHORL_CHECKED int whorl_check_cancelled(void);

/** Returns the running task, which is valid until the task ends; NULL outside a task. */
WHORL_API struct whorl_task *whorl_task_self(void);

/**
 * Returns the task's number, which no other task of the run has or will have; 0 for NULL. The root
 * task is number 1.
 */
WHORL_API uint64_t whorl_task_id(const struct whorl_task *task);

/**
 * Returns the name that whorl_task_set_name() gave the task, else the place where it was spawned,
 * such as "download at get.c:12". Valid until the task ends or is renamed.
 */
WHORL_API const char *whorl_task_name(const struct whorl_task *task);

/** Names the running task for reports. At most 31 bytes of `name` are copied; a longer name is cut,
 *  but not inside a character. NULL: the task has no name of its own. Never suspends. */
WHORL_API void whorl_task_set_name(const char *name);

/** Returns how many bytes of stack the running task has left below the current frame; 0 outside a
 *  task. */
WHORL_API size_t whorl_task_stack_left(void);

#ifdef __cplusplus
}
#endif

#endif
