/* SPDX-License-Identifier: MIT */
/* Requests as system calls: for a driver that is told when to call, not when it is done.
 *
 *     syscall_try()    what can be had at once, or what to wait for; never blocks the thread
 *     syscall_block()  on a thread of its own
 *
 * No blocking flag of a descriptor is left changed: where a call has no flag of its own for it
 * (accept, connect) the descriptor's is set around the call and put back.
 */
#ifndef IO_DRIVER_SYSCALL_H
#define IO_DRIVER_SYSCALL_H

#include <limits.h>

#include "io/driver/op.h"

/* What syscall_try() may answer in place of a result. */
enum {
    SYSCALL_WAIT = INT_MIN,       /* again when one of syscall_events() holds */
    SYSCALL_THREAD = INT_MIN + 1, /* it may take long: syscall_block() */
    SYSCALL_LATER = INT_MIN + 2,  /* again after a while; there is no event for it */
};

/* Where an operation that cannot be tried without blocking stands. */
enum syscall_state {
    SYSCALL_FIRST,    /* nothing is known of the descriptor */
    SYSCALL_POLLABLE, /* it can be waited for: it is no file */
    SYSCALL_READY,    /* and one of syscall_events() has just been seen */
};

/* Carries the request out as far as it goes, counting in op->done what it moved. Returns its result
 * or one of the above. */
int syscall_try(struct io_op *op, enum syscall_state state);

/* Carries it out and blocks as long as it takes. Returns its result. */
int syscall_block(struct io_op *op);

/* The events (POLLIN, ...) that a request on a descriptor waits for. */
unsigned syscall_events(const struct io_op *op);

/* Whether the request is about a path, or needs no waiting for any descriptor. */
bool syscall_is_direct(const struct io_op *op);

/* What a request that was told to stop has come to: the bytes it had moved, or -ECANCELED. */
int syscall_cancelled(const struct io_op *op);

#endif
