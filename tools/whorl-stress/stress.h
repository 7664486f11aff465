/* SPDX-License-Identifier: MIT */
/* The shared declarations of whorl-stress: workloads, their measurements, and their reports. */
#ifndef STRESS_H
#define STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <whorl/base.h>

/* --- histogram.c ------------------------------------------------------------------------------ */

/* Counts of durations. Each power of two has 32 buckets, so a value is exact to 3 % from 1 ns to
 * hours. */
#define HISTOGRAM_BUCKETS 1280

struct histogram {
    uint64_t total;
    uint32_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, int64_t duration_ns);

/* Returns the duration which `percent` of the added ones do not exceed, or 0 if there are none. */
int64_t histogram_percentile(const struct histogram *histogram, double percent);

/* --- workloads.c, echo.c ---------------------------------------------------------------------- */

/* One run of a workload with `tasks` tasks. It has its own process. */
struct run {
    size_t tasks;
    uint64_t ops;                /* operations done */
    uint64_t sum, expected;      /* must be equal at the end */
    int64_t wall_ns;             /* duration of the measured part */
    int64_t cpu_ns;              /* user and system time of the measured part */
    int64_t bytes_per_task;      /* memory while all tasks exist; -1 when it is not measured */
    struct histogram latency;    /* time from the wake-up of a task until it runs */
    volatile uint64_t *progress; /* operations done so far, shared with the parent */
    int err;                     /* result of the run */
};

struct workload {
    const char *name;
    const char *what; /* description for --help */
    bool needs_io;
    size_t tasks_max; /* larger sizes are left out; 0 means no limit */
    int (*root)(void *run);
};

extern const struct workload workloads[];
extern const size_t workloads_count;

WHORL_SUSPENDS int stress_echo(void *run);

/* Start and end the measured part. */
void run_begin(struct run *run);
void run_end(struct run *run);

/* Returns the resident memory of this process in bytes. */
int64_t stress_rss(void);

/* --- report.c, plot.c ------------------------------------------------------------------------- */

/* The result of a run, as the parent keeps it. */
struct result {
    const struct workload *workload;
    size_t tasks;
    uint64_t ops;
    double wall_s, cpu_ns_per_op;
    int64_t p50_ns, p99_ns, bytes_per_task, peak_rss;
    char error[160]; /* "" if the run succeeded and its sum is right */
};

void report_header(FILE *to);
void report_row(FILE *to, const struct result *result);
void report_json(FILE *to, const struct result *result);

/* Draws the cost per operation against the number of tasks, one curve per workload. Returns 0 or
 * -errno. */
int plot_write(const char *path, const struct result *results, size_t count);

#endif
