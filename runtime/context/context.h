/* SPDX-License-Identifier: MIT */
/* The interface of the context switch. One header per architecture implements it.
 *
 *     context_make(c, low, high, entry)   `c` will run entry() on the stack [low, high) when it is
 *                                         switched to
 *     context_switch(from, to, dying)     saves the running context in `from`, continues in `to`;
 *                                         dying: the frames of `from` are never needed again
 *     context_watch(c, canary)            from now on, a switch away from `c` aborts if the canary
 *                                         is damaged
 *
 * entry() first calls shadow_after(). A context is made once for each stack. Its entry never
 * returns: when a task has ended, entry() switches away, and later it runs the next task from the
 * same frame. So making a context may be slow.
 *
 * A context consists of the stack pointer, the instruction pointer, the callee-saved registers and
 * the floating-point control words, which the System V ABI also calls callee-saved. The signal mask
 * is not part of it.
 */
#ifndef CONTEXT_CONTEXT_H
#define CONTEXT_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/context/sanitizer.h"

#if defined(WHORL_CONTEXT_ASM) && defined(__x86_64__)
#include "runtime/context/x86_64.h"
#elif defined(WHORL_CONTEXT_ASM) && defined(__aarch64__)
#include "runtime/context/aarch64.h"
#else
#include "runtime/context/ucontext.h"
#endif

/* Must be called after context_make(), and before context_inherit_fp(). The canary is below `c`. */
static inline void context_watch(struct context *c, struct canary *canary)
{
    canary_set(canary);
    c->canary_distance = (uint32_t)((char *)c - (char *)canary);
}

/* Returns the canary; NULL when the context is not watched. */
static inline struct canary *context_canary(const struct context *c)
{
    return c->canary_distance ? canary_at(c, c->canary_distance) : NULL;
}

#endif
