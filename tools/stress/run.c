/* SPDX-License-Identifier: MIT */
/* Measures the wall time and CPU time of a run. */
#include "tools/stress/run.h"

#include <sys/resource.h>

#include <whorl/base.h>
#include <whorl/run.h>

static int64_t cpu_now(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * WHORL_SECOND +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * WHORL_MICROSECOND;
}

void run_begin(struct run *run)
{
    run->wall_ns = -whorl_now();
    run->cpu_ns = -cpu_now();
}

void run_end(struct run *run)
{
    run->wall_ns += whorl_now();
    run->cpu_ns += cpu_now();
}
