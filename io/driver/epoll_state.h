/* SPDX-License-Identifier: MIT */
/* The state of the epoll driver, which its parts share.
 *
 *     epoll.c        the driver: turns, submitting, cancelling, set-up and end
 *     epoll_watch.c  requests that wait for a descriptor
 *     epoll_route.c  where a request goes: its completion, a later try, a thread
 *
 * Each uses those below it.
 */
#ifndef IO_DRIVER_EPOLL_STATE_H
#define IO_DRIVER_EPOLL_STATE_H

#include <stdatomic.h>

#include "io/driver/epoll_stats.h"
#include "io/driver/op.h"
#include "io/driver/queue.h"
#include "io/driver/watch.h"
#include "runtime/base/thread_pool.h"

/* Where a request is; in op->slot. */
enum place {
    PLACE_NONE,
    PLACE_QUEUED,     /* on `queued`, not tried yet */
    PLACE_WATCH,      /* on a list of its descriptor's watch, op->waiter.queue */
    PLACE_REGISTERED, /* the same, and that has been registered since it came */
    PLACE_LATER,      /* on `later` */
    PLACE_THREAD,     /* a thread has it or will; op->waiter.queue is its job */
    PLACE_ENDED,      /* on `ended`: cancelled, its completion is due */
};

struct job;

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

    struct thread_pool *workers; /* NULL until a request needs one */
    struct job *jobs, *free_jobs;
    _Atomic(struct job *) done; /* by threads, last first */

    int kick_fd;
    atomic_bool kicked; /* from the write to kick_fd until its event was seen */

    struct epoll_stats stats;
};

#endif
