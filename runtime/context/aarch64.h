/* SPDX-License-Identifier: MIT */
/* The context switch on AArch64. It works like the one in x86_64.h. The low halves of v8 to v15 are
 * callee-saved (AAPCS64 §6.1.2). The inline assembly lists them as clobbered, so the compiler saves
 * the ones that it still needs. */
#ifndef CONTEXT_AARCH64_H
#define CONTEXT_AARCH64_H

enum { CONTEXT_IN_JMP_BUF = 0 }; /* for tools/whorl-gdb.py: a context begins with sp, fp and pc */

struct context {
    void *sp, *fp, *pc;
    uint64_t fpcr;
    struct context_shadow shadow;
};

/* Reads the floating-point control register FPCR. This is cheap on AArch64. */
static inline uint64_t fpcr_read(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

static inline void context_inherit_fp(struct context *c, const struct context *self)
{
    (void)self;
    c->fpcr = fpcr_read();
}

static inline void context_make(struct context *c, void *low, void *high, void (*entry)(void))
{
    c->sp = (void *)((uintptr_t)high & ~(uintptr_t)15);
    c->fp = NULL;
    c->pc = (void *)(uintptr_t)entry;
    shadow_make(&c->shadow, low, high);
}

/* UNTESTED: the project's machines are x86-64. */
static inline __attribute__((always_inline)) void context_switch(struct context *from,
                                                                 struct context *to, int dying)
{
    from->fpcr = fpcr_read();
    if (__builtin_expect(from->fpcr != to->fpcr, 0))
        __asm__ volatile("msr fpcr, %0" : : "r"(to->fpcr));
    shadow_before(&from->shadow, &to->shadow, dying);
    struct context *self = from;
    register struct context *f __asm__("x0") = from;
    register struct context *t __asm__("x1") = to;
    __asm__ volatile("adr x2, 1f\n\t"
                     "mov x3, sp\n\t"
                     "stp x3, x29, [x0]\n\t"
                     "str x2, [x0, #16]\n\t"
                     "ldp x3, x29, [x1]\n\t"
                     "ldr x2, [x1, #16]\n\t"
                     "mov sp, x3\n\t"
                     "mov x30, xzr\n\t" /* a fresh entry's backtrace ends here */
                     "br x2\n"
                     "1:\n\t"
                     "hint #36" /* bti j */
                     : "+r"(f), "+r"(t)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25",
                       "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
                       "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
                       "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                       "v30", "v31", "memory", "cc");
    shadow_after(&self->shadow);
}

#endif
