/* SPDX-License-Identifier: MIT */
/* One run of a workload, and its measurements. */
#ifndef STRESS_RUN_H
#define STRESS_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "tools/stress/histogram.h"

/* One run of a workload with `tasks` tasks. It has its own process. */
struct run {
    size_t tasks;
    size_t small_stack_size;     /* 0: guarded stacks */
    uint64_t ops;                /* operations done */
    uint64_t sum, expected;      /* must be equal at the end */
    int64_t wall_ns;             /* duration of the measured part */
    int64_t cpu_ns;              /* user and system time of the measured part */
    int64_t bytes_per_task;      /* memory while all tasks exist; -1 when it is not measured */
    struct histogram latency;    /* time from the wake-up of a task until it runs */
    volatile uint64_t *progress; /* operations done so far, shared with the parent */
    int err;                     /* result of the run */
};

/* Start and end the measured part. */
void run_begin(struct run *run);
void run_end(struct run *run);

#endif
