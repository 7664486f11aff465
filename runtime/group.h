/* SPDX-License-Identifier: MIT */
/* Groups, for the files of the runtime that open them. */
#ifndef RUNTIME_GROUP_H
#define RUNTIME_GROUP_H

#include <whorl/group.h>

#include "runtime/sched.h"

/* Opens a group in the scope `parent`. The running task owns it; NULL in the loop. */
void group_open(struct whorl_group *group, struct whorl_scope *parent);

#endif
