/* SPDX-License-Identifier: MIT */
/* Ports for tests on loopback: free ones, ones that refuse, and ones that never answer. */
#ifndef TEST_PORTS_H
#define TEST_PORTS_H

#include <stdint.h>

/* Returns a listening socket on 127.0.0.1 with a port that the kernel chooses. `ret_port` may be
 * NULL. */
int port_listen(uint16_t *ret_port);

/* Returns another listening socket on the same port of ::1; -1 on a machine without IPv6. */
int port_listen_v6(uint16_t port);

/* Returns a port of 127.0.0.1 that refuses connections until the test ends: it is bound but does
 * not listen. */
uint16_t port_refused(void);

/* Returns a port of 127.0.0.1 on which a connect() gets no answer until the test ends: its backlog
 * is full. */
uint16_t port_blackhole(void);

#endif
