/* SPDX-License-Identifier: MIT */
/* What is in a test's own directory. */
#ifndef TEST_LISTING_H
#define TEST_LISTING_H

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

/* The names in test_tmpdir(), sorted, hidden ones included, with spaces between them. Valid until
 * the next call. */
static inline const char *listing(void)
{
    static char text[4096];
    struct dirent **entries;
    int n = scandir(test_tmpdir(), &entries, NULL, alphasort);
    CHECK(n >= 2);
    text[0] = '\0';
    for (int i = 0; i < n; i++) {
        if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0) {
            if (text[0])
                strcat(text, " ");
            strcat(text, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return text;
}

#endif
