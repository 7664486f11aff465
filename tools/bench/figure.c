/* SPDX-License-Identifier: MIT */
/* Prints figures, one per line. */
#include "tools/bench/figure.h"

#include <stdio.h>

void figure_print(const char *name, double value)
{
    printf("%s %.*f\n", name, value < 100 ? 2 : 0, value);
    fflush(stdout);
}
