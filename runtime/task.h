/* SPDX-License-Identifier: MIT */
/* Making tasks. */
#ifndef RUNTIME_TASK_H
#define RUNTIME_TASK_H

#include "runtime/sched.h"

/* Makes a task that runs fn(arg), or fn with a copy of `copy_size` bytes at `arg`. The caller sets
 * its group, scope, `ended` and site and makes it ready. */
struct whorl_task *task_create(struct sched *s, size_t stack_size, whorl_task_fn fn, void *arg,
                               size_t copy_size);

/* Sets the task's own name, which is copied and cut if it is too long. "": the task has none. */
void task_set_name(struct whorl_task *task, const char *name);

#endif
