/* SPDX-License-Identifier: MIT */
/* Cases of select that wait until a descriptor is ready. Each starts a poll request. When the case
 * is stopped, the request is cancelled and stays in flight until its completion.
 *
 *     select        case               driver
 *     start -------> io_op_start ----> queues the poll
 *                    complete <------- the descriptor is ready
 *                    take() returns:   true: whorl_case_ready
 *                                      false: io_op_start again
 *     stop --------> io_op_cancel      (returns ABORT_PENDING)
 *                    complete <------- the poll has ended: whorl_case_ready drops the case
 */
#include "io/fd/poll_case.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include <whorl/fd.h>

#include "io/driver/op.h"
#include "runtime/base/check.h"

/* Allocated on the heap, because a request does not fit into the case. */
struct poll_watch {
    struct io_op op;
    struct whorl_case *c;
    poll_case_take take;
    bool stopped;
};

/* Stores the watch in `data` of the waiter, which is free for the waiter's owner. */
static void remember(struct whorl_case *c, struct poll_watch *watch)
{
    c->waiter.data = watch;
}

static void on_ready(struct io_op *op, int res, bool more)
{
    struct poll_watch *watch = container_of(op, struct poll_watch, op);
    struct whorl_case *c = watch->c;

    whorl_check(!more);
    /* The poll was interrupted, or another task was faster: poll again. If that fails, its error
     * completes the case. */
    while (!watch->stopped && (res == -EINTR || !watch->take(c, res)))
        if ((res = io_op_start(op)) == 0)
            return;
    free(watch);
    whorl_case_ready(c, c->result);
}

int poll_case_start(struct whorl_case *c, int fd, unsigned events, poll_case_take take)
{
    struct poll_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return -ENOMEM;
    watch->op = (struct io_op){.complete = on_ready, .code = IO_OP_POLL, .fd = fd, .len = events};
    watch->c = c;
    watch->take = take;
    int err = io_op_start(&watch->op);
    if (err) {
        free(watch);
        return err;
    }
    remember(c, watch);
    return 0;
}

enum whorl_abort poll_case_stop(struct whorl_case *c)
{
    struct poll_watch *watch = c->waiter.data;

    watch->stopped = true;
    io_op_cancel(&watch->op);
    return WHORL_ABORT_PENDING;
}

/* --- descriptors ------------------------------------------------------------------------------ */

static bool fd_try(struct whorl_case *c)
{
    struct pollfd poll_fd = {.fd = (int)c->number, .events = (short)(uintptr_t)c->data};

    if (poll(&poll_fd, 1, 0) <= 0)
        return false;
    c->result = poll_fd.revents & POLLNVAL ? -EBADF : poll_fd.revents;
    return true;
}

static bool fd_take(struct whorl_case *c, int res)
{
    c->result = res;
    return true;
}

static int fd_start(struct whorl_case *c)
{
    return poll_case_start(c, (int)c->number, (unsigned)(uintptr_t)c->data, fd_take);
}

struct whorl_case whorl_case_fd(int fd, unsigned events)
{
    static const struct whorl_case_ops ops = {"descriptor", fd_try, fd_start, poll_case_stop};
    return (struct whorl_case){.ops = &ops, .data = (void *)(uintptr_t)events, .number = fd};
}
