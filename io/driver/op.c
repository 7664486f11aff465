/* SPDX-License-Identifier: MIT */
/* Requests: runs one for a task and cancels it. Also the current driver of a thread and the memory
 * of modules in a run. */
#include "io/driver/op.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#include <whorl/error.h>
#include <whorl/task.h>

#include "io/driver/queue.h"
#include "io/process/sigmask.h"
#include "runtime/base/check.h"

static _Thread_local struct io_driver *current;

struct io_driver *io_driver_current(void)
{
    return current;
}

/* Runs in a forked child. The child's memory is a copy of the parent's, but the ring still belongs
 * to the parent. */
static void leave_to_parent(void)
{
    if (!current)
        return;
    current = NULL;
    sigmask_unblock_sigpipe(); /* a program that the child executes would inherit the mask */
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, leave_to_parent);
}

void io_driver_set(struct io_driver *driver)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, watch_forks);
    if (driver && io_driver_is_copy(driver))
        driver = NULL;
    if (driver && !current)
        sigmask_block_sigpipe();
    else if (!driver && current)
        sigmask_unblock_sigpipe();
    current = driver;
}

void io_driver_init(struct io_driver *driver)
{
    driver->depth = forks_watch();
    queue_init(&driver->cancelled);
}

int io_driver_wait_copy(struct io_driver *driver, int64_t deadline_ns)
{
    struct whorl_waiter *waiter = queue_take(&driver->cancelled);

    if (!waiter)
        return deadline_ns > 0 ? WHORL_ENOIO : 0;
    for (; waiter; waiter = queue_take(&driver->cancelled)) {
        struct io_op *op = (struct io_op *)waiter;
        op->slot = 0;
        io_op_complete(op, -ECANCELED, false);
    }
    return 0;
}

static int refusal(void)
{
    return whorl_poller_current() ? WHORL_ENOIO : WHORL_ENOTASK;
}

/* Submits `op` to the driver. */
static int submit(struct io_driver *driver, struct io_op *op)
{
    op->waiter = (struct whorl_waiter)WHORL_WAITER_INIT;
    op->cancelling = op->closed = false;
    op->stage = 0;
    op->slot = 0;
    op->driver = driver;
    int err = driver->ops->submit(driver, op);
    if (err)
        return err;
    driver->in_flight++;
    driver->background += op->background;
    return 0;
}

static enum whorl_abort abort_op(struct whorl_waiter *waiter)
{
    io_op_cancel((struct io_op *)waiter);
    return WHORL_ABORT_PENDING; /* the kernel uses its memory until the request completes */
}

/* A request that a cancel does not end, except in a forked child, where nothing else would. */
static enum whorl_abort abort_copy(struct whorl_waiter *waiter)
{
    const struct io_op *op = (const struct io_op *)waiter;

    return io_driver_is_copy(op->driver) ? abort_op(waiter) : WHORL_ABORT_PENDING;
}

/* For reports: writes "recv fd 7", or the path instead of the descriptor when the request has one.
 * waiter.data is the name of the call. */
static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct io_op *op = (const struct io_op *)waiter;
    const char *what = waiter->data;

    switch (op->code) {
    case IO_OP_OPENAT:
    case IO_OP_STATX:
    case IO_OP_RENAMEAT:
    case IO_OP_UNLINKAT:
    case IO_OP_MKDIRAT:
    case IO_OP_LINKAT:
    case IO_OP_READLINKAT:
    case IO_OP_UTIMENSAT:
        snprintf(text, size, "%s \"%s\"", what, (const char *)(uintptr_t)op->addr);
        break;
    case IO_OP_SYMLINKAT:
        snprintf(text, size, "%s \"%s\"", what, (const char *)(uintptr_t)op->addr2);
        break;
    case IO_OP_CALL:
        snprintf(text, size, "%s \"%s\"", what, (const char *)(uintptr_t)op->off);
        break;
    default:
        snprintf(text, size, "%s fd %d", what, op->fd);
    }
}

static const struct whorl_wait_kind kind = {describe, NULL};

/* Tells tools/whorl-gdb.py which waiters are requests, and at which offset their descriptor is. */
__attribute__((used)) const struct {
    const struct whorl_wait_kind *kind;
    uint64_t fd;
} op_layout_for_gdb = {&kind, offsetof(struct io_op, fd)};

