/* SPDX-License-Identifier: MIT */
/* Receives from a stream socket: directly, or in advance by a multishot request. */
#include "io/stream/receiver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/net.h>
#include <whorl/poller.h>
#include <whorl/task.h>

#include "io/driver/op.h"
#include "io/driver/ring_buffers.h"
#include "runtime/base/check.h"

enum {
    SMALL_MAX = RING_BUFFERS_SIZE, /* a message of so many bytes is small: it fits in one buffer */
    SMALL_ROW = 4,
    BULK =
        2 * RING_BUFFERS_SIZE, /* with so many bytes per read, the copy costs more than it saves */
    PIECES_MAX = 16,
};

struct receiver {
    struct io_op op; /* the multishot request; first field, so pointers to the two convert */
    int fd;
    unsigned depth;   /* the process that it belongs to, see forks.h */
    unsigned forks;   /* the value of `forks_made` when it was created */
    unsigned small;   /* small messages in a row, at most SMALL_ROW */
    bool direct_only; /* it never receives in advance (again) */
    bool active;      /* it may have a request in flight, or something that it has received */
    bool ended;       /* `result` follows the bytes that were received */
    bool closed;      /* the last completion frees it */
    int result;       /* 0: the end; -errno */
    unsigned pieces;  /* length of the queue */
    struct ring_piece *first, *last;
    char *saved; /* bytes that a run has left when it ended; they precede the queue */
    size_t saved_at, saved_len;
    struct whorl_waiter *reader;   /* the task that waits; NULL: none */
    struct ring_buffers *buffers;  /* those of `run` */
    struct receivers *run;         /* the list that it is in; NULL: none */
    struct receiver *next, **link; /* neighbours in that list; `link` points to the pointer to it */
};

/* The active receivers of a run. */
struct receivers {
    struct io_local local;
    struct receiver *first;
};

/* --- the queue -------------------------------------------------------------------------------- */

static void append(struct receiver *r, struct ring_piece *piece)
{
    if (r->first)
        r->last->next = piece;
    else
        r->first = piece;
    r->last = piece;
    r->pieces++;
}

static void drop_first(struct receiver *r)
{
    struct ring_piece *piece = r->first;

    r->first = piece->next;
    r->pieces--;
    ring_buffers_put(r->buffers, piece);
}

static void drop_saved(struct receiver *r)
{
    free(r->saved);
    r->saved = NULL;
    r->saved_at = r->saved_len = 0;
}

static void drop_all(struct receiver *r)
{
    while (r->first)
        drop_first(r);
    drop_saved(r);
}

static size_t copy_saved(struct receiver *r, char *buf, size_t len)
{
    size_t n = r->saved_len - r->saved_at;

    if (n > len)
        n = len;
    memcpy(buf, r->saved + r->saved_at, n);
    r->saved_at += n;
    if (r->saved_at == r->saved_len)
        drop_saved(r);
    return n;
}

static size_t copy_pieces(struct receiver *r, char *buf, size_t len)
{
    size_t copied = 0;

    while (r->first && copied < len) {
        struct ring_piece *piece = r->first;
        size_t n = piece->len < len - copied ? piece->len : len - copied;
        memcpy(buf + copied, piece->bytes, n);
        copied += n;
        piece->bytes += n;
        piece->len -= (uint32_t)n;
        if (piece->len == 0)
            drop_first(r);
    }
    return copied;
}

bool receiver_has_received(const struct receiver *r)
{
    return r->first || r->saved || r->ended;
}

/* --- the receivers of a run ------------------------------------------------------------------- */

static void leave_run(struct receiver *r)
{
    if (!r->run)
        return;
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    r->run = NULL;
    r->buffers = NULL;
}

/* The run ends, and its buffers with it: keeps what they contain, so that another run can read
 * it. */
static void save(struct receiver *r)
{
    size_t len = r->saved_len - r->saved_at;

    for (struct ring_piece *piece = r->first; piece; piece = piece->next)
        len += piece->len;
    char *bytes = r->first ? malloc(len) : NULL;
    if (bytes) {
        size_t n = r->saved ? copy_saved(r, bytes, len) : 0;
        copy_pieces(r, bytes + n, len - n);
        r->saved = bytes;
        r->saved_len = len;
    } else if (r->first) { /* the reader must not miss that bytes are lost */
        drop_all(r);
        r->ended = true;
        r->result = -ENOMEM;
    }
    leave_run(r);
}

