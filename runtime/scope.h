/* SPDX-License-Identifier: MIT */
/* Opening and closing the scopes of groups and runs. */
#ifndef RUNTIME_SCOPE_H
#define RUNTIME_SCOPE_H

#include <whorl/scope.h>

#include "runtime/sched.h"

/* What the scope of a group does for the tasks of the group. */
struct whorl_scope_ops {
    /* Aborts the waits of the tasks whose innermost scope is `scope`. */
    void (*abort_waits)(struct sched *s, struct whorl_scope *scope);
    /* Wakes the tasks that wait for the request to stop. */
    void (*stop)(struct whorl_scope *scope);
};

/* Opens a scope whose timer, ops, deadline_ns and `shielded` are set. */
void scope_open(struct whorl_scope *scope, struct whorl_scope *parent, struct whorl_task *owner);

/* Disarms the deadline and removes the scope from its parent. */
void scope_close(struct whorl_scope *scope);

/* Requests a stop of all tasks in the scope and in the scopes inside it; see whorl_group_stop(). */
void scope_request_stop(struct sched *s, struct whorl_scope *scope);

/* Cancels the scopes of the running task whose deadlines have passed, although the loop has not had
 * a turn since. Looks at most once per tick of the kernel's clock. */
void scope_notice_deadlines(struct sched *s, struct whorl_task *task);

#endif
