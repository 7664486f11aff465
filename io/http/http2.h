/* SPDX-License-Identifier: MIT */
/* The client's side of one HTTP/2 connection (RFC 9113): bytes from the peer in, bytes to the peer
 * out, and the state of each stream. nghttp2 reads and writes the frames. Nothing here does I/O.
 *
 *     http2_create(&options, &h)
 *     http2_open(h, &stream, fields, count, false)        // queues HEADERS
 *     n = http2_output(h, buf, sizeof buf)                // send these bytes; repeat until 0
 *     err = http2_feed(h, bytes, n, now)                  // what the peer has sent
 *     while ((stream = http2_next_changed(h))) ...        // these have news
 *     chunk = http2_stream_take(&stream)                  // body bytes, in their order
 *     http2_stream_close(&stream)                         // RST_STREAM, unless it has ended
 *
 * A stream goes through these states. An error may follow each of them but the last:
 *
 *     opened -> informational* -> has_head -> chunks* -> is_over (trailers are known)
 *
 * A failure of one stream sets `err` of that stream and resets it; the others are not affected. A
 * failure of the connection fails all streams that are not over.
 *
 * What the peer may do is limited:
 *
 *     response heads    head_bytes_max, headers_max and informational_max, as in HTTP/1.1
 *     bodies            body_bytes_max; bytes that were received and not yet taken: STREAM_WINDOW
 *                       per stream, CONNECTION_WINDOW for all streams
 *     pushed streams    none: SETTINGS_ENABLE_PUSH is 0, and PUSH_PROMISE ends the connection
 *     other frames      frames that bring no response any further (PING, SETTINGS, RST_STREAM,
 *                       WINDOW_UPDATE, PRIORITY, CONTINUATION, empty DATA, unknown ones) use up an
 *                       allowance, which grows with time and with each part of a response or of a
 *                       request's body: http2_allowance.h
 */
#ifndef IO_HTTP_HTTP2_H
#define IO_HTTP_HTTP2_H

#include <nghttp2/nghttp2.h>

#include "io/http/http2_options.h"
#include "io/http/http2_stream.h"

enum {
    HTTP2_CONNECTION_WINDOW = 16 << 20,
    HTTP2_STREAM_WINDOW = 2 << 20,
};

/* Makes the state of a connection, with our SETTINGS queued. 0 or -ENOMEM. */
WHORL_CHECKED int http2_create(const struct http2_options *options, struct http2 **ret);

/* The connection becomes idle: frees memory that is kept for the next requests. */
void http2_rest(struct http2 *h);

/* Frees. Every stream must be closed. Accepts NULL. */
void http2_destroy(struct http2 *h);

/* Takes bytes from the peer. After a failure of the connection it drops them. */
void http2_feed(struct http2 *h, const char *bytes, size_t len, int64_t now_ns);

/* Whether the connection has failed; to be asked after http2_feed() and http2_output(). All its
 * streams have failed then, and what http2_output() still returns is sent before the close.
 *
 * 0; WHORL_EHTTP_PROTOCOL, WHORL_EHTTP_VERSION: the peer's bytes are not valid; WHORL_EHTTP_FLOOD:
 * it sends too many frames that bring no response any further; -ENOMEM. */
int http2_error(const struct http2 *h);

/* The connection has ended: fails all streams that are not over, with `err`, or if that is 0, with
 * what an orderly end means for each. No more streams are opened.
 *
 * @text  why, if `err` is not 0; NULL: as its code says */
void http2_end(struct http2 *h, int err, const char *text);

/* Writes the bytes to be sent next to `buf`, at least one frame as far as it fits. The count; 0:
 * nothing is to be sent, or the connection has failed (http2_error()). */
size_t http2_output(struct http2 *h, char *buf, size_t cap);

/* Whether http2_output() would return bytes. */
bool http2_has_output(const struct http2 *h);

/* Whether nothing more will be received or sent. */
bool http2_is_over(const struct http2 *h);

/* How many streams may be open at the same time, as both sides allow; 0 when the connection takes
 * no more. */
size_t http2_capacity(const struct http2 *h);

/* Whether no stream will be opened any more: GOAWAY, a failure, or no stream number left. */
bool http2_is_draining(const struct http2 *h);

/* Opens no more streams. Those that are open continue. */
void http2_drain(struct http2 *h);

/* Queues a GOAWAY. The connection is over when it has been sent. */
void http2_say_goodbye(struct http2 *h);

/* What is wrong with the peer's bytes, after an error of the connection. */
const char *http2_reason(const struct http2 *h);

/* Opens a stream and queues the head of its request. The caller has set `limits` (0: default),
 * `is_head`, `store` and `owner`. `fields` are copied.
 * 0; -ENOMEM; WHORL_EHTTP_REFUSED: no stream may be opened. */
WHORL_CHECKED int http2_open(struct http2 *h, struct http2_stream *s, const nghttp2_nv *fields,
                             size_t fields_count, bool has_body);

/* Gives the next part of the request's body; `out_len` must be 0. It is sent when `out_len` is 0
 * again; the stream is then in the list of changed ones. `last`: the body ends with it. Without
 * memory the stream fails. */
void http2_stream_send(struct http2_stream *s, const char *data, size_t len, bool last);

/* Takes back what has not been sent of the last part. The body cannot be continued. */
void http2_stream_unsend(struct http2_stream *s);

/* Takes the oldest chunk and gives its room in the windows back. NULL when there is none, as after
 * http2_stream_close(). The caller returns it with http2_chunk_release(). */
struct http2_chunk *http2_stream_take(struct http2_stream *s);

/* Closes the stream: resets it unless it has ended, and drops what was not taken. The fields of the
 * response stay valid until http2_stream_finish(). */
void http2_stream_close(struct http2_stream *s);

/* Frees the memory of a closed stream. Accepts a zeroed struct. */
void http2_stream_finish(struct http2_stream *s);

/* Removes a stream from the list of those with news and returns it; NULL when there is none. */
struct http2_stream *http2_next_changed(struct http2 *h);

#endif
