/* SPDX-License-Identifier: MIT */
/* What an HTTP/2 connection is made with. */
#ifndef IO_HTTP_HTTP2_OPTIONS_H
#define IO_HTTP_HTTP2_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum { HTTP2_STREAMS_MAX = 100 }; /* default of our own limit on concurrent streams */

/* 0 in a field means the default. */
struct http2_options {
    size_t head_bytes_max; /* announced to the peer; 64 KiB */
    size_t streams_max;    /* HTTP2_STREAMS_MAX */
    int64_t now_ns;
};

#endif
