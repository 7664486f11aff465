/* SPDX-License-Identifier: MIT */
/* The common parts of the four models: numbers, and for each the sum of the squares below it. */
#ifndef MODELS_CPU_H
#define MODELS_CPU_H

#include "squares.h"

struct timeline;

enum { CPU_COUNT_MAX = 170 };

struct cpu_batch {
    struct cpu_sum *sums;
    int count;
    int workers;
    struct timeline *timeline; /* NULL: not recorded */
};

/* A model. Computes all sums of the batch. Returns 0 or a negative code. */
typedef int (*cpu_model_fn)(struct cpu_batch *batch);

int cpu_sequential(struct cpu_batch *batch);
int cpu_threads(struct cpu_batch *batch);
int cpu_tasks(struct cpu_batch *batch);
int cpu_processes(struct cpu_batch *batch);

#endif
