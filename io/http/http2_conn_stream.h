/* SPDX-License-Identifier: MIT */
/* A stream of an HTTP/2 connection, and how tasks wait for it; for exchanges. */
#ifndef IO_HTTP_HTTP2_CONN_STREAM_H
#define IO_HTTP_HTTP2_CONN_STREAM_H

#include <whorl/park.h>

#include "io/http/http2.h"

struct http2_conn;

/* A stream and the tasks that wait for it: one for the response, and another one for the request's
 * body being sent. Each is NULL when none waits. */
struct http2_conn_stream {
    struct http2_stream base;
    struct http2_conn *conn; /* NULL once closed */
    struct whorl_waiter *receiver, *sender;
};

/* Opens a stream, as http2_open(). */
WHORL_CHECKED int http2_conn_open(struct http2_conn *conn, struct http2_conn_stream *s,
                                  const nghttp2_nv *fields, size_t fields_count, bool has_body);

/* Sends a part of the request's body, as http2_stream_send(), and waits until it has been taken.
 * 0; -EPIPE when the stream has ended; -ECANCELED: the rest of the part is not sent. */
WHORL_SUSPENDS int http2_conn_send(struct http2_conn_stream *s, const char *data, size_t len,
                                   bool last);

/* Waits until the stream has news. 0; -ECANCELED. */
WHORL_SUSPENDS int http2_conn_wait_news(struct http2_conn_stream *s);

/* To be called after http2_stream_take(): a WINDOW_UPDATE may have to be sent. */
void http2_conn_flush(struct http2_conn *conn);

/* Closes the stream, as http2_stream_close(). */
void http2_conn_close(struct http2_conn_stream *s);

#endif
