/* SPDX-License-Identifier: MIT */
/* The environment variable WHORL_DEBUG: words separated by commas, some with a value. */
#ifndef BASE_DEBUG_H
#define BASE_DEBUG_H

#include <stdbool.h>
#include <stddef.h>

/* Whether `word` is among them. `*ret_value` is the number behind its "=", or -1; may be NULL. */
bool debug_has(const char *word, long *ret_value);

/* The same, with the text behind its "=", cut if it is longer than `buf`; "" when it has none. */
bool debug_text(const char *word, char *buf, size_t size);

#endif
