/* SPDX-License-Identifier: MIT */
/* TLS options in their final form: immutable, shared by connections of all threads. */
#ifndef IO_TLS_CONFIG_H
#define IO_TLS_CONFIG_H

#include <stdatomic.h>

#include <whorl/tls.h>

#include "io/tls/identity.h"
#include "io/tls/pin.h"

struct tls_trust;

/* RFC 7301 §3.1: protocol names have 1 to 255 bytes. BearSSL sends some hundred bytes at most. */
enum { ALPN_NAME_MAX = 255, ALPN_TOTAL_MAX = 512 };

/* Data that the engines of a config share. The first engine creates it, in a larger struct of the
 * library's own that begins with this one. */
struct tls_shared {
    void (*release)(struct tls_shared *shared);
};

struct whorl_tls_config {
    atomic_size_t refs;
    struct tls_trust *trust; /* NULL when insecure */
    const char **alpn;       /* owned, in one block of memory with its strings; NULL: none */
    size_t alpn_count;
    const char **alpn_http1; /* owned; the same without "h2", see choice.h */
    size_t alpn_http1_count;
    unsigned char (
        *pins)[TLS_PIN_LEN];      /* owned; hashes of public keys, one of which servers have */
    size_t pins_count;            /* 0: any key will do */
    struct tls_identity identity; /* the client's; an empty chain: none */
    char *keylog;                 /* owned; path of the file for session keys; NULL: none */
    bool insecure;
    enum whorl_tls_library library;      /* WHORL_TLS_ANY: none was asked for */
    enum whorl_tls_version version_min;  /* WHORL_TLS_1_2 or newer */
    _Atomic(struct tls_shared *) shared; /* owned; NULL until an engine makes it */
    int64_t time_unix_s; /* the date to check certificates for; 0: the current date */
};

/* Adds a reference, which whorl_tls_config_destroy() drops. Returns `config`. */
struct whorl_tls_config *tls_config_hold(struct whorl_tls_config *config);

/* The library of a connection that asks for `library`: this one, else the one of the config, else
 * BearSSL. */
enum whorl_tls_library tls_config_library(const struct whorl_tls_config *config,
                                          enum whorl_tls_library library);

/* Whether a server that refuses the version of this library (WHORL_ETLS_VERSION) may be tried again
 * with OpenSSL: the options leave the choice open, and this build has OpenSSL. */
bool tls_config_may_upgrade(const struct whorl_tls_config *config);

/* The date to check certificates for, in seconds since 1970. */
int64_t tls_config_time(const struct whorl_tls_config *config);

#endif
