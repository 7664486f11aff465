/* SPDX-License-Identifier: MIT */
/* The fields of a head or of trailers that a server sends on an HTTP/2 stream: checks each field,
 * and stores it in the stream. nghttp2 checks most of RFC 9113 §8 too; a response is refused even
 * if it did not. The limits are those of HTTP/1.1.
 */
#ifndef IO_HTTP_HTTP2_HEAD_H
#define IO_HTTP_HTTP2_HEAD_H

#include "io/http/http2_stream.h"

/* A head or trailers begin. */
void http2_head_begin(struct http2_stream *s);

/* Takes the next field. 0; WHORL_EHTTP_*, with the stream's `reason` set; -ENOMEM. */
int http2_head_field(struct http2_stream *s, const char *name, size_t name_len, const char *value,
                     size_t value_len);

/* The head or the trailers are complete. 0, or an error as above. */
int http2_head_end(struct http2_stream *s);

/* Sets the text of a failure. Returns `err`. */
__attribute__((format(printf, 3, 4))) int http2_head_refuse(struct http2_stream *s, int err,
                                                            const char *format, ...);

#endif
