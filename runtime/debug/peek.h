/* SPDX-License-Identifier: MIT */
/* Reading memory that may be unmapped at any time, as a debugger does. */
#ifndef RUNTIME_DEBUG_PEEK_H
#define RUNTIME_DEBUG_PEEK_H

#include <stdbool.h>
#include <stddef.h>

/* Copies memory of this process. Returns false when it is not mapped. */
bool peek(void *to, const void *from, size_t size);

#endif
