/* SPDX-License-Identifier: MIT */
/* Groups, for the files of the runtime that open them. */
#ifndef RUNTIME_GROUP_H
#define RUNTIME_GROUP_H

#include <whorl/group.h>

#include "runtime/sched.h"

void group_open(struct whorl_group *group, struct whorl_scope *parent);

/* Called when a task of the group has ended with `result`. */
void group_task_ended(struct sched *s, struct whorl_group *group, struct whorl_task *task,
                      int result);

#endif
