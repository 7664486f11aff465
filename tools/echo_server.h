/* SPDX-License-Identifier: MIT */
/* A TCP echo server with one task per connection. */
#ifndef TOOLS_ECHO_SERVER_H
#define TOOLS_ECHO_SERVER_H

#include <stddef.h>

#include <whorl/net.h>

struct echo_server {
    struct whorl_listener *listener;
    size_t stack_size; /* of the connections' tasks; 0: the run's default */
};

/* The function of the server's task; `arg` is the server. Accepts connections until accepting fails
 * or the task is cancelled. */
WHORL_SUSPENDS int echo_server_run(void *arg);

#endif
