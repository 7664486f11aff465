/* SPDX-License-Identifier: MIT */
/* Routes requests of the epoll driver: completes them, retries them later or gives them to
 * threads. */
#ifndef IO_DRIVER_EPOLL_ROUTE_H
#define IO_DRIVER_EPOLL_ROUTE_H

#include "io/driver/epoll_state.h"

/* Complete a request: the first for the last time, the second when more completions follow. For
 * epoll_complete() the request must be in no queue. */
void epoll_complete(struct epoll *e, struct io_op *op, int res);
void epoll_complete_once(struct epoll *e, struct io_op *op, int res);

/* Routes a request that is in no queue. `res` is its result, or SYSCALL_LATER / SYSCALL_THREAD when
 * it must be tried later or run on a thread. */
void epoll_route(struct epoll *e, struct io_op *op, int res);

/* Completes the requests that threads have carried out. */
void epoll_take_jobs(struct epoll *e);

/* The kick of the poller: wakes the loop. May be called from any thread. */
void epoll_kick(struct whorl_poller *poller);

#endif
