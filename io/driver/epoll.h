/* SPDX-License-Identifier: MIT */
/* The epoll driver: used where io_uring is not available. It has the same requests, results and
 * cancellation rules as the io_uring driver, but carries requests out by system calls.
 *
 *     tasks run        submit(op): appends the request to a queue; makes no system call
 *     loop: wait()     tries each queued request without blocking. The request completes, or
 *                        - waits for its descriptor: registered with epoll, tried again on an event
 *                        - may take long (files, paths): a thread runs it and hands it back
 *                      calls epoll_wait once; it does not sleep when a request has completed
 *
 * A registration lasts for one event, so a descriptor without waiting requests causes no wake-ups.
 * A request that begins to wait registers its descriptor again, and this registration detects
 * whether the number still means the same file. When a descriptor is closed while a request waits
 * for it, the request completes with -EBADF as soon as the driver detects the close.
 */
#ifndef IO_DRIVER_EPOLL_H
#define IO_DRIVER_EPOLL_H

#include <whorl/error.h>

#include "io/driver/op.h"

/* Sets up the driver. Returns 0, or a negative code with details in `error`, which may be NULL. */
int epoll_driver_create(struct whorl_error *error, struct io_driver **ret);

/* Counters of what a driver has done so far, for tests and measurements. */
struct epoll_stats {
    uint64_t waits;      /* calls of epoll_wait */
    uint64_t registered; /* registrations by epoll_ctl */
    uint64_t completed;  /* completions */
    uint64_t threaded;   /* completions by threads; included in `completed` */
    uint64_t kicks;      /* events of the descriptor that wakes the loop */
};

const struct epoll_stats *epoll_driver_stats(const struct io_driver *driver);

#endif
