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

/* Moves at most `len` bytes that arrive on the socket into a pipe. First take what the stream has
 * read ahead, see whorl_stream_take_received(). Returns the count, and otherwise as
 * whorl_stream_read(). */
WHORL_SUSPENDS ssize_t socket_stream_to_pipe(struct whorl_stream *stream, int pipe_fd, size_t len);

/* Moves `len` bytes, which are in the pipe, to the socket. Returns as whorl_stream_write(). */
WHORL_SUSPENDS int socket_stream_from_pipe(struct whorl_stream *stream, int pipe_fd, size_t len);

#endif
