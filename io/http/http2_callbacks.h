/* SPDX-License-Identifier: MIT */
/* The functions that nghttp2 calls for the frames of a connection: they keep the state of the
 * connection and of its streams, and count each frame against the peer's allowance.
 *
 *     frame of the peer    -> on_begin_frame -> on_begin_headers, on_header... -> on_frame
 *                                            -> on_data                        -> on_frame
 *     invalid frame        -> on_error, on_invalid_frame
 *     frame of ours        -> on_frame_sent, when http2_output() returns it
 *     end of a stream      -> on_stream_close, also after a reset by either side
 *
 * nghttp2 calls nothing for frames of unknown types, and for DATA of a stream that has been reset.
 */
#ifndef IO_HTTP_HTTP2_CALLBACKS_H
#define IO_HTTP_HTTP2_CALLBACKS_H

#include <nghttp2/nghttp2.h>

/* Sets all callbacks. The argument of the nghttp2 session must be a struct http2. */
void http2_callbacks_set(nghttp2_session_callbacks *callbacks);

#endif
