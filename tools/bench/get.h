/* SPDX-License-Identifier: MIT */
/* The HTTP client. */
#ifndef BENCH_GET_H
#define BENCH_GET_H

/* Returns the exit status of the program. */
int bench_get(const char *url, long n, long conns);

/* The same over one HTTP/2 connection. */
int bench_http2(const char *url, long n, long streams);

#endif
