/* SPDX-License-Identifier: MIT */
/* Workloads without a network. Each function returns the exit status of the program. */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

int bench_tasks(void);

/* Does one operation of bench_tasks() `n` times and prints nothing, for tools/counts. */
int bench_repeat_task(const char *name, long n);

int bench_sleepers(long n);

#endif
