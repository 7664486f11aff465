/* SPDX-License-Identifier: MIT */
/* The floating-point control words of the processor, which belong to the task that set them.
 *
 *     fp_words_save()          reads the words
 *     fp_words_load(words)     loads them
 *     fp_words_now(before)     reads the words; `before` is their last known value, and comparing
 *                              with it may be cheaper than reading
 */
#ifndef CONTEXT_FP_H
#define CONTEXT_FP_H

#if defined(__x86_64__)
#include "runtime/context/fp_x86.h"
#elif defined(__aarch64__)
#include "runtime/context/fp_aarch64.h"
#else

#include <stdint.h>

/* The words of other processors are not known here: a task that changes its rounding mode changes
 * that of all tasks. */
static inline uint64_t fp_words_save(void)
{
    return 0;
}

static inline void fp_words_load(uint64_t words)
{
    (void)words;
}

static inline uint64_t fp_words_now(uint64_t before)
{
    return before;
}

#endif
#endif
