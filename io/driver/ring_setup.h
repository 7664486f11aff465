/* SPDX-License-Identifier: MIT */
/* Setting up an io_uring on whatever kernel there is. */
#ifndef IO_DRIVER_RING_SETUP_H
#define IO_DRIVER_RING_SETUP_H

#include <liburing.h>

#include <whorl/error.h>

/* Sets up a ring with the best flags the kernel takes and bounds the number of its worker threads.
 * `entries` 0: 1024. Returns 0 with the IORING_FEAT_ bits in `ret_features`, or a negative code with
 * `error`, which may be NULL, filled in. */
int ring_setup(struct io_uring *uring, unsigned entries, struct whorl_error *error,
               unsigned *ret_features);

/* The value of kernel.io_uring_disabled; 0 where there is no such thing. */
int ring_disabled_by_sysctl(void);

#endif
