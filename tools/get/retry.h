/* SPDX-License-Identifier: MIT */
/* Decides whether a failed transfer is retried. Permanent failures are not. No I/O, no clock. */
#ifndef WHORL_GET_RETRY_H
#define WHORL_GET_RETRY_H

#include <stdbool.h>

/* Whether a retry may succeed after this failure. `err` is the error code; if it is 0, `status` is
 * the failure. `is_local`: writing the file failed, so the same code means something else than for
 * the network: -EPIPE says that the reader of a pipe has gone. */
bool retry_helps(int err, int status, bool is_local);

struct whorl_error;

/* Whether a failure concerns all URLs of a host: no connection to it can be made. It is not about a
 * connection that was refused, and not about one that broke. */
bool retry_is_of_host(const struct whorl_error *error);

#endif
