/* SPDX-License-Identifier: MIT */
/* The work of the models: sums of squares. */
#ifndef MODELS_CPU_SQUARES_H
#define MODELS_CPU_SQUARES_H

#include <stdint.h>

struct cpu_sum {
    uint64_t below; /* the number */
    uint64_t sum;   /* the sum of the squares of all smaller numbers, modulo 2^64 */
};

/* Adds up the squares one by one. */
void cpu_add_squares(struct cpu_sum *sum);

#endif
