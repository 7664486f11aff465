/* SPDX-License-Identifier: MIT */
/* WHORL_DEBUG=trace=FILE. */
#ifndef RUNTIME_DEBUG_TRACE_FILE_H
#define RUNTIME_DEBUG_TRACE_FILE_H

struct sched;

/* Starts to observe the run when the variable asks for it. */
void trace_file_start(struct sched *s);

#endif
