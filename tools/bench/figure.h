/* SPDX-License-Identifier: MIT */
/* The output of whorl-bench. */
#ifndef BENCH_FIGURE_H
#define BENCH_FIGURE_H

/* Prints "name value" and flushes standard output, so that no figure is lost if the run is
 * killed. */
void figure_print(const char *name, double value);

#endif
