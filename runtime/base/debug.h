/* SPDX-License-Identifier: MIT */
/* The environment variable WHORL_DEBUG: words separated by commas. A word may have a value:
 * word=value. */
#ifndef BASE_DEBUG_H
#define BASE_DEBUG_H

#include <stdbool.h>
#include <stddef.h>

/* Whether WHORL_DEBUG contains `word`. `*ret_value` is the number after its "=", or -1 when it has
 * none; `ret_value` may be NULL. */
bool debug_has(const char *word, long *ret_value);

/* The same, but stores the text after "=" in `buf`, cut to its size; "" when the word has no
 * value. */
bool debug_text(const char *word, char *buf, size_t size);

/* Writes to standard error which words of WHORL_DEBUG have no meaning: a misspelt word would switch
 * nothing on and say nothing. Only the first call in a process does that. */
void debug_report_unknown(void);

#endif
