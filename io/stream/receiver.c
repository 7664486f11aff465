/* SPDX-License-Identifier: MIT */
/* Receives from a stream socket: directly, or before the reads with a multishot request. */
#include "io/stream/receiver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <whorl/net.h>
#include <whorl/poller.h>
#include <whorl/task.h>

#include "io/driver/op.h"
#include "io/driver/ring_buffers.h"
#include "io/stream/fd_wait.h"
#include "runtime/base/check.h"

enum {
    SMALL_MAX = RING_BUFFERS_SIZE, /* bytes: a small message fits in one buffer */
    SMALL_ROW = 4,
    BULK = 2 * RING_BUFFERS_SIZE, /* bytes per read; to copy them costs more than a request */
    PIECES_MAX = 16,
};

/* Reading ahead. */
struct read_ahead {
    struct io_op op;        /* the multishot request; first field, so pointers to the two convert */
    struct receiver *owner; /* NULL: closed; the last completion frees this */
    struct ring_piece *first; /* the queue of pieces that were received and not read */
    struct ring_piece *last;
    unsigned pieces; /* length of the queue */
    bool accepted;   /* by the kernel: the request in flight has received something */
    bool ended;      /* `result` follows the bytes that were received */
    int result;      /* 0: the end; -errno */
    char *saved;     /* bytes that a run has left when it ended; they precede the queue */
    size_t saved_at, saved_len;
    struct whorl_waiter *reader;  /* the task or select that waits for a completion; NULL: none */
    struct ring_buffers *buffers; /* of the run that it is in */
    struct read_aheads *run;      /* the list of that run; NULL: it is in none */
    struct read_ahead *next;      /* in that list */
    struct read_ahead **link;     /* the pointer that points to this */
    unsigned depth;               /* the process that it belongs to, see forks.h */
};

/* A task that waits for the next completion. */
struct waiting {
    struct whorl_waiter waiter; /* first field, so pointers to the two convert */
    int fd;                     /* for reports */
};

/* All receivers of a run that read ahead. */
struct read_aheads {
    struct io_local local;
    struct read_ahead *first;
};

/* --- the queue -------------------------------------------------------------------------------- */

static void append(struct read_ahead *a, struct ring_piece *piece)
{
    if (a->first)
        a->last->next = piece;
    else
        a->first = piece;
    a->last = piece;
    a->pieces++;
}

static void drop_first(struct read_ahead *a)
{
    struct ring_piece *piece = a->first;

    a->first = piece->next;
    a->pieces--;
    ring_buffers_put(a->buffers, piece);
}

static void drop_saved(struct read_ahead *a)
{
    free(a->saved);
    a->saved = NULL;
    a->saved_at = a->saved_len = 0;
}

static void drop_all(struct read_ahead *a)
{
    while (a->first)
        drop_first(a);
    drop_saved(a);
}

static size_t copy_saved(struct read_ahead *a, char *buf, size_t len)
{
    size_t n = a->saved_len - a->saved_at;

    if (n > len)
        n = len;
    memcpy(buf, a->saved + a->saved_at, n);
    a->saved_at += n;
    if (a->saved_at == a->saved_len)
        drop_saved(a);
    return n;
}

static size_t copy_pieces(struct read_ahead *a, char *buf, size_t len)
{
    size_t copied = 0;

    while (a->first && copied < len) {
        struct ring_piece *piece = a->first;
        size_t n = piece->len < len - copied ? piece->len : len - copied;
        memcpy(buf + copied, piece->bytes, n);
        copied += n;
        piece->bytes += n;
        piece->len -= (uint32_t)n;
        if (piece->len == 0)
            drop_first(a);
    }
    return copied;
}

static bool has_received(const struct read_ahead *a)
{
    return a->first || a->saved || a->ended;
}

/* --- the end of a run ------------------------------------------------------------------------- */

static void leave_run(struct read_ahead *a)
{
    if (!a->run)
        return;
    *a->link = a->next;
    if (a->next)
        a->next->link = a->link;
    a->run = NULL;
    a->buffers = NULL;
}

/* Copies the unread bytes out of the run's buffers before the run ends and frees them, so that
 * another run can read the bytes. */
