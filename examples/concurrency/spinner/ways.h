/* SPDX-License-Identifier: MIT */
/* All ways to turn a spinner while a slow call runs. */
#ifndef MODELS_SPINNER_WAYS_H
#define MODELS_SPINNER_WAYS_H

#include "spinner.h"

/* A way to do it. Turns the spinner until the answer is found, which takes `slow_ms`. Returns the
 * answer or a negative code. */
typedef int (*spinner_fn)(struct spinner *spinner, int slow_ms);

int spinner_thread(struct spinner *spinner, int slow_ms);
int spinner_process(struct spinner *spinner, int slow_ms);
int spinner_task(struct spinner *spinner, int slow_ms);
int spinner_blocked(struct spinner *spinner, int slow_ms);   /* a task that blocks the thread */
int spinner_offloaded(struct spinner *spinner, int slow_ms); /* the same call on another thread */

#endif