static void end_run(struct io_local *local)
{
    struct receivers *run = (struct receivers *)local;

    while (run->first)
        save(run->first);
    free(run);
}

/* Puts the receiver into the list of the current run. 0 or -ENOMEM. */
static int join_run(struct receiver *r)
{
    static const char key;
    struct receivers *run = (struct receivers *)io_local_get(&key);

    if (!run) {
        run = calloc(1, sizeof *run);
        if (!run)
            return -ENOMEM;
        run->local = (struct io_local){.key = &key, .destroy = end_run};
        io_local_add(&run->local);
    }
    if (r->run)
        return 0;
    r->run = run;
    r->next = run->first;
    r->link = &run->first;
    if (r->next)
        r->next->link = &r->next;
    run->first = r;
    return 0;
}

/* --- forks ------------------------------------------------------------------------------------ */

/* In a forked child, drops what belongs to the parent. */
static void adopt(struct receiver *r)
{
    if (__builtin_expect(!forks_copied(r->depth), 1))
        return;
    r->first = NULL; /* the child does not have the memory of the buffers */
    r->pieces = 0;
    drop_saved(r);
    leave_run(r);
    r->op = (struct io_op){0};
    r->reader = NULL;
    r->ended = r->active = false;
    r->depth = forks_watch();
}

/* Whether another process may have a copy of the socket: this one has forked since. */
static bool is_shared(const struct receiver *r)
{
    return r->forks != atomic_load_explicit(&forks_made, memory_order_relaxed);
}

/* --- the request ------------------------------------------------------------------------------ */

static void release(struct receiver *r)
{
    drop_all(r);
    leave_run(r);
    free(r);
}

/* Decides what follows the last completion of the request. */
static void on_last(struct receiver *r, int res)
{
    switch (res) {
    case -ENOBUFS:
        if (!ring_buffers_grow(r->buffers))
            r->small = 0;
        break;
    case -EINVAL: /* it is a kind of socket that has no multishot receive */
    case -EAGAIN: /* it has O_NONBLOCK, and this kernel does not wait for it */
        r->direct_only = true;
        break;
    case -ECANCELED:
    case -EINTR:
    case -ENOMEM:
        if (!r->op.cancelling)
            r->small = 0;
        break;
    default:
        if (res <= 0) {
            r->ended = true;
            r->result = res;
        }
    }
    ring_buffers_leave(r->buffers);
}

static void on_receive(struct io_op *op, int res, bool more)
{
    struct receiver *r = (struct receiver *)op;
    struct whorl_waiter *reader = r->reader;

    whorl_check(res <= 0 || op->buffer >= 0);
    if (op->buffer >= 0) {
        struct ring_piece *piece =
            ring_buffers_take(r->buffers, (unsigned)op->buffer, res > 0 ? (uint32_t)res : 0);
        if (res > 0)
            append(r, piece);
        else
            ring_buffers_put(r->buffers, piece);
    }
    if (!more)
        on_last(r, res);
    else if (r->pieces >= PIECES_MAX)
        io_op_cancel(op);
    if (r->closed) {
        if (!more)
            release(r);
        return;
    }
    if (reader) {
        r->reader = NULL;
        io_op_set_background(op, true);
        whorl_wake(reader, 0);
    }
}

/* There is nothing left of what was received in advance. */
static void rest(struct receiver *r)
{
    leave_run(r);
    r->active = false;
}

/* Submits the request. False: receive directly. The receiver must be idle: it has no request in
 * flight and nothing that it has received. */
static bool arm(struct receiver *r)
{
    struct io_driver *driver = io_driver_current();

    if (r->small < SMALL_ROW || r->direct_only || is_shared(r) || !driver || !driver->ops->buffers)
        return false;
    struct ring_buffers *buffers = driver->ops->buffers(driver);
    if (!buffers || !ring_buffers_join(buffers))
        return false;
    r->op = (struct io_op){
        .complete = on_receive, .code = IO_OP_RECV, .fd = r->fd, .multishot = true, .buffer = -1};
    if (join_run(r) == 0) {
        r->buffers = buffers;
        if (io_op_start(&r->op) == 0)
            return r->active = true;
    }
    ring_buffers_leave(buffers);
    return false;
}

