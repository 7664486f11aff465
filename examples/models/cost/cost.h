/* SPDX-License-Identifier: MIT */
/* What a worker costs that has nothing to do: a task, a thread, a process. */
#ifndef MODELS_COST_H
#define MODELS_COST_H

#include <stdint.h>

struct cost {
    double start_ns;   /* to start one and wait for its end */
    double idle_bytes; /* what one has in memory while it waits */
};

/* Starts and ends `count` workers one by one, then has them all wait at the same time. 0 or a negative
 * code. Each is to be called in a process of its own. */
typedef int (*cost_fn)(int count, struct cost *ret);

int cost_task(int count, struct cost *ret);
int cost_thread(int count, struct cost *ret);
int cost_process(int count, struct cost *ret);

int64_t cost_now_ns(void);

/* What this process has in memory. */
double cost_resident_bytes(void);

#endif
