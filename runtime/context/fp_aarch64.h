/* SPDX-License-Identifier: MIT */
/* The floating-point control register of AArch64, FPCR: rounding mode, flush-to-zero and traps.
 * Functions of <fenv.h> change it, so it must belong to the task that called them. Reading it is
 * cheap. */
#ifndef CONTEXT_FP_AARCH64_H
#define CONTEXT_FP_AARCH64_H

#include <stdint.h>

static inline uint64_t fp_words_save(void)
{
    uint64_t fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

static inline void fp_words_load(uint64_t words)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(words));
}

static inline uint64_t fp_words_now(uint64_t before)
{
    (void)before;
    return fp_words_save();
}

#endif