static void save(struct read_ahead *a)
{
    size_t len = a->saved_len - a->saved_at;

    for (struct ring_piece *piece = a->first; piece; piece = piece->next)
        len += piece->len;
    char *bytes = a->first ? malloc(len) : NULL;
    if (bytes) {
        size_t n = a->saved ? copy_saved(a, bytes, len) : 0;
        copy_pieces(a, bytes + n, len - n);
        a->saved = bytes;
        a->saved_len = len;
    } else if (a->first) { /* the reader must not miss that bytes are lost */
        drop_all(a);
        a->ended = true;
        a->result = -ENOMEM;
    }
    leave_run(a);
}

static void end_run(struct io_local *local)
{
    struct read_aheads *run = (struct read_aheads *)local;

    while (run->first)
        save(run->first);
    free(run);
}

/* Adds it to the list of the current run. 0 or -ENOMEM. */
static int join_run(struct read_ahead *a)
{
    static const char key;
    struct read_aheads *run = (struct read_aheads *)io_local_get(&key);

    if (!run) {
        run = calloc(1, sizeof *run);
        if (!run)
            return -ENOMEM;
        run->local = (struct io_local){.key = &key, .destroy = end_run};
        io_local_add(&run->local);
    }
    if (a->run)
        return 0;
    a->run = run;
    a->next = run->first;
    a->link = &run->first;
    if (a->next)
        a->next->link = &a->next;
    run->first = a;
    return 0;
}

/* --- the request ------------------------------------------------------------------------------ */

static void release(struct read_ahead *a)
{
    drop_all(a);
    leave_run(a);
    free(a);
}

/* Decides what follows the last completion of the request. */
static void on_last(struct read_ahead *a, struct receiver *owner, int res)
{
    switch (res) {
    case -ENOBUFS:
        if (!ring_buffers_grow(a->buffers))
            owner->small = 0;
        break;
    case -EINVAL: /* it is a kind of socket that has no multishot receive */
    case -EAGAIN: /* it has O_NONBLOCK, and this kernel does not wait for it */
        owner->direct_only = true;
        break;
    case -ECANCELED:
    case -EINTR:
    case -ENOMEM:
        if (!a->op.cancelling)
            owner->small = 0;
        break;
    default:
        if (res <= 0) {
            a->ended = true;
            a->result = res;
        }
    }
}

static void on_receive(struct io_op *op, int res, bool more)
{
    struct read_ahead *a = (struct read_ahead *)op;
    struct whorl_waiter *reader = a->reader;

    whorl_check(res <= 0 || op->buffer >= 0);
    a->accepted = true;
    if (op->buffer >= 0) {
        struct ring_piece *piece =
            ring_buffers_take(a->buffers, (unsigned)op->buffer, res > 0 ? (uint32_t)res : 0);
        if (res > 0)
            append(a, piece);
        else
            ring_buffers_put(a->buffers, piece);
    }
    if (!more) {
        if (a->owner)
            on_last(a, a->owner, res);
        ring_buffers_leave(a->buffers);
        if (!a->owner)
            release(a);
    } else if (a->pieces >= PIECES_MAX) {
        io_op_cancel(op);
    }
    if (reader) {
        a->reader = NULL;
        io_op_set_background(op, true);
        whorl_wake(reader, 0);
    }
}

/* Whether another process may have a copy of the socket: this one has forked since. */
static bool is_shared(const struct receiver *r)
{
    return r->forks != atomic_load_explicit(&forks_made, memory_order_relaxed);
}

/* Submits the request. The caller has called ring_buffers_join(). Returns 0, -ENOMEM, or
 * -ECANCELED. */
static int start(struct receiver *r, struct ring_buffers *buffers)
{
    struct read_ahead *a = r->ahead;

    if (!a) {
        a = r->ahead = calloc(1, sizeof *a);
        if (!a)
            return -ENOMEM;
        a->owner = r;
        a->depth = forks_watch();
    }
    a->op = (struct io_op){.complete = on_receive,
                           .code = IO_OP_RECV,
                           .fd = r->fd,
                           .multishot = true,
                           .background = true,
                           .buffer = -1};
    a->buffers = buffers;
    a->accepted = false;
    int err = join_run(a);
    return err ? err : io_op_start(&a->op);
}

/* Begins to read ahead and returns true, if that is worth it. If not, frees r->ahead and returns
 * false: then the caller receives directly. The request must not be in flight, and all bytes that
 * it received must be consumed. */
