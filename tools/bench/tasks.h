/* SPDX-License-Identifier: MIT */
/* Workloads without a network. Each function returns the exit status of the program. */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

int bench_tasks(void);
int bench_sleepers(long n);

#endif