/* Submits `op` once and waits for its completion. */
WHORL_SUSPENDS static int run_once(struct io_op *op, whorl_abort_fn abort, const char *what)
{
    if (!current) /* this is a child that was forked while the task waited */
        return WHORL_ENOIO;
    int err = submit(current, op);

    op->waiter.kind = &kind;
    op->waiter.data = (void *)(uintptr_t)what;
    return err ? err : (int)whorl_park(&op->waiter, abort, what);
}

/* The events to poll for when `op` fails with -EAGAIN on a non-blocking descriptor. 0: the call
 * returns -EAGAIN. */
static unsigned events_of(const struct io_op *op)
{
    switch (op->code) {
    case IO_OP_READ:
    case IO_OP_READV:
        return POLLIN;
    case IO_OP_WRITE:
    case IO_OP_WRITEV:
        return POLLOUT;
    case IO_OP_RECV:
    case IO_OP_RECVMSG:
        return op->flags & MSG_DONTWAIT ? 0 : POLLIN;
    case IO_OP_SEND:
    case IO_OP_SENDMSG:
        return op->flags & MSG_DONTWAIT ? 0 : POLLOUT;
    default:
        return 0;
    }
}

WHORL_SUSPENDS static int run(struct io_op *op, whorl_abort_fn abort, const char *what)
{
    if (!current || !whorl_task_self())
        return whorl_task_self() ? WHORL_ENOIO : refusal();
    for (;;) {
        if (abort == abort_op && whorl_check_cancelled())
            return -ECANCELED;
        int res = run_once(op, abort, what);
        if (res >= 0)
            return res;
        if (res == -EINTR) {
            /* A worker thread of the kernel was interrupted, by our cancel or for another reason.
             * An interrupted close has still closed the descriptor, see close(2). */
            if (op->code == IO_OP_CLOSE)
                return 0;
            if (op->cancelling)
                return -ECANCELED;
            continue;
        }
        if (res != -EAGAIN || events_of(op) == 0)
            return res;
        struct io_op poll = {.code = IO_OP_POLL, .fd = op->fd, .len = events_of(op)};
        res = run_once(&poll, abort, what);
        if (res < 0 && res != -EINTR)
            return res;
    }
}

WHORL_SUSPENDS int io_op_run(struct io_op *op, const char *what)
{
    return run(op, abort_op, what);
}

WHORL_SUSPENDS_SHIELDED int io_op_run_uncancellable(struct io_op *op, const char *what)
{
    int res = run(op, abort_copy, what); /* -ECANCELED only in a forked child */
    return res;
}

int io_op_start(struct io_op *op)
{
    if (!current)
        return whorl_task_self() ? WHORL_ENOIO : refusal();
    if (current->stopping)
        return -ECANCELED;
    return submit(current, op);
}

void io_op_cancel(struct io_op *op)
{
    if (!io_op_is_in_flight(op) || op->cancelling)
        return;
    if (io_driver_is_copy(op->driver)) {
        op->cancelling = true;
        queue_append(&op->driver->cancelled,
                     &op->waiter); /* its old links are of no use any more */
    } else if (op->code != IO_OP_CLOSE) {
        op->cancelling = true;
        op->driver->ops->cancel(op->driver, op);
    }
}

void io_op_set_background(struct io_op *op, bool background)
{
    if (op->background == background)
        return;
    op->background = background;
    if (io_op_is_in_flight(op)) {
        if (background)
            op->driver->background++;
        else
            op->driver->background--;
    }
}

void io_op_complete(struct io_op *op, int res, bool more)
{
    if (!more) {
        op->driver->in_flight--;
        op->driver->background -= op->background;
    }
    if (op->complete)
        op->complete(op, res, more);
    else
        whorl_wake(&op->waiter, res);
}

struct io_local *io_local_get(const void *key)
{
    if (!current)
        return NULL;
    for (struct io_local *local = current->local; local; local = local->next)
        if (local->key == key)
            return local;
    return NULL;
}

void io_local_add(struct io_local *local)
{
    whorl_check(current && !current->stopping);
    local->next = current->local;
    current->local = local;
}

void io_driver_stop(struct io_driver *driver)
{
    struct io_local *local;

    bool copy = io_driver_is_copy(driver);
    if (!copy) {
        for (local = driver->local; local; local = local->next)
            if (local->stop)
                local->stop(local);
        driver->stopping = true;
        driver->ops->cancel_all(driver);
        while (driver->in_flight > 0) {
            int err = driver->poller.ops->wait(&driver->poller, WHORL_FOREVER);
            whorl_check(err == 0);
        }
    }
    while ((local = driver->local)) {
        driver->local = local->next;
        if (!copy && local->destroy)
            local->destroy(local);
    }
}
