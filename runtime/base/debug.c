/* SPDX-License-Identifier: MIT */
/* Reads the environment variable WHORL_DEBUG. */
#include "runtime/base/debug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns the text after the "=" of `word` and stores its length, which is 0 when there is no "=".
 * Returns NULL when WHORL_DEBUG does not contain `word`. */
static const char *find(const char *word, size_t *ret_len)
{
    /* secure_getenv(), because the variable can name a file to write to. */
    const char *at = secure_getenv("WHORL_DEBUG");
    size_t len = strlen(word);

    while (at && *at) {
        size_t part = strcspn(at, ",");
        if (part >= len && memcmp(at, word, len) == 0 && (part == len || at[len] == '=')) {
            *ret_len = part > len ? part - len - 1 : 0;
            return at + len + (part > len);
        }
        at += part + (at[part] == ',');
    }
    return NULL;
}

bool debug_has(const char *word, long *ret_value)
{
    size_t len;
    const char *value = find(word, &len);

    if (value && ret_value)
        *ret_value = value[-1] == '=' ? strtol(value, NULL, 10) : -1;
    return value;
}

bool debug_text(const char *word, char *buf, size_t size)
{
    size_t len;
    const char *value = find(word, &len);

    if (value)
        snprintf(buf, size, "%.*s", (int)len, value);
    return value;
}
