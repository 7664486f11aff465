/* SPDX-License-Identifier: MIT */
/* The workloads. */
#ifndef STRESS_WORKLOADS_H
#define STRESS_WORKLOADS_H

#include <stdbool.h>
#include <stddef.h>

#include <whorl/task.h>

struct workload {
    const char *name;
    const char *what; /* description for --help */
    bool needs_io;
    size_t tasks_max; /* larger sizes are left out; 0 means no limit */
    whorl_task_fn root;
};

extern const struct workload workloads[];
extern const size_t workloads_count;

#endif
