/* SPDX-License-Identifier: MIT */
/* Histograms of durations. The width of a bucket grows with the duration. */
#include "tools/stress/histogram.h"

#define SUB_BITS 5 /* 32 buckets for each power of two */

static unsigned bucket_of(int64_t duration_ns)
{
    uint64_t v = duration_ns < 0 ? 0 : (uint64_t)duration_ns;

    if (v < 1u << SUB_BITS)
        return (unsigned)v;
    unsigned shift = 63 - (unsigned)__builtin_clzll(v) - SUB_BITS;
    unsigned bucket = (shift + 1) * (1u << SUB_BITS) + (unsigned)(v >> shift) - (1u << SUB_BITS);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* Returns the middle of a bucket. */
static int64_t value_of(unsigned bucket)
{
    if (bucket < 1u << SUB_BITS)
        return bucket;
    unsigned shift = bucket / (1u << SUB_BITS) - 1;
    uint64_t base = (bucket % (1u << SUB_BITS)) + (1u << SUB_BITS);
    return (int64_t)((base << shift) + (shift > 0 ? UINT64_C(1) << (shift - 1) : 0));
}

void histogram_add(struct histogram *histogram, int64_t duration_ns)
{
    histogram->total++;
    histogram->counts[bucket_of(duration_ns)]++;
}

int64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    uint64_t rank = (uint64_t)((double)histogram->total * percent / 100), seen = 0;

    if (histogram->total == 0)
        return 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > rank)
            return value_of(i);
    }
    return value_of(HISTOGRAM_BUCKETS - 1);
}
