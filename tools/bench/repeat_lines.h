/* SPDX-License-Identifier: MIT */
/* Lines from a socket. */
#ifndef BENCH_REPEAT_LINES_H
#define BENCH_REPEAT_LINES_H

/* Reads `n` lines and prints nothing, for tools/counts. Returns the exit status. */
int bench_repeat_lines(long n);

#endif
