/* SPDX-License-Identifier: MIT */
/* What the TLS servers of both libraries implement; for tls_server.c and tls13_server.c. */
#ifndef TEST_TLS_SERVER_OPS_H
#define TEST_TLS_SERVER_OPS_H

#include "tls_server.h"

/* See the functions of tls_server.h with these names. */
struct tls_server_ops {
    WHORL_SUSPENDS int (*handshake)(struct tls_server *server);
    WHORL_SUSPENDS ssize_t (*read)(struct tls_server *server, void *buf, size_t len);
    WHORL_SUSPENDS int (*write)(struct tls_server *server, const void *buf, size_t len);
    WHORL_SUSPENDS int (*close_notify)(struct tls_server *server);
    const char *(*sni)(const struct tls_server *server);
    void (*destroy)(struct tls_server *server); /* the carrier is already closed */
};

/* The first field of a server. */
struct tls_server {
    const struct tls_server_ops *ops;
    struct whorl_stream *carrier;
};

#endif