static bool arm(struct receiver *r)
{
    struct io_driver *driver = io_driver_current();
    struct ring_buffers *buffers = NULL;

    if (r->small >= SMALL_ROW && !r->direct_only && !is_shared(r) && driver && driver->ops->buffers)
        buffers = driver->ops->buffers(driver);
    if (buffers && ring_buffers_join(buffers)) {
        if (start(r, buffers) == 0)
            return true;
        ring_buffers_leave(buffers);
    }
    if (r->ahead)
        release(r->ahead);
    r->ahead = NULL;
    return false;
}

/* --- reading ---------------------------------------------------------------------------------- */

void receiver_note(struct receiver *r, ssize_t n)
{
    if (n > SMALL_MAX)
        r->small = 0;
    else if (n > 0 && r->small < SMALL_ROW)
        r->small++;
}

static WHORL_SUSPENDS ssize_t receive_directly(struct receiver *r, void *buf, size_t len)
{
    ssize_t n = whorl_recv(r->fd, buf, len, 0);

    receiver_note(r, n);
    return n;
}

static enum whorl_abort withdraw(struct whorl_waiter *waiter)
{
    struct read_ahead *a = waiter->data;

    a->reader = NULL;
    io_op_set_background(&a->op, true);
    return WHORL_ABORT_DONE;
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    snprintf(text, size, "recv fd %d", ((const struct waiting *)waiter)->fd);
}

static const struct whorl_wait_kind kind = {describe, NULL};

/* As op_layout_for_gdb in op.c. */
__attribute__((used)) const struct {
    const struct whorl_wait_kind *kind;
    uint64_t fd;
} receiver_layout_for_gdb = {&kind, offsetof(struct waiting, fd)};

/* Waits for the next completion of the request. 0 or -ECANCELED. */
static WHORL_SUSPENDS int wait_completion(struct read_ahead *a)
{
    struct waiting waiting = {.waiter = {.data = a, .kind = &kind}, .fd = a->op.fd};

    whorl_check(!a->reader);
    a->reader = &waiting.waiter;
    io_op_set_background(&a->op, false);
    return (int)whorl_park(&waiting.waiter, withdraw, "recv");
}

/* Returns the next received bytes. When none are left, returns the end or the error that followed
 * them. */
static ssize_t take(struct receiver *r, void *buf, size_t len)
{
    struct read_ahead *a = r->ahead;

    if (a->saved)
        return (ssize_t)copy_saved(a, buf, len);
    if (a->first) {
        size_t n = copy_pieces(a, buf, len);
        if (n >= BULK) {
            r->small = 0;
            io_op_cancel(&a->op);
        }
        return (ssize_t)n;
    }
    a->ended = false;
    return a->result;
}

/* In a forked child, drops what belongs to the parent. */
static void adopt(struct receiver *r)
{
    struct read_ahead *a = r->ahead;

    if (__builtin_expect(!a || !forks_copied(a->depth), 1))
        return;
    a->first = NULL; /* the child does not have the memory of the buffers */
    release(a);
    r->ahead = NULL;
}

/* Makes the checks that each request makes, for a read that may need no request. */
static int check_run(struct receiver *r)
{
    if (!io_driver_current())
        return WHORL_ENOIO;
    adopt(r);
    const struct read_ahead *a = r->ahead;
    whorl_check_text(!a || !a->run || a->op.driver == io_driver_current(),
                     "a stream is read in a run that did not read it before; "
                     "whorl_stream_take_received() must be called in between");
    return 0;
}

static int begin(struct receiver *r)
{
    if (!whorl_task_self())
        return WHORL_ENOTASK;
    int err = check_run(r);
    return err ? err : whorl_check_cancelled();
}

WHORL_SUSPENDS ssize_t receiver_read(struct receiver *r, void *buf, size_t len)
{
    if (!r->ahead && (r->small < SMALL_ROW || !arm(r)))
        return receive_directly(r, buf, len);
    int err = begin(r);
    while (err == 0) {
        struct read_ahead *a = r->ahead;
        if (a && has_received(a))
            return take(r, buf, len);
        if (!(a && io_op_is_in_flight(&a->op)) && !arm(r))
            return receive_directly(r, buf, len);
        if (is_shared(r))
            io_op_cancel(&r->ahead->op);
        err = wait_completion(r->ahead);
    }
    return err;
}

bool receiver_is_in_bulk(struct receiver *r)
{
    adopt(r);
    const struct read_ahead *a = r->ahead;
    return r->small < SMALL_ROW && (!a || (!has_received(a) && !io_op_is_in_flight(&a->op)));
}

