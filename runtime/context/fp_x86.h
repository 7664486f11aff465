/* SPDX-License-Identifier: MIT */
/* The floating-point control words of x86: MXCSR for SSE, and the x87 control word. The ABI calls
 * them callee-saved, so a task that changes its rounding mode must not change that of other tasks.
 *
 * Loading a control word is slow and comparing is fast, so the words are loaded only when they
 * differ. Even reading MXCSR takes 15 cycles on Zen (4.9 ns, against 0.7 ns for the x87 word),
 * which is more than the rest of the switch. So a switch first makes two cheaper checks, which
 * together cost 0.7 ns, and reads MXCSR only when one of them fails:
 *
 *   - It compares the x87 control word. Every function of <fenv.h> that changes MXCSR changes this
 *     word too.
 *   - It computes four sums with one instruction. They give other results under every other
 *     rounding mode, under denormals-are-zero and under flush-to-zero. This finds a task that set
 *     MXCSR with intrinsics.
 *
 * One change is not noticed: a task that uses intrinsics to change only an exception mask.
 */
#ifndef CONTEXT_FP_X86_H
#define CONTEXT_FP_X86_H

#include <emmintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define FP_MXCSR_FLAGS 0x3fu /* sticky exception flags: status, not control */
#define FP_X87_MASKS   0x3fu

/* Bits 0-31 are MXCSR's control bits, the bits above are the x87 control word. */
static inline uint64_t fp_words_save(void)
{
    uint32_t mxcsr;
    uint16_t x87;

    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
    return (mxcsr & ~FP_MXCSR_FLAGS) | (uint64_t)x87 << 32;
}

static inline void fp_words_load(uint64_t words)
{
    uint32_t mxcsr = (uint32_t)words;
    uint16_t x87 = (uint16_t)(words >> 32);

    /* Clear the x87 exception flags that another task's arithmetic has set. Otherwise a task that
     * has unmasked exceptions would get a signal for them. SSE raises no signal for flags that are
     * already set. */
    if ((x87 & FP_X87_MASKS) != FP_X87_MASKS)
        __asm__ volatile("fnclex");
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87));
}

#define FP_MXCSR_DEFAULT 0x1f80u

/* Whether the processor's control words equal `words`, as far as the two checks above can tell. */
static inline bool fp_words_are(uint64_t words)
{
    uint16_t x87;
    /* 2^-24 is half a unit in the last place of 1. The sum in the last lane is denormal. */
    __m128 sum = _mm_set_ps(0x1p-140f, 0x1.000002p0f, -1, 1);
    const __m128 addend = _mm_set_ps(0x1p-140f, 0x1p-24f, -0x1p-24f, 0x1p-24f);
    const __m128 nearest = _mm_set_ps(0x1p-139f, 0x1.000004p0f, -1, 1);

    __asm__ volatile("fnstcw %0" : "=m"(x87));
    /* This check comes first because a task that has unmasked exceptions must not get one from the
     * sums. */
    if (__builtin_expect(x87 != (uint16_t)(words >> 32) || (uint32_t)words != FP_MXCSR_DEFAULT, 0))
        return false;
    /* Keeps the compiler from computing the sums at compile time, or before the task ran. */
    __asm__ volatile("" : "+x"(sum) : : "memory");
    sum = _mm_add_ps(sum, addend);
    __m128i same = _mm_cmpeq_epi32(_mm_castps_si128(sum), _mm_castps_si128(nearest));
    return _mm_movemask_epi8(same) == 0xffff;
}

/* Returns the processor's control words. `before` is their last known value. */
static inline uint64_t fp_words_now(uint64_t before)
{
    return __builtin_expect(fp_words_are(before), 1) ? before : fp_words_save();
}

#endif
