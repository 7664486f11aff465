/* SPDX-License-Identifier: MIT */
/* What the root tasks of whorl-bench share: the run with its report of a failure, and servers that
 * run until a signal ends them. */
#ifndef BENCH_ROOT_H
#define BENCH_ROOT_H

#include <stdint.h>

#include <whorl/net.h>
#include <whorl/task.h>

/* Runs `root` with I/O. If it fails, prints the reason on standard error, after `what`, the name of
 * the measurement. Returns the exit status of the program. */
int bench_run(const char *what, whorl_task_fn root, void *arg);

/* Listens on a port of 127.0.0.1; 0: a free one. Takes NULL for the default options. */
int bench_listen(uint16_t port, const struct whorl_listen_options *options,
                 struct whorl_listener **ret);

/* Prints the port of the listener, so that clients can start, and waits for SIGINT or SIGTERM. */
WHORL_SUSPENDS int bench_wait_for_end(const struct whorl_listener *listener);

#endif