WHORL_SUSPENDS ssize_t receiver_take_received(struct receiver *r, void *buf, size_t len)
{
    if (len == 0)
        return -EINVAL; /* 0 would mean that nothing is left */
    int err = begin(r);
    receiver_stop(r);
    struct read_ahead *a = r->ahead;
    while (err == 0 && a && io_op_is_in_flight(&a->op))
        err = wait_completion(a);
    if (err || !a)
        return err;
    /* The end stays: the next reader of the socket sees it too. */
    if (a->first || a->saved || (a->ended && a->result < 0))
        return take(r, buf, len);
    release(a);
    r->ahead = NULL;
    return 0;
}

static ssize_t receive_now(int fd, void *buf, size_t len)
{
    ssize_t n;

    do
        n = recv(fd, buf, len, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* While the request is in flight, the kernel keeps no byte in the socket: it completes the request
 * with it. */
ssize_t receiver_try_read(struct receiver *r, void *buf, size_t len)
{
    int err = check_run(r);

    if (err)
        return err;
    struct read_ahead *a = r->ahead;
    if (a && has_received(a))
        return take(r, buf, len);
    return a && io_op_is_in_flight(&a->op) ? -EAGAIN : receive_now(r->fd, buf, len);
}

bool receiver_is_readable(struct receiver *r)
{
    adopt(r);
    const struct read_ahead *a = r->ahead;
    if (a && has_received(a))
        return true;
    return !(a && io_op_is_in_flight(&a->op)) && fd_wait_is_over(r->fd);
}

static void on_completion(struct whorl_waiter *waiter);

/* Waits for the request if it is in flight, else polls the socket. */
static int wait_readable(struct receiver *r, struct whorl_stream_wait *wait)
{
    struct read_ahead *a = r->ahead;

    wait->waiter = (struct whorl_waiter){.notify = NULL};
    if (!a || !io_op_is_in_flight(&a->op))
        return fd_wait_start(r->fd, wait);
    whorl_check(!a->reader);
    wait->data = r;
    wait->waiter.notify = on_completion;
    a->reader = &wait->waiter;
    io_op_set_background(&a->op, false);
    return 0;
}

static void on_completion(struct whorl_waiter *waiter)
{
    struct whorl_stream_wait *wait = container_of(waiter, struct whorl_stream_wait, waiter);
    struct receiver *r = wait->data;
    int err = 0;

    if (!has_received(r->ahead) && (err = wait_readable(r, wait)) == 0)
        return; /* the request has ended without a byte: poll the socket */
    wait->ready(wait, err);
}

int receiver_start_wait(struct receiver *r, struct whorl_stream_wait *wait)
{
    int err = check_run(r);

    if (err)
        return err;
    if (r->ahead && is_shared(r))
        io_op_cancel(&r->ahead->op);
    return wait_readable(r, wait);
}

enum whorl_abort receiver_stop_wait(struct receiver *r, struct whorl_stream_wait *wait)
{
    if (!wait->waiter.notify)
        return fd_wait_stop(wait);
    r->ahead->reader = NULL;
    io_op_set_background(&r->ahead->op, true);
    return WHORL_ABORT_DONE;
}

void receiver_stop(struct receiver *r)
{
    struct read_ahead *a = r->ahead;

    r->direct_only = true;
    if (a && !forks_copied(a->depth))
        io_op_cancel(&a->op);
}

bool receiver_has_received(const struct receiver *r)
{
    return r->ahead && has_received(r->ahead);
}

bool receiver_is_quiet(const struct receiver *r)
{
    const struct read_ahead *a = r->ahead;
    const struct io_driver *driver = io_driver_current();

    return a && driver && a->op.driver == driver && io_op_is_in_flight(&a->op) && a->accepted &&
           !a->op.cancelling && !has_received(a) && driver->ops->is_quiet(driver);
}

/* --- creation and end ------------------------------------------------------------------------- */

void receiver_init(struct receiver *r, int fd, bool is_stream)
{
    forks_watch();
    *r = (struct receiver){
        .fd = fd,
        .forks = atomic_load_explicit(&forks_made, memory_order_relaxed),
        .direct_only = !is_stream,
    };
}

void receiver_finish(struct receiver *r)
{
    adopt(r);
    struct read_ahead *a = r->ahead;
    if (!a)
        return;
    whorl_check(!a->reader);
    r->ahead = NULL;
    if (io_op_is_in_flight(&a->op)) {
        drop_all(a);
        a->owner = NULL;
        io_op_cancel(&a->op);
    } else {
        release(a);
    }
}
