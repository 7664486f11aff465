/* SPDX-License-Identifier: MIT */
/* Which driver carries out a run's requests: io_uring, or epoll where the kernel refuses it. */
#ifndef IO_DRIVER_DRIVER_H
#define IO_DRIVER_DRIVER_H

#include <whorl/error.h>

#include "io/driver/op.h"

enum { DRIVER_WHY_SIZE = 128 };

/* Sets up the driver that WHORL_DRIVER names; without it io_uring, or epoll when io_uring is not
 * permitted here or the kernel's is none we can use. Any other failure is one: it would come back as
 * a slower program that nobody understands.
 *
 * @entries  as in whorl_io_options
 * @error    may be NULL
 * @ret_why  what made it not io_uring by default, e.g. "io_uring refused: operation not permitted
 *           (kernel.io_uring_disabled=2)"; empty when nothing did; may be NULL
 *
 * Returns: 0; -EINVAL for a name that is no driver's; what setting it up came to. */
int driver_create(unsigned entries, struct whorl_error *error, struct io_driver **ret,
                  char ret_why[DRIVER_WHY_SIZE]);

#endif
