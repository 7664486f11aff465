/* SPDX-License-Identifier: MIT */
/* Observers of a run. The functions named after an event report it to the observers, and may be
 * called only while s->trace is not NULL. The scheduler, which does not know this module, reports
 * that a task runs or stops through the pointers in struct sched_trace. */
#ifndef RUNTIME_DEBUG_TRACE_H
#define RUNTIME_DEBUG_TRACE_H

#include <whorl/trace.h>

#include "runtime/sched.h"

void trace_spawned(struct sched *s, struct whorl_task *task);
void trace_ends(struct sched *s, struct whorl_task *task, int result);
void trace_loop_waits(struct sched *s);
void trace_run_ends(struct sched *s, int result); /* also frees all observers */

/* Adds an observer. Returns 0 or -ENOMEM. */
int trace_start(struct sched *s, whorl_trace_fn fn, void *arg);

#endif
