/* SPDX-License-Identifier: MIT */
/* Streams over connected stream sockets, TCP or Unix. */
#include "io/stream/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/net.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "io/fd/iov.h"
#include "io/net/socket.h"
#include "io/stream/receiver.h"
#include "runtime/base/check.h"

enum {
    PARTS_MAX = 16, /* entries per system call; they are copied to the stack, so it is small */
};

struct socket_stream {
    struct whorl_stream stream;
    int fd;
    bool is_stream;        /* false: the socket carries packets */
    bool reading, writing; /* a task is in read() or writev() */
    /* A write has reported that the peer reset the connection. The kernel reports the reset only
     * once: later reads would return 0, as at an orderly end. */
    bool reset;
    struct receiver receiver;
};

static WHORL_SUSPENDS ssize_t socket_read(struct whorl_stream *stream, void *buf, size_t len)
{
    struct socket_stream *self = (struct socket_stream *)stream;

    whorl_check(!self->reading);
    self->reading = true;
    ssize_t n = receiver_read(&self->receiver, buf, len);
    self->reading = false;
    return n == 0 && len > 0 && self->reset ? -ECONNRESET : n;
}

static ssize_t socket_try_read(struct whorl_stream *stream, void *buf, size_t len)
{
    struct socket_stream *self = (struct socket_stream *)stream;

    whorl_check(!self->reading);
    ssize_t n = receiver_try_read(&self->receiver, buf, len);
    return n == 0 && len > 0 && self->reset ? -ECONNRESET : n;
}

static bool socket_is_readable(struct whorl_stream *stream)
{
    return receiver_is_readable(&((struct socket_stream *)stream)->receiver);
}

static int socket_start_wait(struct whorl_stream *stream, struct whorl_stream_wait *wait)
{
    struct socket_stream *self = (struct socket_stream *)stream;

    whorl_check(!self->reading);
    return receiver_start_wait(&self->receiver, wait);
}

static enum whorl_abort socket_stop_wait(struct whorl_stream *stream,
                                         struct whorl_stream_wait *wait)
{
    return receiver_stop_wait(&((struct socket_stream *)stream)->receiver, wait);
}

static WHORL_SUSPENDS ssize_t socket_take_received(struct whorl_stream *stream, void *buf,
                                                   size_t len)
{
    struct socket_stream *self = (struct socket_stream *)stream;

    whorl_check(!self->reading);
    self->reading = true;
    ssize_t n = receiver_take_received(&self->receiver, buf, len);
    self->reading = false;
    return n;
}

WHORL_SUSPENDS static ssize_t write_some(const struct socket_stream *self, struct iovec *iov,
                                         int iov_count)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)iov_count};

    if (!self->is_stream)
        return whorl_sendmsg(self->fd, &msg, 0);
    return iov_count == 1 ? socket_send_stream(self->fd, iov->iov_base, iov->iov_len)
                          : socket_sendmsg_stream(self->fd, &msg);
}

/* Writes all bytes of at most PARTS_MAX entries. It changes the entries. */
WHORL_SUSPENDS static int write_parts(const struct socket_stream *self, struct iovec *iov,
                                      int iov_count)
{
    int first = 0;

    iov_advance(iov, iov_count, &first, 0);
    if (first == iov_count)
        return whorl_check_cancelled();
    while (first < iov_count) {
        ssize_t n = write_some(self, iov + first, iov_count - first);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return -EIO;
        iov_advance(iov, iov_count, &first, (size_t)n);
    }
    return 0;
}

static WHORL_SUSPENDS int socket_writev(struct whorl_stream *stream, const struct iovec *iov,
                                        int iov_count)
{
    struct socket_stream *self = (struct socket_stream *)stream;
    int err = 0;

    whorl_check(!self->writing);
    self->writing = true;
    do {
        struct iovec parts[PARTS_MAX];
        int n = iov_count < PARTS_MAX ? iov_count : PARTS_MAX;
        for (int i = 0; i < n; i++)
            parts[i] = iov[i];
        err = write_parts(self, parts, n);
        iov += n;
        iov_count -= n;
    } while (err == 0 && iov_count > 0);
    self->writing = false;
    self->reset = self->reset || err == -ECONNRESET;
    return err;
}

static int socket_close_write(struct whorl_stream *stream)
{
    int err = whorl_check_cancelled();

    return err ? err : whorl_shutdown(((struct socket_stream *)stream)->fd, SHUT_WR);
}

