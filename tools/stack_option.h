/* SPDX-License-Identifier: MIT */
/* The option --stack of whorl-bench and whorl-stress. */
#ifndef TOOLS_STACK_OPTION_H
#define TOOLS_STACK_OPTION_H

#include <stdbool.h>
#include <stddef.h>

/* Parses "guarded", "2k", "4k" or "8k". Sets the size of small stacks, 0 for guarded ones. Returns
 * false for any other text. */
bool stack_option_parse(const char *text, size_t *ret);

/* Returns the word for a size. */
const char *stack_option_name(size_t small_stack_size);

#endif
