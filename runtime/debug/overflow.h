/* SPDX-License-Identifier: MIT */
/* Reports of stack overflows. */
#ifndef RUNTIME_DEBUG_OVERFLOW_H
#define RUNTIME_DEBUG_OVERFLOW_H

#include <stddef.h>

/* The signal stack of a thread. */
struct overflow_guard {
    void *stack; /* NULL: the thread had one already, or there was no memory for it */
    size_t size;
};

/* Gives this thread a signal stack, and the process a handler, once. */
void overflow_guard_enter(struct overflow_guard *guard);
void overflow_guard_leave(struct overflow_guard *guard);

#endif
