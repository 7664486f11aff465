/* SPDX-License-Identifier: MIT */
/* Histograms of durations. */
#ifndef STRESS_HISTOGRAM_H
#define STRESS_HISTOGRAM_H

#include <stdint.h>

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

#endif
