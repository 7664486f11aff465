/* SPDX-License-Identifier: MIT */
/* Tasks: stackful coroutines that one thread runs by turns.
 *
 * A task is a function with a stack of its own. It runs until it calls something marked
 * WHORL_SUSPENDS that has to wait; then the task that has been ready longest runs. Tasks start in
 * groups only (group.h), so that none outlives the one who is responsible for it.
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
 */
#ifndef WHORL_TASK_H
#define WHORL_TASK_H

#include <whorl/base.h>

/* A task's body. Returns 0 or a negative code; data goes through `arg`, a channel or a future. In
 * C++ it may throw and catch as it likes, and suspend in handlers; an exception that leaves it ends
 * the process, and none may pass through a function of this library. */
typedef WHORL_SUSPENDS int (*whorl_task_fn)(void *arg);

struct whorl_task;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Lets every task that is ready now run once before going on.
 *
 * Returns:  0; WHORL_ENOTASK outside a task.
 * Suspends: always, unless cancelled.
 * Cancel:   -ECANCELED without giving way.
 */
WHORL_API WHORL_SUSPENDS int whorl_yield(void);

/**
 * Waits `duration_ns` (0 or less: like whorl_yield()).
 *
 * Returns:  0; WHORL_ENOTASK outside a task.
 * Suspends: until the time has passed.
 * Cancel:   -ECANCELED at once.
 */
WHORL_API WHORL_SUSPENDS int whorl_sleep(int64_t duration_ns);

/**
 * Waits until the run's clock shows `deadline_ns`; with WHORL_FOREVER until cancelled.
 *
 * Returns:  0; WHORL_ENOTASK outside a task.
 * Suspends: until the instant has come.
 * Cancel:   -ECANCELED at once.
 */
WHORL_API WHORL_SUSPENDS int whorl_sleep_until(int64_t deadline_ns);

/**
 * 0 while the running task may go on, -ECANCELED once a scope it stands in is cancelled. Never
 * suspends. For loops that compute for long without any suspending call. Outside a task: 0.
 */
WHORL_API WHORL_CHECKED int whorl_check_cancelled(void);

/** The running task, or NULL outside a task. Valid until the task ends. */
WHORL_API struct whorl_task *whorl_task_self(void);

/** A number unique among the tasks of this run, never used again; 0 for NULL. The root task is 1. */
WHORL_API uint64_t whorl_task_id(const struct whorl_task *task);

/**
 * The task's name: what whorl_task_set_name() gave it, else the spawn site ("download at
 * get.c:12"). Valid until the task ends or is renamed.
 */
WHORL_API const char *whorl_task_name(const struct whorl_task *task);

/**
 * Names the running task for reports. At most 31 bytes are kept. Copies `name`.
 */
WHORL_API void whorl_task_set_name(const char *name);

/** Bytes of stack the running task has left below the current frame; 0 outside a task. */
WHORL_API size_t whorl_task_stack_left(void);

#ifdef __cplusplus
}
#endif

#endif
