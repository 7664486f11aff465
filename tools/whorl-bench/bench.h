/* SPDX-License-Identifier: MIT */
/* What the parts of whorl-bench share: one file a workload, and how figures are printed. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/* Prints "name value" with one decimal and flushes, so that a killed run keeps its figures. */
void bench_print(const char *name, double value);

/* Resident memory of this process in bytes. */
int64_t bench_rss(void);

/* The workloads. Each returns the exit status. */
int bench_tasks(void);
int bench_sleepers(long n);
int bench_echo(uint16_t port);
int bench_get(const char *url, long n, long conns);

#endif
