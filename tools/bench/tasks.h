/* SPDX-License-Identifier: MIT */
/* Workloads without a network. Each function returns the exit status of the program. */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

#include <stddef.h>

/* `small_stack_size` is 0 for guarded stacks. */
int bench_tasks(size_t small_stack_size);
int bench_sleepers(long n, size_t small_stack_size);
int bench_growth(long n, size_t small_stack_size);

/* Does one operation of bench_tasks() `n` times and prints nothing, for tools/counts. */
int bench_repeat_task(const char *name, long n);

#endif
