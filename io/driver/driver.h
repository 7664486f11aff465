/* SPDX-License-Identifier: MIT */
/* Chooses the driver that carries out a run's requests: io_uring, or epoll if io_uring is
 * refused. */
#ifndef IO_DRIVER_DRIVER_H
#define IO_DRIVER_DRIVER_H

#include <whorl/error.h>

#include "io/driver/op.h"

enum { DRIVER_WHY_SIZE = 128 };

/* Sets up the driver that the environment variable WHORL_DRIVER names. When the variable is not
 * set, this is io_uring, or epoll when io_uring is not permitted here or the kernel's io_uring is
 * missing or too old. Any other failure of io_uring is returned, because a silent change to epoll
 * would only show as a slower program.
 *
 * @entries  as in whorl_io_options
 * @error    may be NULL
 * @ret_why  why the driver is not the default choice, e.g. "io_uring refused: operation not
 *           permitted (kernel.io_uring_disabled=2)"; empty when it is; may be NULL
 *
 * Returns: 0; -EINVAL for an unknown driver name; an error of setting up the driver. */
int driver_create(unsigned entries, struct whorl_error *error, struct io_driver **ret,
                  char ret_why[DRIVER_WHY_SIZE]);

#endif
