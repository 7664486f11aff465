/* SPDX-License-Identifier: MIT */
/* An HTTP/2 server in memory, which nghttp2 runs: a dialer for sessions. It works on virtual time.
 *
 *     HTTP2_SERVER server = {.streams_max = 5};
 *     struct whorl_http_session_options options = {.dialer = http2_server_dialer(&server),
 *                                                  .version = WHORL_HTTP_2};
 *
 *     /body/TEXT   200 with the body TEXT
 *     /echo        200 with the body of the request, after its end
 *     /large       200 with HTTP2_SERVER_LARGE bytes of fake_pattern(); the trailer is "sum: right"
 *     /slow        200 after 2 s
 *     /stuck       200 with the first 5 bytes of a body that has no end
 *     /never       nothing
 */
#ifndef TEST_HTTP2_SERVER_H
#define TEST_HTTP2_SERVER_H

#include <whorl/http.h>

enum { HTTP2_SERVER_LARGE = 5 << 20 };

struct http2_server {
    int64_t dial_ns;      /* duration of dialling */
    uint32_t streams_max; /* that each connection takes at a time; 0: 100 */
    int refuse;           /* the next requests are refused with REFUSED_STREAM */
    int calm;             /* the next requests are reset with ENHANCE_YOUR_CALM */
    int http1_required;   /* the next requests are reset with HTTP_1_1_REQUIRED */
    int goaway_after;     /* each connection sends GOAWAY after this many requests; 0: none */
    int64_t close_ns;     /* each connection is closed after this time; 0: never */
    int64_t ping_ns;      /* each connection gets a PING after this time; 0: never */
    bool silent;          /* nothing is ever sent */
    size_t chunk;         /* each read of the client returns at most this many bytes; 0: no limit */

    int dialled, open;   /* connections so far, and now */
    int concurrent_max;  /* most requests at a time on one connection */
    int refused;         /* streams that were refused */
    int resets;          /* RST_STREAM of the client */
    uint32_t reset_code; /* of the last one */
    int pongs, goodbyes; /* PING acknowledgements and GOAWAY of the client */
    char requests[8192]; /* a line per request: its fields */
    size_t requests_len;
    struct http2_server_conn *conns;
};

/* Ends the connections. */
WHORL_SUSPENDS_SHIELDED void http2_server_finish(struct http2_server *server);

#define HTTP2_SERVER __attribute__((cleanup(http2_server_finish))) struct http2_server

struct whorl_http_dialer http2_server_dialer(struct http2_server *server);

#endif
