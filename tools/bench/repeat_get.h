/* SPDX-License-Identifier: MIT */
/* HTTP requests to a server in the same run. */
#ifndef BENCH_REPEAT_GET_H
#define BENCH_REPEAT_GET_H

/* Sends `n` requests and prints nothing, for tools/counts. Returns the exit status. */
int bench_repeat_get(long n);

#endif
