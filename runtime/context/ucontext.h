/* SPDX-License-Identifier: MIT */
/* The portable context switch: makecontext() enters a stack once, then _setjmp() and _longjmp()
 * switch. swapcontext() would save the signal mask with a system call at every switch: 204 ns
 * against 7 ns. */
#ifndef CONTEXT_UCONTEXT_H
#define CONTEXT_UCONTEXT_H

#include <setjmp.h>
#include <stdint.h>

#include "runtime/context/canary.h"
#include "runtime/context/fp.h"
#include "runtime/context/sanitizer.h"
#include "runtime/context/switches.h"

enum { CONTEXT_IN_JMP_BUF = 1 }; /* for tools/whorl-gdb.py: a context begins with a jmp_buf */

struct context {
    jmp_buf env; /* valid while switched away */
    context_entry_fn entry;
    struct context_shadow shadow;
    uint64_t fp_words;        /* see fp.h; glibc's jmp_buf does not hold them */
    uint32_t canary_distance; /* bytes from the canary to here; 0: there is none */
};

static inline void context_inherit_fp(struct context *c, const struct context *self)
{
    c->fp_words = self ? fp_words_now(self->fp_words) : fp_words_save();
}

void context_make(struct context *c, void *low, void *high, context_entry_fn entry);
void context_switch(struct context *from, struct context *to, int dying);

#endif
