/* SPDX-License-Identifier: MIT */
/* A build without nghttp2: there are no HTTP/2 connections. */
#include <whorl/error.h>

#include "io/http/http2_conn.h"

bool http2_conn_is_supported(void)
{
    return false;
}

int http2_conn_create(struct whorl_stream *stream, const struct http2_options *options,
                      const struct http2_conn_owner *owner, struct http2_conn **ret)
{
    (void)stream;
    (void)options;
    (void)owner;
    (void)ret;
    return WHORL_EHTTP_VERSION;
}

void http2_conn_destroy(struct http2_conn *conn)
{
    (void)conn;
}

void http2_conn_rest(struct http2_conn *conn, int64_t now_ns)
{
    (void)conn;
    (void)now_ns;
}

size_t http2_conn_capacity(const struct http2_conn *conn)
{
    (void)conn;
    return 0;
}

bool http2_conn_is_usable(const struct http2_conn *conn)
{
    (void)conn;
    return false;
}
