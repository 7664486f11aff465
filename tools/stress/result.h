/* SPDX-License-Identifier: MIT */
/* The results of whorl-stress. */
#ifndef STRESS_RESULT_H
#define STRESS_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "tools/stress/workloads.h"

/* The result of a run, as the parent keeps it. */
struct result {
    const struct workload *workload;
    size_t tasks;
    size_t small_stack_size; /* 0: guarded stacks */
    uint64_t ops;
    double wall_s, cpu_ns_per_op;
    int64_t p50_ns, p99_ns, bytes_per_task, peak_rss;
    char error[160]; /* "" if the run succeeded and its sum is right */
};

#endif
