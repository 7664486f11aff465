/* SPDX-License-Identifier: MIT */
/* A TLS 1.3 server over any stream, for tests: OpenSSL, driven by one task. tls_server.h is the
 * same with BearSSL and TLS 1.2.
 */
#ifndef TEST_TLS13_SERVER_H
#define TEST_TLS13_SERVER_H

#include <whorl/stream.h>

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

struct tls13_server;

/* Creates a server. It owns `carrier`. A setup that fails also fails the test. */
struct tls13_server *tls13_server_create(struct whorl_stream *carrier,
                                         const struct tls13_server_options *options);

/* Returns 0; -EPROTO when OpenSSL refuses what the client sends, or the client sends a fatal alert;
 * an error of the carrier; -ECONNRESET when the carrier ends. The other calls return the same
 * errors. */
WHORL_SUSPENDS int tls13_server_handshake(struct tls13_server *server);

/* Returns the count; 0 at close_notify. */
WHORL_SUSPENDS ssize_t tls13_server_read(struct tls13_server *server, void *buf, size_t len);

WHORL_SUSPENDS int tls13_server_write(struct tls13_server *server, const void *buf, size_t len);

/* Sends a KeyUpdate. `is_request`: the client must send one, too. */
WHORL_SUSPENDS int tls13_server_update_key(struct tls13_server *server, bool is_request);

/* Sends tickets after the handshake. */
WHORL_SUSPENDS int tls13_server_send_ticket(struct tls13_server *server);

WHORL_SUSPENDS int tls13_server_close_notify(struct tls13_server *server);

/* The fatal alert that the client has sent; -1: none. */
int tls13_server_alert(const struct tls13_server *server);

/* Whether the handshake has resumed a session. */
bool tls13_server_has_resumed(const struct tls13_server *server);

/* The name that the client asked for; NULL: none. */
const char *tls13_server_sni(const struct tls13_server *server);

/* Destroys the server without a close_notify. Accepts NULL. */
void tls13_server_destroy(struct tls13_server *server);

#endif
