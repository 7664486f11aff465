/* SPDX-License-Identifier: MIT */
/* Streams: the functions that do not depend on what carries the bytes. */
#include <errno.h>

#include <whorl/stream.h>
#include <whorl/task.h>

#include "io/fd/to_end.h"

WHORL_SUSPENDS ssize_t whorl_stream_read(struct whorl_stream *stream, void *buf, size_t len)
{
    return stream->ops->read(stream, buf, len);
}

ssize_t whorl_stream_try_read(struct whorl_stream *stream, void *buf, size_t len)
{
    return stream->ops->try_read ? stream->ops->try_read(stream, buf, len) : -EOPNOTSUPP;
}

WHORL_SUSPENDS ssize_t whorl_stream_take_received(struct whorl_stream *stream, void *buf,
                                                  size_t len)
{
    if (!stream->ops->take_received)
        return whorl_check_cancelled();
    return stream->ops->take_received(stream, buf, len);
}

WHORL_SUSPENDS int whorl_stream_read_exact(struct whorl_stream *stream, void *buf, size_t len)
{
    char *at = buf;

    if (len == 0)
        return whorl_check_cancelled();
    while (len > 0) {
        ssize_t n = stream->ops->read(stream, at, len);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return -ENODATA;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static WHORL_SUSPENDS ssize_t read_stream(void *stream, void *buf, size_t len)
{
    return whorl_stream_read(stream, buf, len);
}

WHORL_SUSPENDS int whorl_stream_read_to_end(struct whorl_stream *stream, size_t len_max, char **ret,
                                            size_t *ret_len)
{
    return to_end_read(read_stream, stream, TO_END_SIZE, len_max, ret, ret_len);
}

WHORL_SUSPENDS int whorl_stream_write(struct whorl_stream *stream, const void *buf, size_t len)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};

    return stream->ops->writev(stream, &part, 1);
}

WHORL_SUSPENDS int whorl_stream_writev(struct whorl_stream *stream, const struct iovec *iov,
                                       int iov_count)
{
    return stream->ops->writev(stream, iov, iov_count);
}

WHORL_SUSPENDS int whorl_stream_close_write(struct whorl_stream *stream)
{
    return stream->ops->close_write(stream);
}

bool whorl_stream_is_idle(struct whorl_stream *stream)
{
    return stream->ops->is_idle(stream);
}

int whorl_stream_fd(struct whorl_stream *stream)
{
    if (stream->ops->stop_ahead)
        stream->ops->stop_ahead(stream);
    return stream->ops->fd(stream);
}

int whorl_stream_option_fd(struct whorl_stream *stream)
{
    return stream->ops->fd(stream);
}

void whorl_stream_close(struct whorl_stream *stream)
{
    if (stream)
        stream->ops->close(stream);
}
