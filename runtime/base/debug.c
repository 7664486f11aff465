/* SPDX-License-Identifier: MIT */
/* Reading WHORL_DEBUG. */
#include "runtime/base/debug.h"

#include <stdlib.h>
#include <string.h>

bool debug_has(const char *word, long *ret_value)
{
    const char *at = getenv("WHORL_DEBUG");
    size_t len = strlen(word);

    while (at && *at) {
        size_t part = strcspn(at, ",");
        if (part >= len && memcmp(at, word, len) == 0 && (part == len || at[len] == '=')) {
            if (ret_value)
                *ret_value = part > len ? strtol(at + len + 1, NULL, 10) : -1;
            return true;
        }
        at += part + (at[part] == ',');
    }
    return false;
}
