/* SPDX-License-Identifier: MIT */
/* Groups, for the files of the runtime that open them. */
#ifndef RUNTIME_GROUP_H
#define RUNTIME_GROUP_H

#include <whorl/group.h>

#include "runtime/sched.h"

/* Opens a group in the scope `parent`. The owner's wait closes it; NULL for the run's own group. */
void group_open(struct whorl_group *group, struct whorl_scope *parent, struct whorl_task *owner);

/* Whether the task belongs to the group, or to a group inside it. */
bool group_is_around(const struct whorl_group *group, const struct whorl_task *task);

/* Waits until the tasks of an open group have ended, and closes the group if the caller owns it.
 * `waiter` is memory of the caller; the function fills it. `abort` is called when the caller is
 * cancelled, while the waiter is in group->waiters. Returns the group's result; -ECANCELED when
 * `abort` has answered WHORL_ABORT_DONE, for which it sets the waiter's `data` to NULL; -EDEADLK
 * when the task would wait for itself. */
WHORL_SUSPENDS int group_join(struct whorl_group *group, struct whorl_waiter *waiter,
                              whorl_abort_fn abort);

#endif
