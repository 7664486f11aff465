/* SPDX-License-Identifier: MIT */
/* The epoll driver: for where io_uring is not to be had. The same requests, results and rules of
 * cancellation as the ring's, by system calls.
 *
 *     tasks run        submit(op): put on a list, nothing is called
 *     loop: wait()     each is tried without blocking. It completes, or
 *                        - waits for its descriptor: registered with epoll, tried again on its event
 *                        - takes long (files, paths): goes to a thread, which brings it back
 *                      one epoll_wait, which does not sleep when something has completed
 *
 * Registrations are for one event, so a descriptor nobody waits for costs no wake-up, and a request
 * that begins to wait registers anew, which finds out whether the number still means the same file.
 * A request whose descriptor was closed under it completes with -EBADF once that is seen.
 */
#ifndef IO_DRIVER_EPOLL_H
#define IO_DRIVER_EPOLL_H

#include <whorl/error.h>

#include "io/driver/epoll_stats.h"
#include "io/driver/op.h"

/* Sets the driver up. Returns 0, or a negative code with `error`, which may be NULL, filled in. */
int epoll_driver_create(struct whorl_error *error, struct io_driver **ret);

const struct epoll_stats *epoll_driver_stats(const struct io_driver *driver);

#endif
