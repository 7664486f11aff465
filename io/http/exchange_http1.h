/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 as a kind of exchange: it uses a stream alone (RFC 9112). */
#ifndef IO_HTTP_EXCHANGE_HTTP1_H
#define IO_HTTP_EXCHANGE_HTTP1_H

#include "io/http/exchange.h"
#include "io/http/http1.h"

struct whorl_stream;

/* What an exchange is made with. Borrowed for the call, except `stream`: until the end. */
/* Makes an exchange from the store's memory; end it with http_exchange_destroy(). 0 or -ENOMEM. */
WHORL_CHECKED int http1_exchange_create(struct http_store *store,
                                        const struct http_exchange_setup *setup,
                                        struct http_exchange **ret);

/* Frees the exchanges that the store keeps. */
void http1_exchanges_drain(struct http_store *store);

#endif
