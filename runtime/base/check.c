/* SPDX-License-Identifier: MIT */
/* Reports a broken invariant and aborts. */
#include "runtime/base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "whorl: %s:%d: check failed: %s\n", file, line, what);
    abort();
}
