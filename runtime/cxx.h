/* SPDX-License-Identifier: MIT */
/* The C++ runtime's exception state. It keeps one per thread, but it belongs to the running task:
 * without a swap, two tasks that wait in handlers would take each other's exceptions for their
 * own. */
#ifndef RUNTIME_CXX_H
#define RUNTIME_CXX_H

#include <stddef.h>

/* __cxa_eh_globals of the Itanium C++ ABI, 2.2.2. */
struct cxx_exceptions {
    void *caught; /* exceptions whose handlers have not ended, the latest first */
    unsigned int uncaught;
};

extern struct cxx_exceptions *__cxa_get_globals(void) __attribute__((weak));

/* The thread's exception state; NULL in a program without C++. */
static inline struct cxx_exceptions *cxx_exceptions(void)
{
    return __cxa_get_globals ? __cxa_get_globals() : NULL;
}

static inline void cxx_swap(struct cxx_exceptions *a, struct cxx_exceptions *b)
{
    struct cxx_exceptions of_a = *a;

    *a = *b;
    *b = of_a;
}

#endif
