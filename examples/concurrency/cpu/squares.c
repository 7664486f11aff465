/* SPDX-License-Identifier: MIT */
/* Adds up squares. */
#include "squares.h"

/* Compilers can replace this loop by the formula. The asm statement prevents that. */
void cpu_add_squares(struct cpu_sum *sum)
{
    uint64_t total = 0;

    for (uint64_t i = 0; i < sum->below; i++) {
        total += i * i;
        __asm__ volatile("" : "+r"(total));
    }
    sum->sum = total;
}
