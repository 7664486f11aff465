/* SPDX-License-Identifier: MIT */
/* One connection to an origin: a stream with a place in the pool. It carries one exchange at a time
 * (exchange.h) and holds no buffer of its own, so that an idle one costs next to nothing.
 */
#ifndef IO_HTTP_CONN_H
#define IO_HTTP_CONN_H

#include <whorl/base.h>
#include <whorl/error.h>

#include "io/http/pool.h"

struct whorl_http_response;
struct whorl_stream;

struct http_conn {
    struct whorl_stream *stream;  /* owned; NULL until opened */
    struct http_pool_place place; /* the pool's */
};

/* A connection that is not open yet; NULL without memory. */
struct http_conn *http_conn_create(void);

/* Closes and frees. */
void http_conn_destroy(struct http_conn *conn);

/* Closes the stream and keeps the place: the next exchange opens it anew. */
void http_conn_reset(struct http_conn *conn);

/* Opens the response's connection: dial, then TLS, each under its own limit. Fills the response's
 * timing and error. 0; WHORL_EHTTP_CONNECT_TIMEOUT, WHORL_EHTTP_TLS_TIMEOUT; what the dialer and
 * whorl_tls_connect() return. */
WHORL_SUSPENDS int http_conn_open(struct whorl_http_response *response);

#endif
