/* SPDX-License-Identifier: MIT */
/* What the four models have in common: numbers, and the sum of the squares below each. */
#ifndef MODELS_CPU_H
#define MODELS_CPU_H

#include <stdint.h>

struct timeline;

enum { CPU_COUNT_MAX = 170 };

struct cpu_sum {
    uint64_t below; /* the number */
    uint64_t sum;   /* of the squares of all smaller ones, modulo 2^64 */
};

struct cpu_batch {
    struct cpu_sum *sums;
    int count;
    int workers;
    struct timeline *timeline; /* who computes when; NULL: not recorded */
};

/* A model: works out all sums of the batch. Returns 0 or a negative code. */
typedef int (*cpu_model_fn)(struct cpu_batch *batch);

int cpu_sequential(struct cpu_batch *batch);
int cpu_threads(struct cpu_batch *batch);
int cpu_tasks(struct cpu_batch *batch);
int cpu_processes(struct cpu_batch *batch);

/* The work: adds up the squares one by one. */
void cpu_add_squares(struct cpu_sum *sum);

#endif
