/* SPDX-License-Identifier: MIT */
/* The TCP echo server. */
#ifndef BENCH_ECHO_H
#define BENCH_ECHO_H

#include <stdint.h>

/* Returns the exit status of the program. */
int bench_echo(uint16_t port);

#endif
