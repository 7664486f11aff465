/* SPDX-License-Identifier: MIT */
/* The head of a request as HTTP/2 fields. It is made from the bytes that request.c writes for
 * HTTP/1.1, so all its checks apply to both versions. No I/O.
 */
#ifndef IO_HTTP_HTTP2_REQUEST_H
#define IO_HTTP_HTTP2_REQUEST_H

#include <nghttp2/nghttp2.h>
#include <stddef.h>

#include "io/http/request.h"

/* The most fields that a head has besides the caller's headers. */
enum { HTTP2_REQUEST_FIELDS = 16 };

/* Makes the fields of the head that request_head_write() has written to `bytes`. Changes the names
 * there to lower case. The fields point into `bytes` and into the URL of `head`. The count. */
size_t http2_request_fields(const struct request_head *head, char *bytes, size_t len,
                            nghttp2_nv *fields, size_t fields_max);

/* Makes the fields of trailers that request_trailers_write() has written, as http2_request_fields()
 * does of a head. The count. */
size_t http2_trailer_fields(char *bytes, size_t len, nghttp2_nv *fields);

#endif
