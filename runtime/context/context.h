/* SPDX-License-Identifier: MIT */
/* The contract of the context switch; one file a machine fulfils it.
 *
 *     context_make(c, low, high, entry)     c will run entry() on the stack [low, high) when switched to
 *     context_switch(from, to, dying)       saves the running context in `from`, goes on in `to`;
 *                                           dying: nothing in from's frames is needed any more
 *
 * entry() first calls shadow_after(). A context is made once for each stack: its entry never returns but, when its work is done, is
 * switched away from and serves the next task from the same frame. So making one may be slow.
 *
 * What belongs to a context: stack and instruction pointer, the callee-saved registers, and the
 * floating-point control words, which the System V ABI calls callee-saved too. Not the signal mask.
 */
#ifndef CONTEXT_CONTEXT_H
#define CONTEXT_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <whorl/base.h>

#include "runtime/context/sanitizer.h"

/* Functions that switch must not be seen through: the compiler would learn which registers they
 * leave alone on the way in, but other tasks change them before the way out (gcc's -fipa-ra). */
#if defined(__GNUC__) && !defined(__clang__)
#define CONTEXT_SWITCHES \
    __attribute__((noipa, optimize("omit-frame-pointer"))) /* the switch saves it */
#else
/* For whorl-check-suspends: such a function switches by itself, without calling what may suspend. */
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
