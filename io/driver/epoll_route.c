/* SPDX-License-Identifier: MIT */
/* Routes requests of the epoll driver: completes them, retries them later or gives them to
 * threads. */
#include "io/driver/epoll_route.h"

#include <errno.h>
#include <unistd.h>

#include "io/driver/syscall.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"

/* Delay before a request is retried for which epoll has no event. It doubles while retries fail. */
#define LATER_MIN_NS (WHORL_MILLISECOND / 2)
#define LATER_MAX_NS (16 * WHORL_MILLISECOND)

void epoll_complete(struct epoll *e, struct io_op *op, int res)
{
    op->slot = PLACE_NONE;
    e->stats.completed++;
    io_op_complete(op, res, false);
}

void epoll_complete_once(struct epoll *e, struct io_op *op, int res)
{
    e->stats.completed++;
    io_op_complete(op, res, true);
}

/* --- threads ---------------------------------------------------------------------------------- */

void epoll_kick(struct whorl_poller *poller)
{
    struct epoll *e = (struct epoll *)poller;

    if (io_driver_is_copy(&e->driver))
        return;
    /* If the flag is already set, the loop has not yet looked at its inbox: it clears the flag
     * before it looks. So it will see the caller's entry without another wake-up. */
    if (!atomic_exchange_explicit(&e->kicked, true, memory_order_acq_rel)) {
        ssize_t n = write(e->kick_fd, &(uint64_t){1}, sizeof(uint64_t));
        whorl_check(n == sizeof(uint64_t));
    }
}

void epoll_take_jobs(struct epoll *e)
{
    struct io_op *op;
    int res;

    while ((op = threads_take_done(&e->threads, &res))) {
        e->stats.threaded++;
        epoll_complete(e, op, res);
    }
}

/* --- routing ---------------------------------------------------------------------------------- */

static void put_off(struct epoll *e, struct io_op *op)
{
    if (queue_is_empty(&e->later))
        backoff_next(&e->retry, clock_monotonic_ns(), LATER_MIN_NS, LATER_MAX_NS);
    op->slot = PLACE_LATER;
    queue_append(&e->later, &op->waiter);
}

void epoll_route(struct epoll *e, struct io_op *op, int res)
{
    if (op->cancelling && (res == SYSCALL_LATER || res == SYSCALL_THREAD)) {
        res = syscall_cancelled(op);
    } else if (res == SYSCALL_LATER) {
        put_off(e, op);
        return;
    } else if (res == SYSCALL_THREAD) {
        res = threads_start(&e->threads, op);
        if (res == 0) {
            op->slot = PLACE_THREAD;
            return;
        }
        res = syscall_instead(op, res);
    }
    epoll_complete(e, op, res);
}
