/* SPDX-License-Identifier: MIT */
/* One HTTP/2 connection on a stream, which any number of exchanges share. Two daemons serve it, so
 * frames are read and answered while no exchange waits (PING, SETTINGS, the end of the connection):
 *
 *     reader   reads from the stream -> http2_feed() -> wakes the tasks whose streams have news
 *     writer   waits until there is output -> http2_output() -> one write for all frames
 *
 * The reader wakes the writer last. So the tasks that it has woken run before, and all frames that
 * they queue, such as their next requests, leave in one write.
 *
 * http2_conn_destroy() does not wait. The daemons end soon after it, and the last one closes the
 * stream and frees the memory. When the connection fails, the daemons end too and call the owner's
 * `changed`; the owner must still call http2_conn_destroy().
 *
 * When the daemons are asked to stop (whorl/stop.h), no more streams can be opened; only a
 * connection that has had none takes one. The owner learns that by `changed`. So a stop waits for
 * the exchanges in flight, and not for the end of an idle time.
 *
 * This header is for the owner; http2_conn_stream.h is for exchanges. Without nghttp2,
 * http2_conn_none.c has these functions.
 */
#ifndef IO_HTTP_HTTP2_CONN_H
#define IO_HTTP_HTTP2_CONN_H

#include <whorl/base.h>

#include "io/http/http2_options.h"

struct http2_conn;
struct whorl_stream;

/* The function that the connection calls when its state changes, and the argument for it. */
struct http2_conn_owner {
    /* The capacity has changed, or no more streams can be opened. Must not suspend; may close the
     * connection. */
    void (*changed)(void *arg);
    void *arg;
};

/* Whether HTTP/2 is part of this build. */
bool http2_conn_is_supported(void);

/* Starts the daemons. `options` and `owner` are copied.
 * 0; -ENOMEM; -EAGAIN (tasks_max); -ECANCELED when the run is ending; WHORL_EHTTP_VERSION without
 * HTTP/2.
 * Owns: `stream`, on success. */
WHORL_CHECKED int http2_conn_create(struct whorl_stream *stream,
                                    const struct http2_options *options,
                                    const struct http2_conn_owner *owner, struct http2_conn **ret);

/* Sends what is queued, then closes the connection in the background. All its streams must be
 * closed. `changed` is not called any more. Accepts NULL. Never suspends. */
void http2_conn_destroy(struct http2_conn *conn);

/* How many streams may be open at the same time; 0 when no more may be opened. */
size_t http2_conn_capacity(const struct http2_conn *conn);

/* Whether a stream may be opened now, or later when another stream has ended. */
bool http2_conn_is_usable(const struct http2_conn *conn);

/* No stream is open from `now_ns` on. If none is opened for a while, the buffers are freed until
 * the next one is. */
void http2_conn_rest(struct http2_conn *conn, int64_t now_ns);

/* When bytes were received last. */
int64_t http2_conn_received_ns(const struct http2_conn *conn);

/* From now on no stream can be opened, for example because the peer does not answer. The open
 * streams continue. */
void http2_conn_drain(struct http2_conn *conn);

#endif
