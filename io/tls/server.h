/* SPDX-License-Identifier: MIT */
/* A TLS server's options in their final form: immutable, shared by connections of all threads. */
#ifndef IO_TLS_SERVER_H
#define IO_TLS_SERVER_H

#include <stdatomic.h>

#include <whorl/tls_server.h>

#include "io/tls/identity.h"
#include "io/tls/sessions.h"

struct tls_server_config {
    atomic_size_t refs;
    struct tls_identity *identities; /* owned; in the order of the options */
    size_t identities_count;
    const char **alpn; /* owned, in one block of memory with its strings; NULL: none */
    size_t alpn_count;
    struct tls_sessions *sessions; /* owned; the only part that changes; NULL: none */
    int64_t handshake_ns;
};

/* The options that a new connection of the server has. The caller holds a reference. */
struct tls_server_config *tls_server_config_acquire(struct whorl_tls_server *server);

/* Adds a reference. Returns `config`. */
struct tls_server_config *tls_server_config_hold(struct tls_server_config *config);

/* Drops a reference. Accepts NULL. */
void tls_server_config_release(struct tls_server_config *config);

#endif
