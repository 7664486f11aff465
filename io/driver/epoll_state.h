/* SPDX-License-Identifier: MIT */
/* The state of the epoll driver, which its parts share.
 *
 *     epoll.c        the driver: turns, submitting, cancelling, set-up and end
 *     epoll_watch.c  requests that wait for a descriptor
 *     epoll_route.c  routes a request: completes it, retries it later, or gives it to a thread
 *
 * Each file uses only the files below it.
 */
#ifndef IO_DRIVER_EPOLL_STATE_H
#define IO_DRIVER_EPOLL_STATE_H

#include <stdatomic.h>

#include "io/driver/epoll_stats.h"
#include "io/driver/op.h"
#include "io/driver/queue.h"
#include "io/driver/threads.h"
#include "io/driver/watch.h"
#include "runtime/base/backoff.h"

/* The place of a request; stored in op->slot. */
enum place {
    PLACE_NONE,
    PLACE_QUEUED,     /* in `queued`, to be tried */
    PLACE_WATCH,      /* in a list of its descriptor's watch, which is op->waiter.queue */
    PLACE_REGISTERED, /* the same, and the watch was registered after the request joined the list */
    PLACE_LATER,      /* in `later` */
    PLACE_THREAD,     /* queued for a thread or running on one, see threads.h */
    PLACE_ENDED,      /* in `ended`: cancelled, not completed yet */
};

struct epoll {
    struct io_driver driver;
    int fd;
    struct watch_table watches;
    struct watch *dirty;        /* watches to be registered again before the next sleep */
    struct whorl_waiter queued; /* requests to be tried, in order of submission */
    struct whorl_waiter later;  /* requests to be tried again at retry.at_ns */
    struct whorl_waiter ended;  /* cancelled requests, not completed yet */
    struct whorl_waiter mark;   /* in the queue that start_all() starts: later requests follow it */
    struct backoff retry;
    size_t waiting;    /* requests in the lists of watches */
    int64_t looked_ns; /* when epoll_wait returned last */
    bool look_due;     /* events may be pending: a host's loop saw one, or there were too many */
    bool milliseconds; /* the kernel has no epoll_pwait2 (before 5.11) */

    struct threads threads;

    int kick_fd;
    atomic_bool kicked; /* true from the write to kick_fd until the loop sees its event */

    struct epoll_stats stats;
};

#endif
