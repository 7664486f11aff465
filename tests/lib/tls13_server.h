/* SPDX-License-Identifier: MIT */
/* TLS 1.3 servers of OpenSSL, for the functions of tls_server.h. The functions here are for these
 * servers only.
 */
#ifndef TEST_TLS13_SERVER_H
#define TEST_TLS13_SERVER_H

#include "tls_server.h"

/* Zero-initialised options are valid. All pointers are borrowed for the call. */
struct tls13_server_options {
    const char *cert;      /* name of a certificate of certs.h; NULL: "good-ec" */
    const char *suites;    /* of TLS 1.3, in OpenSSL's syntax; NULL: all */
    const char *groups;    /* for the key exchange; NULL: OpenSSL's */
    const char *alpn;      /* the protocol that it chooses, whatever is offered; NULL: none */
    const char *client_ca; /* file of certs.h; clients must have a certificate of this authority */
    unsigned tickets;      /* how many it sends */
    bool only_1_2;         /* TLS 1.2 instead of 1.3 */
    /* Sessions of servers with the same number can be resumed; 0: none can. */
    unsigned ticket_key;
};

/* Creates a server. It owns `carrier`. A setup that fails also fails the test. */
struct tls_server *tls13_server_create(struct whorl_stream *carrier,
                                       const struct tls13_server_options *options);

/* Sends a KeyUpdate. `is_request`: the client must send one, too. */
WHORL_SUSPENDS int tls13_server_update_key(struct tls_server *server, bool is_request);

/* Sends tickets after the handshake. */
WHORL_SUSPENDS int tls13_server_send_ticket(struct tls_server *server);

/* The fatal alert that the client has sent; -1: none. */
int tls13_server_alert(const struct tls_server *server);

/* Whether the handshake has resumed a session. */
bool tls13_server_has_resumed(const struct tls_server *server);

#endif
