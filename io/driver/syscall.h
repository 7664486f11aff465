/* SPDX-License-Identifier: MIT */
/* Carries out requests by system calls, for a driver that learns when a descriptor is ready and not
 * when a request is complete.
 *
 *     syscall_try()    does what is possible at once, else says what to wait for; never blocks
 *     syscall_block()  blocks, so it is called on a thread that may block
 *     syscall_instead() when there is no such thread: blocks for a disk, but for nothing else
 *
 * No call leaves the O_NONBLOCK flag of a descriptor changed. accept and connect have no flag that
 * prevents blocking, so O_NONBLOCK is set before such a call and restored after it.
 */
#ifndef IO_DRIVER_SYSCALL_H
#define IO_DRIVER_SYSCALL_H

#include <limits.h>

#include "io/driver/op.h"

/* What syscall_try() may return instead of a result. */
enum {
    SYSCALL_WAIT = INT_MIN,       /* call again when one of syscall_events() is reported */
    SYSCALL_THREAD = INT_MIN + 1, /* it may take long: call syscall_block() on a thread */
    SYSCALL_LATER = INT_MIN + 2,  /* call again after a delay; no event reports when */
};

/* What the caller knows about the descriptor. */
enum syscall_state {
    SYSCALL_FIRST,    /* nothing */
    SYSCALL_POLLABLE, /* it can be registered with epoll, so it is no regular file */
    SYSCALL_READY,    /* the same, and one of syscall_events() has just been reported */
};

/* Carries the request out as far as possible without blocking, and counts the bytes that it moved
 * in op->done. Returns the request's result or one of the codes above. */
int syscall_try(struct io_op *op, enum syscall_state state);

/* Carries the request out and blocks as long as that takes. Returns the request's result. */
int syscall_block(struct io_op *op);

/* For a request of syscall_block() for which no thread could be started, with the error `err`:
 * carries it out here if it waits for a disk at most, and never for another process or a peer.
 * Otherwise returns `err`. A close always closes. */
int syscall_instead(struct io_op *op, int err);

/* Whether syscall_block() is the way to carry out a request that io_uring did not. False for what
 * waits for a descriptor that can be polled. */
bool syscall_is_for_threads(const struct io_op *op);

/* Whether -ECANCELED may be the result of the system call: a timerfd whose clock was set. */
bool syscall_cancels_itself(const struct io_op *op);

/* splice(2) between a socket and a pipe, or between two pipes, without blocking: the count, 0 at
 * the end of the input, -EAGAIN or another -errno. -EPERM: one of them is another kind of file, on
 * which the call could block. It raises SIGPIPE, as write(2). */
ssize_t syscall_splice_now(int in_fd, int out_fd, size_t len);

/* Whether the descriptor is a stream socket. */
bool syscall_is_stream_socket(int fd);

/* Whether the connect is to a Unix socket. Then -EAGAIN means that the backlog is full. */
bool syscall_is_unix_connect(const struct io_op *op);

/* The events (POLLIN, ...) that a request on a descriptor waits for. */
unsigned syscall_events(const struct io_op *op);

/* Whether the request never waits for a descriptor, such as a request about a path. */
bool syscall_is_direct(const struct io_op *op);

/* Whether the request uses the file of its descriptor. False for a request on a path that starts at
 * the descriptor. Must not be called for a close. */
bool syscall_is_on_file(const struct io_op *op);

/* The result of a cancelled request: the bytes that it has moved, or -ECANCELED. */
int syscall_cancelled(const struct io_op *op);

#endif
