/* SPDX-License-Identifier: MIT */
/* The context switch on x86-64. The inline assembly saves only the stack pointer, the frame pointer
 * and the address to continue at. It lists all other registers as clobbered, so the compiler saves
 * only the ones that it still needs. It jumps instead of returning, because the processor
 * mispredicts every `ret` to another stack: 1.1 ns against 10.8 ns for the same switch as a called
 * function. */
#ifndef CONTEXT_X86_64_H
#define CONTEXT_X86_64_H

#include "runtime/context/canary.h"
#include "runtime/context/fp.h"
#include "runtime/context/switches.h"

enum { CONTEXT_IN_JMP_BUF = 0 }; /* for tools/whorl-gdb.py: a context begins with sp, fp and pc */

struct context {
    /* Not encoded, so that a debugger's script can walk the stack of a parked task. */
    void *sp, *fp, *pc;
    uint64_t fp_words; /* see fp_x86.h; with CONTEXT_WATCHED if there is a canary */
    struct context_shadow shadow;
    uint32_t canary_distance; /* bytes from the canary to here; 0: there is none */
};

/* A reserved bit of MXCSR, so the words with this bit never equal the processor's words, nor those
 * of a context without a canary. So a switch from or to a context that has one takes the path for
 * other control words, which looks at the canary. All other switches pay nothing for canaries. */
#define CONTEXT_WATCHED (UINT64_C(1) << 31)

#ifdef __AVX512F__
#define CONTEXT_CLOBBER_AVX512                                                                    \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",   \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", \
        "k7"
#else
#define CONTEXT_CLOBBER_AVX512
#endif

/* Gives `c` the control words of the running context `self`. NULL: the words are read from the
 * processor. */
static inline void context_inherit_fp(struct context *c, const struct context *self)
{
    c->fp_words = self ? fp_words_now(self->fp_words) : fp_words_save();
    if (__builtin_expect(c->canary_distance != 0, 0))
        c->fp_words |= CONTEXT_WATCHED;
}

static inline void context_make(struct context *c, void *low, void *high, context_entry_fn entry)
{
    /* Make the stack look as if entry had been called: a return address of 0 ends backtraces, and
     * the stack pointer is 8 below a multiple of 16 (System V ABI §3.2.2). */
    void **sp = (void **)((uintptr_t)high & ~(uintptr_t)15) - 1;
    *sp = NULL;
    c->sp = sp;
    c->fp = NULL;
    c->pc = (void *)(uintptr_t)entry;
    c->canary_distance = 0;
    shadow_make(&c->shadow, low, high);
}

/* Saves and loads the control words, and looks at the canary. Kept out of context_switch(), because
 * it is not needed between stacks with guards. */
static __attribute__((noinline, unused)) void context_change(struct context *from,
                                                             const struct context *to)
{
    uint64_t watched = from->fp_words & CONTEXT_WATCHED, next = to->fp_words & ~CONTEXT_WATCHED;

    if (watched && __builtin_expect(!canary_is_intact(canary_at(from, from->canary_distance)), 0))
        canary_failed(from);
    uint64_t words = fp_words_now(from->fp_words & ~CONTEXT_WATCHED);
    from->fp_words = words | watched;
    if (__builtin_expect(words != next, 0))
        fp_words_load(next);
    if (to->fp_words & CONTEXT_WATCHED)
        __builtin_prefetch(canary_at(to, to->canary_distance));
}

static inline __attribute__((always_inline)) void context_switch(struct context *from,
                                                                 struct context *to, int dying)
{
    if (__builtin_expect(!fp_words_are(from->fp_words) || from->fp_words != to->fp_words, 0))
        context_change(from, to);
    shadow_before(&from->shadow, &to->shadow, dying);
    struct context *self = from;
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, 0(%0)\n\t"
                     "movq %%rbp, 8(%0)\n\t"
                     "movq %%rax, 16(%0)\n\t"
                     "movq 8(%1), %%rbp\n\t"
                     "movq 0(%1), %%rsp\n\t"
                     "jmpq *16(%1)\n"
                     "1:\n\t"
                     "endbr64"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
                       "memory", "cc" CONTEXT_CLOBBER_AVX512);
    shadow_after(&self->shadow);
}

#endif
