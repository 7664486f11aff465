/* SPDX-License-Identifier: MIT */
/* The shared declarations of whorl-bench. Each workload has its own file. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/* Prints "name value" and flushes standard output, so that no figure is lost if the run is
 * killed. */
void bench_print(const char *name, double value);

/* Returns the resident memory of this process in bytes. */
int64_t bench_rss(void);

/* The workloads. Each returns the exit status of the program. */
int bench_tasks(void);
int bench_sleepers(long n);
int bench_echo(uint16_t port);
int bench_get(const char *url, long n, long conns);

#endif
