/* SPDX-License-Identifier: MIT */
/* Streams over pipes: over one pipe in one direction, or over two pipes in both directions. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/fd.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "io/driver/op.h"
#include "io/fd/iov.h"
#include "io/stream/fd_wait.h"
#include "runtime/base/check.h"

enum {
    PARTS_MAX = 16, /* entries per system call; they are copied to the stack, so it is small */
};

struct pipe_stream {
    struct whorl_stream stream;
    int read_fd, write_fd; /* -1: there is none, or it is closed */
    bool reading, writing; /* a task is in read() or writev() */
};

static WHORL_SUSPENDS ssize_t pipe_read(struct whorl_stream *stream, void *buf, size_t len)
{
    struct pipe_stream *self = (struct pipe_stream *)stream;

    if (self->read_fd < 0)
        return -EBADF;
    whorl_check(!self->reading);
    self->reading = true;
    ssize_t n = whorl_read(self->read_fd, buf, len);
    self->reading = false;
    return n;
}

static ssize_t pipe_try_read(struct whorl_stream *stream, void *buf, size_t len)
{
    struct pipe_stream *self = (struct pipe_stream *)stream;
    ssize_t n;

    if (self->read_fd < 0)
        return -EBADF;
    whorl_check(!self->reading);
    do
        n = read(self->read_fd, buf, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static bool pipe_is_readable(struct whorl_stream *stream)
{
    const struct pipe_stream *self = (const struct pipe_stream *)stream;

    return self->read_fd < 0 || fd_wait_is_over(self->read_fd);
}

static int pipe_start_wait(struct whorl_stream *stream, struct whorl_stream_wait *wait)
{
    return fd_wait_start(((struct pipe_stream *)stream)->read_fd, wait);
}

static enum whorl_abort pipe_stop_wait(struct whorl_stream *stream, struct whorl_stream_wait *wait)
{
    (void)stream;
    return fd_wait_stop(wait);
}

/* Writes all bytes of at most PARTS_MAX entries. It changes the entries. */
WHORL_SUSPENDS static int write_parts(int fd, struct iovec *iov, int iov_count)
{
    int first = 0;

    iov_advance(iov, iov_count, &first, 0);
    while (first < iov_count) {
        int err = whorl_check_cancelled();
        if (err)
            return err;
        ssize_t n = writev(fd, iov + first, iov_count - first);
        if (n < 0)
            n = -errno;
        if (n > 0) {
            iov_advance(iov, iov_count, &first, (size_t)n);
            err = first < iov_count ? 0 : whorl_yield(); /* fast readers never make us wait */
            if (err == WHORL_ENOTASK)
                return err;
        } else if (n == -EAGAIN) {
            err = whorl_poll_fd(fd, POLLOUT);
            if (err < 0)
                return err;
        } else if (n != -EINTR) {
            return n < 0 ? (int)n : -EIO;
        }
    }
    return 0;
}

static WHORL_SUSPENDS int pipe_writev(struct whorl_stream *stream, const struct iovec *iov,
                                      int iov_count)
{
    struct pipe_stream *self = (struct pipe_stream *)stream;
    int err = whorl_task_self() ? whorl_check_cancelled() : WHORL_ENOTASK;

    if (err == 0 && !io_driver_current()) /* SIGPIPE is blocked only in a run with I/O */
        err = WHORL_ENOIO;
    if (err)
        return err;
    if (self->write_fd < 0)
        return -EBADF;
    whorl_check(!self->writing);
    self->writing = true;
    while (err == 0 && iov_count > 0) {
        struct iovec parts[PARTS_MAX];
        int n = iov_count < PARTS_MAX ? iov_count : PARTS_MAX;
        for (int i = 0; i < n; i++)
            parts[i] = iov[i];
        err = write_parts(self->write_fd, parts, n);
        iov += n;
        iov_count -= n;
    }
    self->writing = false;
    return err;
}

/* Closing the write end is the only way to half-close a pipe. */
static int pipe_close_write(struct whorl_stream *stream)
{
    struct pipe_stream *self = (struct pipe_stream *)stream;
    int err = whorl_check_cancelled();

    if (err)
        return err;
    whorl_check(!self->writing);
    if (self->write_fd >= 0)
        close(self->write_fd);
    self->write_fd = -1;
    return 0;
}

static bool pipe_is_idle(struct whorl_stream *stream)
{
    struct pipe_stream *self = (struct pipe_stream *)stream;
    struct pollfd ends[2] = {{.fd = self->read_fd, .events = POLLIN}, {.fd = self->write_fd}};

    return poll(ends, 2, 0) == 0;
}

static int pipe_fd(struct whorl_stream *stream)
{
    struct pipe_stream *self = (struct pipe_stream *)stream;

    return self->read_fd >= 0 ? self->read_fd : self->write_fd;
}

static void pipe_close(struct whorl_stream *stream)
{
    struct pipe_stream *self = (struct pipe_stream *)stream;

    /* A request in flight would still use this memory. */
    whorl_check(!self->reading && !self->writing);
    if (self->read_fd >= 0)
        close(self->read_fd);
    if (self->write_fd >= 0)
        close(self->write_fd);
    free(self);
}

static const struct whorl_stream_ops pipe_ops = {
    .name = "pipe",
    .read = pipe_read,
    .try_read = pipe_try_read,
    .is_readable = pipe_is_readable,
    .start_wait = pipe_start_wait,
    .stop_wait = pipe_stop_wait,
    .writev = pipe_writev,
    .close_write = pipe_close_write,
    .is_idle = pipe_is_idle,
    .fd = pipe_fd,
    .close = pipe_close,
};

static int set_nonblocking(int fd)
{
    int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);

    return fd < 0 || (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) ? 0 : -errno;
}

int whorl_stream_from_pipe(int read_fd, int write_fd, struct whorl_stream **ret)
{
    struct pipe_stream *self;
    int err = set_nonblocking(read_fd);

    if (err == 0)
        err = set_nonblocking(write_fd);
    if (err)
        return err;
    self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->stream.ops = &pipe_ops;
    self->read_fd = read_fd;
    self->write_fd = write_fd;
    *ret = &self->stream;
    return 0;
}
