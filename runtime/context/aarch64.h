/* SPDX-License-Identifier: MIT */
/* The context switch on AArch64. It works like the one in x86_64.h. The low halves of v8 to v15 are
 * callee-saved (AAPCS64 §6.1.2). The inline assembly lists them as clobbered, so the compiler saves
 * the ones that it still needs. */
#ifndef CONTEXT_AARCH64_H
#define CONTEXT_AARCH64_H

#include "runtime/context/canary.h"
#include "runtime/context/fp.h"
#include "runtime/context/switches.h"

enum { CONTEXT_IN_JMP_BUF = 0 }; /* for tools/whorl-gdb.py: a context begins with sp, fp and pc */

struct context {
    void *sp, *fp, *pc;
    uint64_t fp_words; /* see fp_aarch64.h */
    struct context_shadow shadow;
    uint32_t canary_distance; /* bytes from the canary to here; 0: there is none */
};

static inline void context_inherit_fp(struct context *c, const struct context *self)
{
    (void)self;
    c->fp_words = fp_words_save();
}

static inline void context_make(struct context *c, void *low, void *high, context_entry_fn entry)
{
    c->sp = (void *)((uintptr_t)high & ~(uintptr_t)15);
    c->fp = NULL;
    c->canary_distance = 0;
    c->pc = (void *)(uintptr_t)entry;
    shadow_make(&c->shadow, low, high);
}

#ifdef __ARM_FEATURE_SVE
#define CONTEXT_CLOBBER_SVE                                                                   \
    , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", \
        "p14", "p15"
#else
#define CONTEXT_CLOBBER_SVE
#endif

/* Jumps through x16: where branch targets are checked (BTI), only x16 and x17 may hold the address
 * of a function that is jumped to. */
static inline __attribute__((always_inline)) void context_switch(struct context *from,
                                                                 struct context *to, int dying)
{
    if (__builtin_expect(from->canary_distance != 0, 0) &&
        !canary_is_intact(canary_at(from, from->canary_distance)))
        canary_failed(from);
    from->fp_words = fp_words_save();
    if (__builtin_expect(from->fp_words != to->fp_words, 0))
        fp_words_load(to->fp_words);
    shadow_before(&from->shadow, &to->shadow, dying);
    struct context *self = from;
    register struct context *f __asm__("x0") = from;
    register struct context *t __asm__("x1") = to;
    __asm__ volatile("adr x2, 1f\n\t"
                     "mov x3, sp\n\t"
                     "stp x3, x29, [x0]\n\t"
                     "str x2, [x0, #16]\n\t"
                     "ldp x3, x29, [x1]\n\t"
                     "ldr x16, [x1, #16]\n\t"
                     "mov sp, x3\n\t"
                     "mov x30, xzr\n\t" /* a fresh entry's backtrace ends here */
                     "br x16\n"
                     "1:\n\t"
                     "hint #36" /* bti j */
                     : "+r"(f), "+r"(t)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24",
                       "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
                       "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17",
                       "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",
                       "v29", "v30", "v31", "memory", "cc" CONTEXT_CLOBBER_SVE);
    shadow_after(&self->shadow);
}

#endif
