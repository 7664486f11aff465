/* SPDX-License-Identifier: MIT */
/* The HTTP server. */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H

#include <stdint.h>

/* Returns the exit status of the program. */
int bench_serve(uint16_t port);

#endif
