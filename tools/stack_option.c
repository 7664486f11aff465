/* SPDX-License-Identifier: MIT */
/* The option --stack of whorl-bench and whorl-stress. */
#include "tools/stack_option.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} choices[] = {{"guarded", 0}, {"2k", 2048}, {"4k", 4096}, {"8k", 8192}};

bool stack_option_parse(const char *text, size_t *ret)
{
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (strcmp(text, choices[i].name) == 0) {
            *ret = choices[i].size;
            return true;
        }
    }
    return false;
}

const char *stack_option_name(size_t small_stack_size)
{
    size_t i = 0;

    while (choices[i].size != small_stack_size)
        i++;
    return choices[i].name;
}
