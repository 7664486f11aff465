/* SPDX-License-Identifier: MIT */
/* The marker of functions that call context_switch(), and of context_switch() itself. */
#ifndef CONTEXT_SWITCHES_H
#define CONTEXT_SWITCHES_H

#include <whorl/base.h>

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

/* The first function on a new stack. It runs the tasks, which may suspend. */
typedef WHORL_SUSPENDS_SHIELDED void (*context_entry_fn)(void);

#endif
