/* SPDX-License-Identifier: MIT */
/* Reports of stack overflows. */
#ifndef RUNTIME_DEBUG_OVERFLOW_H
#define RUNTIME_DEBUG_OVERFLOW_H

/* Gives this thread a signal stack while it has runs, and the process its handlers, once. Each call
 * of the first function is followed by one of the second, on the same thread. */
void overflow_guard_enter(void);
void overflow_guard_leave(void);

#endif
