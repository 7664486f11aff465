/* SPDX-License-Identifier: MIT */
/* Failures of an HTTP/2 connection and of its streams: what a failure means for the requests, which
 * error and text each stream gets, and which frame tells the peer. A failure of a stream leaves the
 * other streams alone. A failure of the connection fails all streams that are not over.
 */
#ifndef IO_HTTP_HTTP2_FAIL_H
#define IO_HTTP_HTTP2_FAIL_H

#include "io/http/http2_state.h"

/* Queues a RST_STREAM with the error code, unless the stream has ended or one is queued. */
void http2_fail_reset(struct http2_stream *s, uint32_t code);

/* nghttp2 has queued or sent a RST_STREAM of its own for the stream. */
void http2_fail_note_reset(struct http2_stream *s);

/* The stream has failed; `reason` has been set. The first failure counts, and none after the end of
 * the response. */
void http2_fail_stream(struct http2_stream *s, int err);

/* nghttp2 has closed the stream with this error code. Fails the stream if its response is not
 * complete. */
void http2_fail_closed_stream(struct http2_stream *s, uint32_t code);

/* The connection has failed. The first failure counts. */
void http2_fail_connection(struct http2 *h, int err, const char *reason);

/* Fails the connection because of the peer, and queues a GOAWAY with the error code. */
void http2_fail_peer(struct http2 *h, int err, uint32_t code, const char *reason);

/* The peer has used up its allowance: fails the connection with WHORL_EHTTP_FLOOD. */
void http2_fail_flood(struct http2 *h);

#endif
