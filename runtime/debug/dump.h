/* SPDX-License-Identifier: MIT */
/* Reports of all tasks of a run. */
#ifndef RUNTIME_DEBUG_DUMP_H
#define RUNTIME_DEBUG_DUMP_H

#include <stdio.h>

#include "runtime/sched.h"

#define DUMP_TASKS_MAX 1000

/* Writes at most DUMP_TASKS_MAX tasks, each with its name and what it waits for. */
void dump_tasks(struct sched *s, FILE *to, const char *title);

/* For functions that describe a wait: the name of a task that may have ended while it still held
 * the object. */
const char *dump_name_of(const struct whorl_task *task);

#endif
