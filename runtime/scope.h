/* SPDX-License-Identifier: MIT */
/* Opening and closing the scopes of groups and runs. */
#ifndef RUNTIME_SCOPE_H
#define RUNTIME_SCOPE_H

#include <whorl/scope.h>

#include "runtime/sched.h"

/* Opens a scope whose timer, deadline_ns and flags up to `is_group` are set. */
void scope_open(struct whorl_scope *scope, struct whorl_scope *parent, struct whorl_task *owner);

void scope_close(struct whorl_scope *scope);

/* Requests a stop of all tasks in the scope and in the scopes inside it; see whorl_group_stop(). */
void scope_request_stop(struct sched *s, struct whorl_scope *scope);

#endif
