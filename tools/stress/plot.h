/* SPDX-License-Identifier: MIT */
/* Draws results as SVG. */
#ifndef STRESS_PLOT_H
#define STRESS_PLOT_H

#include <stddef.h>

#include "tools/stress/result.h"

/* Draws the cost per operation against the number of tasks, one curve per workload. Returns 0 or
 * -errno. */
int plot_write(const char *path, const struct result *results, size_t count);

#endif
