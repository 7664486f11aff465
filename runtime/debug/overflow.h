/* SPDX-License-Identifier: MIT */
/* Reports of stack overflows. */
#ifndef RUNTIME_DEBUG_OVERFLOW_H
#define RUNTIME_DEBUG_OVERFLOW_H

/* The first function gives this thread a signal stack, which it keeps while it has runs. It also
 * installs the handlers of the process, once. Each call of the first function is followed by a call
 * of the second on the same thread. */
void overflow_guard_enter(void);
void overflow_guard_leave(void);

#endif
