/* SPDX-License-Identifier: MIT */
/* What is known of a connection, for traces. */
#ifndef IO_HTTP_CONN_INFO_H
#define IO_HTTP_CONN_INFO_H

#include <whorl/net.h>

/* What is known of one opening of a connection. Its responses hold it too, because they can be
 * asked after the connection is closed. */
struct http_conn_info {
    unsigned holders;
    uint64_t number;               /* in the session, from 1 */
    int64_t dns_ns;                /* -1: there was no lookup, or it has not ended */
    int64_t lookup_ns;             /* when the lookup began */
    struct whorl_addr peer, local; /* of the socket; of a failed dial, the last address tried */
    const char *tls_version, *tls_suite; /* static; NULL: no TLS */
    bool tls_resumed;
};

/* 1 holder; NULL without memory. */
struct http_conn_info *http_conn_info_create(uint64_t number);
struct http_conn_info *http_conn_info_hold(struct http_conn_info *info);

/* Accepts NULL. */
void http_conn_info_release(struct http_conn_info *info);

#endif
