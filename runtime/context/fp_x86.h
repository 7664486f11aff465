/* SPDX-License-Identifier: MIT */
/* The floating-point control words of x86: MXCSR for SSE and the x87 control word. The ABI calls them
 * callee-saved, so a task that changes its rounding mode must change nobody else's.
 *
 * Loading one is slow, comparing is not, so they are loaded only when they differ. Even reading MXCSR
 * takes 15 cycles on Zen (4.9 ns, against 0.7 ns for the x87 word): more than the rest of the switch.
 * So a switch asks whether the words are still what they were: the x87 word, which every function of
 * <fenv.h> that changes MXCSR changes along with it; and, for those who set MXCSR by intrinsics, four
 * sums in one instruction that come out differently under each other rounding mode, denormals-are-zero
 * and flush-to-zero. MXCSR is read when one of them says no. All of it costs 0.7 ns. Not noticed is a
 * task that by intrinsics changes an exception mask alone and nothing else.
 */
#ifndef CONTEXT_FP_X86_H
#define CONTEXT_FP_X86_H

#include <emmintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define FP_MXCSR_FLAGS 0x3fu /* sticky exception flags: status, not control */
#define FP_X87_MASKS   0x3fu

/* MXCSR's control bits below, the x87 control word above. */
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

    /* What another task's x87 arithmetic came upon would be signalled to a task that asked for signals,
     * and not for this. SSE does not look back. */
    if ((x87 & FP_X87_MASKS) != FP_X87_MASKS)
        __asm__ volatile("fnclex");
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87));
}

#define FP_MXCSR_DEFAULT 0x1f80u

/* Whether the processor's words are those in `words`, as far as the questions above can tell. */
static inline bool fp_words_are(uint64_t words)
{
    uint16_t x87;
    /* 2^-24 is half a unit in the last place of 1; the last lane's sum is denormal. */
    __m128 sum = _mm_set_ps(0x1p-140f, 0x1.000002p0f, -1, 1);
    const __m128 addend = _mm_set_ps(0x1p-140f, 0x1p-24f, -0x1p-24f, 0x1p-24f);
    const __m128 nearest = _mm_set_ps(0x1p-139f, 0x1.000004p0f, -1, 1);

    __asm__ volatile("fnstcw %0" : "=m"(x87));
    /* First of all: a task that has unmasked exceptions must not get one from what follows. */
    if (__builtin_expect(x87 != (uint16_t)(words >> 32) || (uint32_t)words != FP_MXCSR_DEFAULT, 0))
        return false;
    /* Keeps the compiler from adding them itself, or before the task ran. */
    __asm__ volatile("" : "+x"(sum) : : "memory");
    sum = _mm_add_ps(sum, addend);
    __m128i same = _mm_cmpeq_epi32(_mm_castps_si128(sum), _mm_castps_si128(nearest));
    return _mm_movemask_epi8(same) == 0xffff;
}

/* The processor's words, which were `before` when they were last looked at. */
static inline uint64_t fp_words_now(uint64_t before)
{
    return __builtin_expect(fp_words_are(before), 1) ? before : fp_words_save();
}

#endif
