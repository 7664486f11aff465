/* SPDX-License-Identifier: MIT */
/* The server that a TLS connection is meant for. */
#ifndef IO_TLS_PEER_H
#define IO_TLS_PEER_H

#include <stddef.h>

/* The size of the longest host, with its terminating zero. */
enum { TLS_HOST_MAX = 256 };

/* The peer that the certificate must be issued for. */
struct tls_peer {
    char host[TLS_HOST_MAX]; /* lower case, no trailing dot; an address literal as it was given */
    unsigned char ip[16];
    size_t ip_len; /* 4 or 16: `host` is an address literal, which is never sent as SNI; else 0 */
};

#endif
