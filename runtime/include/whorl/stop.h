/* SPDX-License-Identifier: MIT */
/* Stopping politely: tasks are asked to finish before they are cancelled.
 *
 * A request is made for a group and reaches the tasks of groups inside it, too. A task looks at it
 * with whorl_stop_requested(), waits for it, or selects on it.
 *
 *     static int serve(void *arg)
 *     {
 *         int err = 0;
 *         while (!whorl_stop_requested() && err == 0)
 *             err = serve_one(arg);
 *         return err;
 *     }
 *
 *     err = whorl_spawn(&group, serve, &server);
 *     ...
 *     err = whorl_group_stop(&group, 5 * WHORL_SECOND);      // then the tasks are cancelled
 */
#ifndef WHORL_STOP_H
#define WHORL_STOP_H

#include <whorl/base.h>
#include <whorl/group.h>
#include <whorl/select.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Asks the tasks of the group to finish, gives them `grace_ns`, then cancels those still there, and
 * joins all. Asked tasks see it in whorl_stop_requested(), or wait for it.
 *
 * Returns:  as whorl_group_wait(); -ETIMEDOUT when some had to be cancelled and none failed
 *           otherwise.
 * Suspends: until the last task has ended.
 * Cancel:   the grace ends; the tasks are cancelled at once and joined.
 */
WHORL_API WHORL_SUSPENDS int whorl_group_stop(struct whorl_group *group, int64_t grace_ns);

/** Asks, as whorl_group_stop() does, without waiting or cancelling. Never suspends. */
WHORL_API void whorl_group_request_stop(struct whorl_group *group);

/** Whether the running task, or a group around it, has been asked to finish. Never suspends. */
WHORL_API bool whorl_stop_requested(void);

/**
 * Waits until the running task is asked to finish.
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: until asked.
 * Cancel:   -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_stop_wait_requested(void);

/** Being asked to finish, for whorl_select(). Result 0. Made and used by the same task. */
WHORL_API struct whorl_case whorl_case_stop(void);

#ifdef __cplusplus
}
#endif

#endif
