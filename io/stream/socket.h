/* SPDX-License-Identifier: MIT */
/* The private part of streams over sockets. */
#ifndef IO_STREAM_SOCKET_H
#define IO_STREAM_SOCKET_H

#include <whorl/stream.h>

/* Whether the stream's bytes go to its descriptor as they are, so that sendfile may write there. */
bool stream_is_socket(const struct whorl_stream *stream);

/* Whether the stream is over a stream socket, not one that carries packets, so that the calls below
 * work. */
bool socket_stream_can_splice(const struct whorl_stream *stream);

/* Whether the calls below work, and the next bytes are still in the socket, and much arrives at a
 * time. Then socket_stream_to_pipe() may be used instead of the next read. */
bool socket_stream_is_in_bulk(struct whorl_stream *stream);

/* Moves at most `len` bytes that arrive on the socket into a pipe, which is empty. Without
 * socket_stream_is_in_bulk(), first take what the stream has read ahead, see
 * whorl_stream_take_received(). Returns the count, and otherwise as whorl_stream_read(); -EINVAL
 * when this kind of socket has no splice(2). */
WHORL_SUSPENDS ssize_t socket_stream_to_pipe(struct whorl_stream *stream, int pipe_fd, size_t len);

/* Moves `len` bytes, which are in the pipe, to the socket. Returns as whorl_stream_write(). */
WHORL_SUSPENDS int socket_stream_from_pipe(struct whorl_stream *stream, int pipe_fd, size_t len);

#endif
