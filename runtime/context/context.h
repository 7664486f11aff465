/* SPDX-License-Identifier: MIT */
/* The interface of the context switch. One header per architecture implements it.
 *
 *     context_make(c, low, high, entry)   `c` will run entry() on the stack [low, high) when it is
 *                                         switched to
 *     context_switch(from, to, dying)     saves the running context in `from`, continues in `to`;
 *                                         dying: the frames of `from` are never needed again
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

#include <whorl/base.h>

#include "runtime/context/sanitizer.h"

/* The compiler must not analyse the functions that switch. Otherwise it learns which registers they
 * leave unchanged before the switch (gcc's -fipa-ra), but other tasks change those registers before
 * the function returns. The switch itself saves the frame pointer, so gcc need not. */
#if defined(__GNUC__) && !defined(__clang__)
#define CONTEXT_SWITCHES __attribute__((noipa, optimize("omit-frame-pointer")))
#else
/* Tells whorl-check-suspends that the function switches by itself, without calling a function that
 * may suspend. */
#define CONTEXT_SWITCHES __attribute__((noinline)) WHORL_ANNOTATE("whorl_primitive")
#endif

#if defined(WHORL_CONTEXT_ASM) && defined(__x86_64__)
#include "runtime/context/x86_64.h"
#elif defined(WHORL_CONTEXT_ASM) && defined(__aarch64__)
#include "runtime/context/aarch64.h"
#else
#include "runtime/context/ucontext.h"
#endif

#endif