static bool socket_is_idle(struct whorl_stream *stream)
{
    const struct socket_stream *self = (const struct socket_stream *)stream;
    char byte;

    if (receiver_has_received(&self->receiver))
        return false;
    if (receiver_is_quiet(&self->receiver))
        return true;
    return recv(self->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static int socket_fd(struct whorl_stream *stream)
{
    return ((struct socket_stream *)stream)->fd;
}

static void socket_stop_ahead(struct whorl_stream *stream)
{
    receiver_stop(&((struct socket_stream *)stream)->receiver);
}

static void socket_close(struct whorl_stream *stream)
{
    struct socket_stream *self = (struct socket_stream *)stream;

    /* A request in flight would keep the connection open and still use this memory. */
    whorl_check(!self->reading && !self->writing);
    receiver_finish(&self->receiver);
    close(self->fd);
    free(self);
}

static const struct whorl_stream_ops socket_ops = {
    .name = "tcp",
    .read = socket_read,
    .try_read = socket_try_read,
    .is_readable = socket_is_readable,
    .start_wait = socket_start_wait,
    .stop_wait = socket_stop_wait,
    .take_received = socket_take_received,
    .stop_ahead = socket_stop_ahead,
    .writev = socket_writev,
    .close_write = socket_close_write,
    .is_idle = socket_is_idle,
    .fd = socket_fd,
    .close = socket_close,
};

bool stream_is_socket(const struct whorl_stream *stream)
{
    return stream->ops == &socket_ops;
}

bool socket_stream_can_splice(const struct whorl_stream *stream)
{
    return stream_is_socket(stream) && ((const struct socket_stream *)stream)->is_stream;
}

bool socket_stream_is_in_bulk(struct whorl_stream *stream)
{
    return socket_stream_can_splice(stream) &&
           receiver_is_in_bulk(&((struct socket_stream *)stream)->receiver);
}

/* splice(2) has no flag that keeps it from waiting for a socket. But it waits only when nothing is
 * there, and nothing else reads this socket, so the socket is polled first. whorl_splice(), which
 * knows nothing of its descriptors, makes five more system calls for each splice. The pipe is
 * empty, so there is always room in it. */
static WHORL_SUSPENDS ssize_t splice_received(int fd, int pipe_fd, size_t len)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    ssize_t n = whorl_check_cancelled();

    while (n == 0) {
        n = poll(&readable, 1, 0) > 0
                ? splice(fd, NULL, pipe_fd, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                : -1;
        if (n >= 0)
            break;
        if (readable.revents && errno != EAGAIN && errno != EINTR)
            return -errno;
        int events = whorl_poll_fd(fd, POLLIN);
        n = events < 0 ? events : 0;
    }
    /* A fast peer must not keep other tasks from running. The next call will report a
     * cancellation. */
    if (n > 0)
        (void)!whorl_yield();
    return n;
}

WHORL_SUSPENDS ssize_t socket_stream_to_pipe(struct whorl_stream *stream, int pipe_fd, size_t len)
{
    struct socket_stream *self = (struct socket_stream *)stream;

    whorl_check(!self->reading);
    self->reading = true;
    ssize_t n = splice_received(self->fd, pipe_fd, len);
    receiver_note(&self->receiver, n);
    self->reading = false;
    return n == 0 && self->reset ? -ECONNRESET : n;
}

WHORL_SUSPENDS int socket_stream_from_pipe(struct whorl_stream *stream, int pipe_fd, size_t len)
{
    struct socket_stream *self = (struct socket_stream *)stream;
    int err = 0;

    whorl_check(!self->writing);
    self->writing = true;
    while (len > 0 && err == 0) {
        ssize_t n = whorl_splice(pipe_fd, self->fd, len);
        if (n > 0)
            len -= (size_t)n;
        else
            err = n < 0 ? (int)n : -EIO;
    }
    self->writing = false;
    self->reset = self->reset || err == -ECONNRESET;
    return err;
}

int whorl_stream_from_socket(int fd, struct whorl_stream **ret)
{
    struct socket_stream *self;
    int type = 0;
    socklen_t len = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 && errno != ENOTSOCK)
        return -errno;
    self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->is_stream = type == SOCK_STREAM;
    receiver_init(&self->receiver, fd, self->is_stream);
    self->stream.ops = &socket_ops;
    self->fd = fd;
    *ret = &self->stream;
    return 0;
}
