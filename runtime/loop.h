/* SPDX-License-Identifier: MIT */
/* The loop of a run. */
#ifndef RUNTIME_LOOP_H
#define RUNTIME_LOOP_H

#include "runtime/sched.h"

/* Runs until the root task and all daemons have ended. Returns the run's result. */
int loop_run(struct sched *s);

/* Runs the loop for at most `turns` turns, without waiting, until no task is ready. Returns true
 * and the result when the run has ended; otherwise loop_deadline() says when to continue. */
bool loop_step(struct sched *s, unsigned turns, int *ret_result);

/* The instant at which to call loop_step() again. 0: at once; WHORL_FOREVER: when the poller has an
 * event. */
int64_t loop_deadline(struct sched *s);

#endif
