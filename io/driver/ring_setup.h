/* SPDX-License-Identifier: MIT */
/* Sets up an io_uring with the best features that the kernel offers. */
#ifndef IO_DRIVER_RING_SETUP_H
#define IO_DRIVER_RING_SETUP_H

#include <liburing.h>

#include <whorl/error.h>

/* Sets up a ring with the best flags that the kernel accepts, and limits the number of its worker
 * threads. `entries` 0: 1024. Returns 0 with the IORING_FEAT_ bits in `ret_features`, or a negative
 * code with the details in `error`, which may be NULL. */
int ring_setup(struct io_uring *uring, unsigned entries, struct whorl_error *error,
               unsigned *ret_features);

/* Whether RLIMIT_NPROC is 0. The kernel then lets a ring have no worker threads for what is no
 * regular file, and a request that needs one never completes. */
bool ring_is_without_workers(void);

/* The value of the sysctl kernel.io_uring_disabled; 0 on kernels without it. */
int ring_disabled_by_sysctl(void);

#endif
