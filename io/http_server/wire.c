/* SPDX-License-Identifier: MIT */
/* The bytes of one connection of an HTTP server. */
#include "io/http_server/wire.h"

#include <errno.h>
#include <string.h>

#include <whorl/fd.h>
#include <whorl/net.h>
#include <whorl/stream.h>

#include "io/stream/socket.h"

void wire_init(struct http_wire *wire, struct whorl_stream *stream, struct http_store *store,
               const struct whorl_http_server_timeouts *timeouts)
{
    wire->stream = stream;
    wire->store = store;
    wire->timeouts = timeouts;
    wire->large = NULL;
    wire->in = wire->small;
    wire->in_start = wire->in_end = 0;
    wire->has_peer = wire->peer_known = wire->takes_turns = wire->is_ended = false;
    wire->turn = (struct whorl_mutex){0};
}

void wire_finish(struct http_wire *wire)
{
    http_buf_release(wire->store, wire->large);
    wire->large = NULL;
    wire->in = wire->small;
}

/* Moves the unread bytes to another buffer. */
static void move(struct http_wire *wire, char *to)
{
    size_t unread = wire_unread(wire);

    memcpy(to, wire->in + wire->in_start, unread);
    wire->in = to;
    wire->in_start = 0;
    wire->in_end = unread;
}

int wire_enlarge(struct http_wire *wire)
{
    if (wire->large)
        return 0;
    wire->large = http_buf_acquire(wire->store);
    if (!wire->large)
        return -ENOMEM;
    move(wire, wire->large->data);
    return 0;
}

void wire_shrink(struct http_wire *wire)
{
    if (!wire->large || wire_unread(wire) > WIRE_SMALL)
        return;
    move(wire, wire->small);
    wire_finish(wire);
}

WHORL_SUSPENDS ssize_t wire_receive(struct http_wire *wire)
{
    wire->in_start = wire->in_end = 0;
    ssize_t n = whorl_stream_read(wire->stream, wire->in, wire->large ? HTTP_BUF_SIZE : WIRE_SMALL);
    wire->in_end = n > 0 ? (size_t)n : 0;
    return n;
}

WHORL_SUSPENDS ssize_t wire_drop(struct http_wire *wire)
{
    ssize_t n = wire_receive(wire);
    int fd = n == -ESHUTDOWN ? whorl_stream_fd(wire->stream) : -1;

    wire->in_start = wire->in_end = 0;
    return fd < 0 ? n : whorl_recv(fd, wire->in, wire->large ? HTTP_BUF_SIZE : WIRE_SMALL, 0);
}

static WHORL_SUSPENDS int write_once(struct http_wire *wire, const struct iovec *parts, int count)
{
    struct http_stage stage;

    http_stage_enter(&stage, http_deadline(wire->timeouts->write_stall_ns),
                     WHORL_EHTTP_STALL_TIMEOUT, WHORL_FOREVER);
    int err = whorl_stream_writev(wire->stream, parts, count);
    return (int)http_stage_leave(&stage, err);
}

/* Writes the parts in order, long parts in pieces. */
static WHORL_SUSPENDS int write_pieces(struct http_wire *wire, const struct iovec *parts, int count)
{
    int err = 0;

    for (int i = 0; i < count; i++) {
        for (size_t at = 0; at < parts[i].iov_len && err == 0; at += WIRE_PART) {
            size_t left = parts[i].iov_len - at;
            struct iovec piece = {(char *)parts[i].iov_base + at,
                                  left < WIRE_PART ? left : WIRE_PART};
            err = write_once(wire, &piece, 1);
        }
    }
    return err;
}

static WHORL_SUSPENDS int write_all(struct http_wire *wire, const struct iovec *parts, int count)
{
    size_t len = 0;

    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    return len <= WIRE_PART ? write_once(wire, parts, count) : write_pieces(wire, parts, count);
}

WHORL_SUSPENDS int wire_write(struct http_wire *wire, const struct iovec *parts, int count)
{
    if (!wire->takes_turns)
        return write_all(wire, parts, count);
    int err = whorl_mutex_lock(&wire->turn);
    if (err)
        return err;
    err = write_all(wire, parts, count);
    whorl_mutex_unlock(&wire->turn);
    return err;
}

WHORL_SUSPENDS int wire_end(struct http_wire *wire, bool now)
{
    struct http_stage stage;

    if (wire->is_ended || (!now && stream_is_socket(wire->stream)))
        return 0;
    wire->is_ended = true;
    http_stage_enter(&stage, http_deadline(wire->timeouts->write_stall_ns),
                     WHORL_EHTTP_STALL_TIMEOUT, WHORL_FOREVER);
    int err = whorl_stream_close_write(wire->stream);
    return (int)http_stage_leave(&stage, err);
}

/* Sends a part of a file inside the kernel. The count, or a code. */
static WHORL_SUSPENDS int64_t send_part(struct http_wire *wire, int file_fd, int64_t offset,
                                        int64_t len)
{
    struct http_stage stage;

    http_stage_enter(&stage, http_deadline(wire->timeouts->write_stall_ns),
                     WHORL_EHTTP_STALL_TIMEOUT, WHORL_FOREVER);
    int64_t n = whorl_sendfile(file_fd, whorl_stream_option_fd(wire->stream), offset, len);
    return http_stage_leave(&stage, n);
}

/* Copies a part of a file to a stream that is no socket. The count, or a code. */
static WHORL_SUSPENDS int64_t copy_part(struct http_wire *wire, int file_fd, int64_t offset,
                                        int64_t len)
{
    struct http_buf *buf = http_buf_acquire(wire->store);

    if (!buf)
        return -ENOMEM;
    ssize_t n =
        whorl_pread(file_fd, buf->data, len < HTTP_BUF_SIZE ? (size_t)len : HTTP_BUF_SIZE, offset);
    struct iovec part = {buf->data, n > 0 ? (size_t)n : 0};
    int err = n > 0 ? wire_write(wire, &part, 1) : 0;
    http_buf_release(wire->store, buf);
    return err ? err : n;
}

WHORL_SUSPENDS int wire_write_file(struct http_wire *wire, int file_fd, int64_t offset, int64_t len,
                                   int64_t *ret_sent)
{
    bool is_socket = stream_is_socket(wire->stream);
    int64_t n;

    for (*ret_sent = 0; *ret_sent < len; *ret_sent += n) {
        int64_t left = len - *ret_sent;
        if (left > WIRE_FILE_PART)
            left = WIRE_FILE_PART;
        n = is_socket ? send_part(wire, file_fd, offset + *ret_sent, left)
                      : copy_part(wire, file_fd, offset + *ret_sent, left);
        if (n <= 0)
            return n < 0 ? (int)n : WHORL_EHTTP_REPLY_BODY;
    }
    return 0;
}

const struct whorl_addr *wire_peer(struct http_wire *wire)
{
    if (!wire->peer_known) {
        int fd = whorl_stream_option_fd(wire->stream);
        wire->has_peer = fd >= 0 && whorl_addr_peer(fd, &wire->peer) == 0;
        wire->peer_known = true;
    }
    return wire->has_peer ? &wire->peer : NULL;
}
