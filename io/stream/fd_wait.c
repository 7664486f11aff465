/* SPDX-License-Identifier: MIT */
/* Waits until a descriptor can be read. A wait that is stopped stays in flight until its request
 * completes. */
#include "io/stream/fd_wait.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "io/driver/op.h"
#include "runtime/base/check.h"

/* Allocated on the heap, because streams and cases are smaller without a request. */
struct fd_wait {
    struct io_op op;
    struct whorl_stream_wait *wait;
    bool stopped;
};

bool fd_wait_is_over(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) > 0;
}

static void on_poll(struct io_op *op, int res, bool more)
{
    struct fd_wait *fd_wait = container_of(op, struct fd_wait, op);
    struct whorl_stream_wait *wait = fd_wait->wait;
    bool stopped = fd_wait->stopped;

    whorl_check(!more);
    if (res == -EINTR && !stopped && (res = io_op_start(op)) == 0)
        return;
    free(fd_wait);
    wait->ready(wait, res < 0 && !stopped ? res : 0);
}

int fd_wait_start(int fd, struct whorl_stream_wait *wait)
{
    struct fd_wait *fd_wait = calloc(1, sizeof *fd_wait);

    if (!fd_wait)
        return -ENOMEM;
    fd_wait->op = (struct io_op){.complete = on_poll, .code = IO_OP_POLL, .fd = fd, .len = POLLIN};
    fd_wait->wait = wait;
    wait->data = fd_wait;
    int err = io_op_start(&fd_wait->op);
    if (err)
        free(fd_wait);
    return err;
}

enum whorl_abort fd_wait_stop(struct whorl_stream_wait *wait)
{
    struct fd_wait *fd_wait = wait->data;

    fd_wait->stopped = true;
    io_op_cancel(&fd_wait->op);
    return WHORL_ABORT_PENDING;
}
