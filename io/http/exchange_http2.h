/* SPDX-License-Identifier: MIT */
/* HTTP/2 as a kind of exchange: it uses a stream of a connection that other exchanges share (RFC
 * 9113). */
#ifndef IO_HTTP_EXCHANGE_HTTP2_H
#define IO_HTTP_EXCHANGE_HTTP2_H

#include "io/http/exchange.h"
#include "io/http/http1.h"

struct http2_conn;

/* What an exchange is made with. Borrowed for the call, except `conn`: until the end. */
/* Makes an exchange from the store's memory; end it with http_exchange_destroy(). 0 or -ENOMEM. */
WHORL_CHECKED int http2_exchange_create(struct http_store *store,
                                        const struct http_exchange_setup *setup,
                                        struct http_exchange **ret);

/* Frees the exchanges and chunks that the store keeps. */
void http2_exchanges_drain(struct http_store *store);

#endif
