/* SPDX-License-Identifier: MIT */
/* Reports of all tasks of a run. */
#ifndef RUNTIME_DEBUG_DUMP_H
#define RUNTIME_DEBUG_DUMP_H

#include <stdio.h>

#include "runtime/sched.h"

#define DUMP_TASKS_MAX 1000

/* Writes to standard error where a check has failed: the running task if `task` is NULL, else
 * another task that the failure concerns. See base/check.h. */
void dump_for_check(const struct whorl_task *task);

/* Writes at most DUMP_TASKS_MAX tasks, each with its name and what it waits for. */
void dump_tasks(struct sched *s, FILE *to, const char *title);

/* For functions that describe a wait: the name of a task that may have ended while it still held
 * the object. */
const char *dump_name_of(const struct whorl_task *task);

/* Returns the task whose action would end the wait of `task`; NULL when there is not exactly one,
 * or when `task` does not wait. */
struct whorl_task *dump_holder_of(const struct whorl_task *task);

/* Returns the number of tasks in the circle of waits that leads from `task` back to it; 0 when
 * there is none. */
size_t dump_circle_length(struct whorl_task *task);

/* Writes `title` and the circle of `length` tasks that begins with `task`. */
void dump_circle(FILE *to, const char *title, struct whorl_task *task, size_t length);

#endif
