/* SPDX-License-Identifier: MIT */
/* What the files of the epoll driver share: its state, and the functions each file offers the
 * others.
 *
 *     epoll.c        the driver: turns, submitting, cancelling, set-up and end
 *     epoll_watch.c  requests that wait for a descriptor
 *     epoll_route.c  routes a request: completes it, retries it later, or gives it to a thread
 *
 * Each file uses only the files below it.
 */
#ifndef IO_DRIVER_EPOLL_PARTS_H
#define IO_DRIVER_EPOLL_PARTS_H

#include <stdatomic.h>

#include "io/driver/epoll.h"
#include "io/driver/queue.h"
#include "io/driver/watch.h"
#include "runtime/base/thread_pool.h"

/* The place of a request; stored in op->slot. */
enum place {
    PLACE_NONE,
    PLACE_QUEUED,     /* in `queued`, not tried yet */
    PLACE_WATCH,      /* in a list of its descriptor's watch, which is op->waiter.queue */
    PLACE_REGISTERED, /* the same, and the watch was registered after the request joined the list */
    PLACE_LATER,      /* in `later` */
    PLACE_THREAD,     /* queued for a thread or running on one; op->waiter.queue is its job */
    PLACE_ENDED,      /* in `ended`: cancelled, not completed yet */
};

struct job;

struct epoll {
    struct io_driver driver;
    int fd;
    struct watch_table watches;
    struct watch *dirty;        /* watches to be registered again before the next sleep */
    struct whorl_waiter queued; /* requests not tried yet, in order of submission */
    struct whorl_waiter later;  /* requests to be tried again at later_at_ns */
    struct whorl_waiter ended;  /* cancelled requests, not completed yet */
    struct whorl_waiter mark;   /* in the queue that start_all() starts: later requests follow it */
    int64_t later_at_ns, later_delay_ns;
    size_t waiting;    /* requests in the lists of watches */
    int64_t looked_ns; /* when epoll_wait returned last */
    bool look_due;     /* events may be pending: a host's loop saw one, or there were too many */
    bool milliseconds; /* the kernel has no epoll_pwait2 (before 5.11) */

    struct thread_pool *workers; /* NULL until a request needs a thread */
    struct job *jobs, *free_jobs;
    _Atomic(struct job *) done; /* jobs that threads have finished, the last one first */

    int kick_fd;
    atomic_bool kicked; /* true from the write to kick_fd until the loop sees its event */

    struct epoll_stats stats;
};

/* --- epoll_route.c ---------------------------------------------------------------------------- */

/* Complete a request: the first for the last time, the second when more completions follow. For
 * epoll_complete() the request must be in no queue. */
void epoll_complete(struct epoll *e, struct io_op *op, int res);
void epoll_complete_once(struct epoll *e, struct io_op *op, int res);

/* Routes a request that is in no queue. `res` is its result, or SYSCALL_LATER / SYSCALL_THREAD when
 * it must be tried later or run on a thread. */
void epoll_route(struct epoll *e, struct io_op *op, int res);

/* Completes the requests whose jobs threads have finished. */
void epoll_take_jobs(struct epoll *e);

/* Removes a request from the threads' queue. Returns false when a thread has already started it. */
bool epoll_withdraw_job(struct epoll *e, struct io_op *op);

/* Cancels the requests that are running on a thread or queued for one. */
void epoll_cancel_jobs(struct epoll *e);

/* Ends the threads and frees the jobs. In a forked child there are no threads to end. */
void epoll_finish_jobs(struct epoll *e);

/* The kick of the poller: wakes the loop. May be called from any thread. */
void epoll_kick(struct whorl_poller *poller);

/* --- epoll_watch.c ---------------------------------------------------------------------------- */

/* Starts a request on a descriptor: tries it at once, or appends it when others of its kind already
 * wait for the descriptor. */
void epoll_watch_start(struct epoll *e, struct io_op *op);

/* To be called before a descriptor is closed: completes the requests that wait for it. */
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
