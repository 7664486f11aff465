/* SPDX-License-Identifier: MIT */
/* The requests of the epoll driver that wait for a descriptor. */
#ifndef IO_DRIVER_EPOLL_WATCH_H
#define IO_DRIVER_EPOLL_WATCH_H

#include "io/driver/epoll_state.h"

/* Starts a request on a descriptor: tries it at once, as the system call would, also when other
 * requests wait for the descriptor. If it has to wait, it is served after those requests. */
void epoll_watch_start(struct epoll *e, struct io_op *op);

/* Call this before a descriptor is closed. Completes the requests that wait for it, with the bytes
 * they have moved or -EBADF. */
void epoll_watch_close(struct epoll *e, int fd);

/* Registers the changed watches with epoll. Called before the loop sleeps. */
void epoll_watch_arm(struct epoll *e);

/* Handles one event that epoll_wait() has returned. */
void epoll_watch_event(struct epoll *e, uint64_t data, unsigned events);

/* Removes a waiting request from its watch, without completing it. */
void epoll_watch_withdraw(struct epoll *e, struct io_op *op);

/* Cancels all waiting requests. */
void epoll_watch_cancel(struct epoll *e);

#endif
