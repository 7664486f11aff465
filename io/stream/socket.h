/* SPDX-License-Identifier: MIT */
/* The private part of streams over sockets. */
#ifndef IO_STREAM_SOCKET_H
#define IO_STREAM_SOCKET_H

#include <whorl/stream.h>

/* Whether the stream's bytes go to its descriptor as they are, so that sendfile may write there. */
bool stream_is_socket(const struct whorl_stream *stream);

#endif
