/* SPDX-License-Identifier: MIT */
/* What the parts of whorl-stress share: a workload, what it measures, and how that is shown. */
#ifndef STRESS_H
#define STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <whorl/base.h>

/* --- histogram.c ------------------------------------------------------------------------------ */

/* Counts of durations in buckets a 32nd of a power of two wide: 3 % exact from 1 ns to hours. */
#define HISTOGRAM_BUCKETS 1280

struct histogram {
    uint64_t total;
    uint32_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, int64_t duration_ns);

/* The duration that `percent` of those added do not exceed; 0 for an empty one. */
int64_t histogram_percentile(const struct histogram *histogram, double percent);

/* --- workloads.c, echo.c ------------------------------------------------------------------------ */

/* One run of a workload with so many tasks, in a process of its own. */
struct run {
    size_t tasks;
    uint64_t ops;                /* done */
    uint64_t sum, expected;      /* must come out equal */
    int64_t wall_ns;             /* of the measured part */
    int64_t cpu_ns;              /* user and system, of the same part */
    int64_t bytes_per_task;      /* memory when all tasks were there; -1: not measured */
    struct histogram latency;    /* from being woken to running */
    volatile uint64_t *progress; /* shared with the parent: ops done so far */
    int err;                     /* of the run */
};

struct workload {
    const char *name;
    const char *what; /* for --help */
    bool needs_io;
    size_t tasks_max; /* larger sizes are left out; 0: none */
    int (*root)(void *run);
};

extern const struct workload workloads[];
extern const size_t workloads_count;

WHORL_SUSPENDS int stress_echo(void *run);

/* Starts and ends the measured part. */
void run_begin(struct run *run);
void run_end(struct run *run);

/* Resident memory of this process in bytes. */
int64_t stress_rss(void);

/* --- report.c, plot.c --------------------------------------------------------------------------- */

/* What the parent keeps of a run. */
struct result {
    const struct workload *workload;
    size_t tasks;
    uint64_t ops;
    double wall_s, cpu_ns_per_op;
    int64_t p50_ns, p99_ns, bytes_per_task, peak_rss;
    char error[160]; /* "": it ran and its sums are right */
};

void report_header(FILE *to);
void report_row(FILE *to, const struct result *result);
void report_json(FILE *to, const struct result *result);

/* Draws cost per operation over the number of tasks, a curve a workload. 0 or -errno. */
int plot_write(const char *path, const struct result *results, size_t count);

#endif
