/* SPDX-License-Identifier: MIT */
/* A build without nghttp2: there are no HTTP/2 exchanges. */
#include <whorl/error.h>

#include "io/http/exchange_http2.h"

int http2_exchange_create(struct http_store *store, const struct http_exchange_setup *setup,
                          struct http_exchange **ret)
{
    (void)store;
    (void)setup;
    (void)ret;
    return WHORL_EHTTP_VERSION;
}

void http2_exchanges_drain(struct http_store *store)
{
    (void)store;
}
