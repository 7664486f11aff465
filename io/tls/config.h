/* SPDX-License-Identifier: MIT */
/* Settled TLS options: immutable once made, shared by connections of any thread. */
#ifndef IO_TLS_CONFIG_H
#define IO_TLS_CONFIG_H

#include <stdatomic.h>

#include <whorl/tls.h>

struct tls_trust;

struct whorl_tls_config {
    atomic_size_t refs;
    struct tls_trust *trust; /* NULL when insecure */
    const char **alpn;       /* in one block of memory with its strings; NULL: none */
    size_t alpn_count;
    char *keylog; /* path of the file for session keys; NULL: none */
    bool insecure;
    int64_t time_unix_s; /* 0: today */
};

/* Adds a hold, dropped by whorl_tls_config_destroy(). Returns `config`. */
struct whorl_tls_config *tls_config_hold(struct whorl_tls_config *config);

/* The date to check certificates for. */
int64_t tls_config_time(const struct whorl_tls_config *config);

#endif
