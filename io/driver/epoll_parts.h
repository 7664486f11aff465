/* SPDX-License-Identifier: MIT */
/* The parts of the epoll driver among themselves: its state, and what each offers the others.
 *
 *     epoll.c        the driver: turns, submitting, cancelling, set-up and end
 *     epoll_watch.c  requests that wait for a descriptor
 *     epoll_route.c  where a request goes: its completion, a later try, a thread
 *
 * Each uses those below it.
 */
#ifndef IO_DRIVER_EPOLL_PARTS_H
#define IO_DRIVER_EPOLL_PARTS_H

#include <stdatomic.h>

#include "io/driver/epoll.h"
#include "io/driver/queue.h"
#include "io/driver/threads.h"
#include "io/driver/watch.h"

/* Where a request is; in op->slot. */
enum place {
    PLACE_NONE,
    PLACE_QUEUED,     /* on `queued`, not tried yet */
    PLACE_WATCH,      /* on a list of its descriptor's watch, op->waiter.queue */
    PLACE_REGISTERED, /* the same, and that has been registered since it came */
    PLACE_LATER,      /* on `later` */
    PLACE_THREAD,     /* a thread has it or will, see threads.h */
    PLACE_ENDED,      /* on `ended`: cancelled, its completion is due */
};

struct epoll {
    struct io_driver driver;
    int fd;
    struct watch_table watches;
    struct watch *dirty;        /* to be registered anew before the next sleep */
    struct whorl_waiter queued; /* requests not tried yet, in order */
    struct whorl_waiter later;  /* to be tried again at later_at_ns */
    struct whorl_waiter ended;  /* cancelled, not completed yet */
    struct whorl_waiter mark;   /* in the queue that is being started: what follows came later */
    int64_t later_at_ns, later_delay_ns;
    size_t waiting;    /* requests in watches */
    int64_t looked_ns; /* when epoll_wait returned last */
    bool look_due; /* events may wait: a loop that is not ours saw one, or there were too many */
    bool milliseconds; /* epoll_pwait2 is not to be had (before 5.11) */

    struct threads threads;

    int kick_fd;
    atomic_bool kicked; /* from the write to kick_fd until its event was seen */

    struct epoll_stats stats;
};

/* --- epoll_route.c ------------------------------------------------------------------------------ */

/* The last completion of a request that stands nowhere, and one of many. */
void epoll_complete(struct epoll *e, struct io_op *op, int res);
void epoll_complete_once(struct epoll *e, struct io_op *op, int res);

/* A request that stands nowhere has come to `res`, a result or what else syscall_try() answers. */
void epoll_route(struct epoll *e, struct io_op *op, int res);

/* Completes what threads have done. */
void epoll_take_jobs(struct epoll *e);

/* The poller's kick: from any thread. */
void epoll_kick(struct whorl_poller *poller);

/* --- epoll_watch.c ------------------------------------------------------------------------------ */

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
