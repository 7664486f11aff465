/* SPDX-License-Identifier: MIT */
/* The cost of a worker that does nothing: a task, a thread or a process. */
#ifndef MODELS_COST_H
#define MODELS_COST_H

struct cost {
    double start_ns;   /* time to start one and wait for its end */
    double idle_bytes; /* memory of one while it waits */
};

/* Starts and ends `count` workers one after the other. Then it starts `count` workers that all wait
 * at the same time. Returns 0 or a negative code. Each call needs a process of its own. */
typedef int (*cost_fn)(int count, struct cost *ret);

int cost_task(int count, struct cost *ret);
int cost_thread(int count, struct cost *ret);
int cost_process(int count, struct cost *ret);

#endif
