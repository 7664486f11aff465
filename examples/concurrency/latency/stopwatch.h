/* SPDX-License-Identifier: MIT */
/* Measures how long one of many equal operations takes.
 *
 *     struct stopwatch watch;
 *     stopwatch_init(&watch, settings);
 *     for (long n; (n = stopwatch_next(&watch)) > 0;)
 *         for (long i = 0; i < n; i++)
 *             operation();
 *     *ret_ns = stopwatch_median_ns(&watch);
 *
 * The count `n` grows until the operations take settings->time_ns together. Then the same count is
 * measured settings->runs times, or as often as is possible in a second if that is less. Runs are
 * shorter than the time for which the system lets a program run before it switches to another one.
 * So on a busy machine most runs are not interrupted, and the median is one of these.
 */
#ifndef MODELS_LATENCY_STOPWATCH_H
#define MODELS_LATENCY_STOPWATCH_H

#include <stdint.h>

#include "latency.h"

struct stopwatch {
    const struct latency_settings *settings;
    long count; /* operations per run; 0 before the first */
    int runs;   /* done */
    int64_t began_ns, total_ns;
    double each_ns[LATENCY_RUNS_MAX];
};

void stopwatch_init(struct stopwatch *watch, const struct latency_settings *settings);

/* Returns how many operations to do next; 0 at the end. */
long stopwatch_next(struct stopwatch *watch);

/* The median of the runs, per operation. */
double stopwatch_median_ns(struct stopwatch *watch);

#endif
