/* SPDX-License-Identifier: MIT */
/* Stopping politely: tasks are asked to finish before they are cancelled.
 *
 * A request to stop is made for a group. It reaches the tasks of the group and those of all groups
 * inside it. A task asks whorl_stop_requested(), waits in whorl_stop_wait_requested(), or selects
 * on whorl_case_stop().
 *
 *     static int serve(void *arg)
 *     {
 *         int err = 0;
 *
 *         while (!whorl_stop_requested() && err == 0)
 *             err = serve_one(arg);
 *         return err;
 *     }
 *
 *     static WHORL_SUSPENDS int serve_until(struct whorl_event *quit, struct server *server)
 *     {
 *         WHORL_AUTO(group) group = {0};
 *         struct whorl_case cases[] = {whorl_case_event(quit), whorl_case_group(&group)};
 *
 *         int err = whorl_spawn(&group, serve, server);
 *         if (err)
 *             return err;
 *         int taken = whorl_select(cases, 2);         // 1: serve() has failed or returned
 *         return taken < 0 ? taken : whorl_group_stop(&group, 5 * WHORL_SECOND);
 *     }
 *
 * Any task of the run may stop a group, also while the owner waits for it.
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
 * Asks the tasks of the group to finish, waits for them for `grace_ns`, cancels those that have not
 * ended, and waits until all have ended. A group without tasks is not asked. In the owner this is
 * also a whorl_group_wait(); if another task calls it, the owner still has to wait.
 *
 * Returns:  as whorl_group_wait(); -ETIMEDOUT when tasks had to be cancelled and none failed for
 *           another reason.
 * Suspends: until the last task has ended.
 * Cancel:   -ECANCELED, unless a task failed for another reason. The grace period ends: the tasks
 *           are cancelled at once, and the call waits for their end.
 */
WHORL_API WHORL_SUSPENDS int whorl_group_stop(struct whorl_group *group, int64_t grace_ns);

/**
 * Asks the tasks of the group to finish, and does not wait or cancel. Tasks that are spawned later
 * find the request, until the owner has waited for the group. That is also so when the group has no
 * task at the time of the call. Never suspends.
 */
WHORL_API void whorl_group_request_stop(struct whorl_group *group);

/**
 * Whether the running task has been asked to finish, through its group or a group around it. Never
 * suspends.
 */
WHORL_API bool whorl_stop_requested(void);

/**
 * Waits until the running task is asked to finish.
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: until asked.
 * Cancel:   -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_stop_wait_requested(void);

/** The running task being asked to finish, for whorl_select(). The case's result is 0. The task
 *  that makes the case must be the one that selects. */
WHORL_API struct whorl_case whorl_case_stop(void);

#ifdef __cplusplus
}
#endif

#endif
