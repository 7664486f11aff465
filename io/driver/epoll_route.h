/* SPDX-License-Identifier: MIT */
/* Where the requests of the epoll driver go: to their completion, to a later try, or to a thread. */
#ifndef IO_DRIVER_EPOLL_ROUTE_H
#define IO_DRIVER_EPOLL_ROUTE_H

#include "io/driver/epoll_state.h"

/* The last completion of a request that stands nowhere, and one of many. */
void epoll_complete(struct epoll *e, struct io_op *op, int res);
void epoll_complete_once(struct epoll *e, struct io_op *op, int res);

/* A request that stands nowhere has come to `res`, a result or what else syscall_try() answers. */
void epoll_route(struct epoll *e, struct io_op *op, int res);

/* Completes what threads have done. */
void epoll_take_jobs(struct epoll *e);

/* Takes a request out of the threads' queue; false when one has begun it. */
bool epoll_withdraw_job(struct epoll *e, struct io_op *op);

/* Cancels the requests that threads have or will have. */
void epoll_cancel_jobs(struct epoll *e);

/* Ends the threads; a forked child's copy has none. */
void epoll_finish_jobs(struct epoll *e);

/* The poller's kick: from any thread. */
void epoll_kick(struct whorl_poller *poller);

#endif
