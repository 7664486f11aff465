/* SPDX-License-Identifier: MIT */
/* Measures how long one of many equal operations takes, see stopwatch.h. */
#include "stopwatch.h"

#include <stdlib.h>
#include <time.h>

enum { RUNS_MIN = 3, TOTAL_MAX_NS = 1000000000 };

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void stopwatch_init(struct stopwatch *watch, const struct latency_settings *settings)
{
    *watch = (struct stopwatch){.settings = settings};
}

long stopwatch_next(struct stopwatch *watch)
{
    int64_t took_ns = now_ns() - watch->began_ns;

    if (watch->count == 0) {
        watch->count = 1;
    } else if (watch->runs == 0 && took_ns < watch->settings->time_ns) {
        /* Four times as many at most: the first operations may be slower than the later ones. */
        int64_t missing = took_ns > 0 ? watch->settings->time_ns / took_ns + 1 : 4;
        watch->count *= missing < 4 ? missing : 4;
    } else {
        watch->each_ns[watch->runs++] = (double)took_ns / (double)watch->count;
        watch->total_ns += took_ns;
        if (watch->runs == watch->settings->runs ||
            (watch->runs >= RUNS_MIN && watch->total_ns > TOTAL_MAX_NS))
            return 0;
    }
    watch->began_ns = now_ns();
    return watch->count;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double stopwatch_median_ns(struct stopwatch *watch)
{
    qsort(watch->each_ns, (size_t)watch->runs, sizeof *watch->each_ns, by_value);
    return watch->each_ns[watch->runs / 2];
}
