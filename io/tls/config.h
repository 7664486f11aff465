/* SPDX-License-Identifier: MIT */
/* TLS options in their final form: immutable, shared by connections of all threads. */
#ifndef IO_TLS_CONFIG_H
#define IO_TLS_CONFIG_H

#include <stdatomic.h>

#include <whorl/tls.h>

struct tls_trust;

struct whorl_tls_config {
    atomic_size_t refs;
    struct tls_trust *trust; /* NULL when insecure */
    const char **alpn;       /* owned, in one block of memory with its strings; NULL: none */
    size_t alpn_count;
    char *keylog; /* owned; path of the file for session keys; NULL: none */
    bool insecure;
    int64_t time_unix_s; /* the date to check certificates for; 0: the current date */
};

/* Adds a reference, which whorl_tls_config_destroy() drops. Returns `config`. */
struct whorl_tls_config *tls_config_hold(struct whorl_tls_config *config);

/* The date to check certificates for, in seconds since 1970. */
int64_t tls_config_time(const struct whorl_tls_config *config);

#endif
