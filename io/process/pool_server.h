/* SPDX-License-Identifier: MIT */
/* The server of worker processes. */
#ifndef IO_PROCESS_POOL_SERVER_H
#define IO_PROCESS_POOL_SERVER_H

#include <whorl/process_pool.h>

/* Runs the server: forks workers as ordered over `control`, until `control` ends. Never returns. */
__attribute__((noreturn)) void worker_server(int control,
                                             const struct whorl_process_pool_options *options);

#endif
