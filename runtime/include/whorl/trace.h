/* SPDX-License-Identifier: MIT */
/* Looking into a run: what its tasks are doing, and which of them hold it up.
 *
 * Two reports come by themselves: every task waiting on another (run.h) and a stack overflow. The
 * watchdog is switched on by an option of the run or, without rebuilding, by the environment:
 *
 *     WHORL_DEBUG=watchdog           report tasks that keep the thread for more than 100 ms
 *     WHORL_DEBUG=watchdog=20        the same for 20 ms
 *     WHORL_DEBUG=io                 say which I/O driver runs, and why
 *
 * Several are separated by commas. Reports go to standard error.
 */
#ifndef WHORL_TRACE_H
#define WHORL_TRACE_H

#include <stdio.h>

#include <whorl/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Writes a line for each task of this run: its number, its name, what it waits for and from where it
 * was spawned; then any circle of tasks that wait for each other. At most 1,000 tasks. Never suspends.
 */
WHORL_API void whorl_dump_tasks(FILE *to);

#ifdef __cplusplus
}
#endif

#endif
