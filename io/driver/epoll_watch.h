/* SPDX-License-Identifier: MIT */
/* The requests of the epoll driver that wait for a descriptor. */
#ifndef IO_DRIVER_EPOLL_WATCH_H
#define IO_DRIVER_EPOLL_WATCH_H

#include "io/driver/epoll_state.h"

/* A request on a descriptor: behind those that wait for the same, or tried at once. */
void epoll_watch_start(struct epoll *e, struct io_op *op);

/* The descriptor is about to be closed: those who wait for it are told. */
void epoll_watch_close(struct epoll *e, int fd);

/* Registers anew what has changed, before the loop sleeps. */
void epoll_watch_arm(struct epoll *e);

/* What epoll_wait() said of a descriptor. */
void epoll_watch_event(struct epoll *e, uint64_t data, unsigned events);

/* Takes a waiting request out. */
void epoll_watch_withdraw(struct epoll *e, struct io_op *op);

/* Cancels all that wait. */
void epoll_watch_cancel(struct epoll *e);

#endif