/* --- reading ---------------------------------------------------------------------------------- */

static WHORL_SUSPENDS ssize_t receive_directly(struct receiver *r, void *buf, size_t len)
{
    ssize_t n = whorl_recv(r->fd, buf, len, 0);

    if (n > SMALL_MAX)
        r->small = 0;
    else if (n > 0 && r->small < SMALL_ROW)
        r->small++;
    return n;
}

static enum whorl_abort withdraw(struct whorl_waiter *waiter)
{
    struct receiver *r = waiter->data;

    r->reader = NULL;
    io_op_set_background(&r->op, true);
    return WHORL_ABORT_DONE;
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct receiver *r = waiter->data;

    snprintf(text, size, "recv fd %d", r->fd);
}

/* Waits for the next completion of the request. 0 or -ECANCELED. */
static WHORL_SUSPENDS int wait_completion(struct receiver *r)
{
    static const struct whorl_wait_kind kind = {describe, NULL};
    struct whorl_waiter waiter = WHORL_WAITER_INIT;

    waiter.data = r;
    waiter.kind = &kind;
    r->reader = &waiter;
    io_op_set_background(&r->op, false);
    return (int)whorl_park(&waiter, withdraw, "recv");
}

/* Returns the next of what was received: bytes, or the end or an error behind them. */
static ssize_t take(struct receiver *r, void *buf, size_t len)
{
    if (r->saved)
        return (ssize_t)copy_saved(r, buf, len);
    if (r->first) {
        size_t n = copy_pieces(r, buf, len);
        if (n >= BULK) {
            r->small = 0;
            io_op_cancel(&r->op);
        }
        return (ssize_t)n;
    }
    r->ended = false;
    return r->result;
}

/* For a receiver that is active: what every request checks before it is submitted. */
static int begin(struct receiver *r)
{
    if (!whorl_task_self())
        return WHORL_ENOTASK;
    if (!io_driver_current())
        return WHORL_ENOIO;
    adopt(r);
    whorl_check_text(!r->run || r->op.driver == io_driver_current(),
                     "a stream is read in another run than before; "
                     "whorl_stream_take_received() must be called in between");
    if (io_op_is_in_flight(&r->op) && is_shared(r))
        io_op_cancel(&r->op);
    return whorl_check_cancelled();
}

WHORL_SUSPENDS ssize_t receiver_read(struct receiver *r, void *buf, size_t len)
{
    if (!r->active && !arm(r))
        return receive_directly(r, buf, len);
    int err = begin(r);
    while (err == 0) {
        if (receiver_has_received(r))
            return take(r, buf, len);
        if (!io_op_is_in_flight(&r->op) && !arm(r)) {
            rest(r);
            return receive_directly(r, buf, len);
        }
        err = wait_completion(r);
    }
    return err;
}

WHORL_SUSPENDS ssize_t receiver_take_received(struct receiver *r, void *buf, size_t len)
{
    if (len == 0)
        return -EINVAL; /* 0 would mean that nothing is left */
    int err = begin(r);
    receiver_stop(r);
    while (err == 0 && io_op_is_in_flight(&r->op))
        err = wait_completion(r);
    if (err)
        return err;
    /* The end is not taken: whoever reads the socket next sees it as well. */
    if (r->first || r->saved || (r->ended && r->result < 0))
        return take(r, buf, len);
    rest(r);
    return 0;
}

void receiver_stop(struct receiver *r)
{
    r->direct_only = true;
    if (io_op_is_in_flight(&r->op) && !forks_copied(r->depth))
        io_op_cancel(&r->op);
}

/* --- creation and end ------------------------------------------------------------------------- */

int receiver_create(int fd, struct receiver **ret)
{
    struct receiver *r = calloc(1, sizeof *r);

    if (!r)
        return -ENOMEM;
    r->fd = fd;
    r->depth = forks_watch();
    r->forks = atomic_load_explicit(&forks_made, memory_order_relaxed);
    *ret = r;
    return 0;
}

void receiver_destroy(struct receiver *r)
{
    adopt(r);
    whorl_check(!r->reader);
    drop_all(r);
    if (!io_op_is_in_flight(&r->op)) {
        release(r);
        return;
    }
    r->closed = true;
    io_op_cancel(&r->op);
}
