/* SPDX-License-Identifier: MIT */
/* Options of TLS servers: loads, checks and replaces them. */
#include "io/tls/server.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "io/tls/alpn.h"

#define HANDSHAKE_NS_DEFAULT (10 * WHORL_SECOND)

enum { SESSIONS_DEFAULT = 4096 };

struct whorl_tls_server {
    pthread_mutex_t lock;
    struct tls_server_config *config; /* of new connections; protected by `lock` */
};

static int load_identities(struct tls_server_config *config,
                           const struct whorl_tls_server_options *options,
                           struct whorl_error *error)
{
    int64_t time_unix_s = options->time_unix_s ? options->time_unix_s : (int64_t)time(NULL);
    struct whorl_tls_pair pair = {options->cert_file, options->key_file};
    size_t count = 1;
    int err = 0;

    for (const struct whorl_tls_pair *more = options->more; more && more->cert_file; more++)
        count++;
    config->identities = calloc(count, sizeof *config->identities);
    if (!config->identities)
        return whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
    for (size_t i = 0; i < count && err == 0; i++) {
        if (i > 0)
            pair = options->more[i - 1];
        err = tls_identity_load(pair.cert_file, pair.key_file, TLS_SERVER, time_unix_s, error,
                                &config->identities[i]);
        if (err == 0)
            config->identities_count++;
    }
    return err;
}

static int load(const struct whorl_tls_server_options *options, struct whorl_error *error,
                struct tls_server_config **ret)
{
    if (!options || !options->cert_file)
        return whorl_error_set(error, -EINVAL, "TLS", "no certificate was given");
    struct tls_server_config *config = calloc(1, sizeof *config);
    if (!config)
        return whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
    atomic_init(&config->refs, 1);
    config->handshake_ns = options->handshake_ns ? options->handshake_ns : HANDSHAKE_NS_DEFAULT;
    int err = tls_alpn_copy(options->alpn, &config->alpn, &config->alpn_count, error);
    if (err == 0)
        err = load_identities(config, options, error);
    if (err == 0 && !options->no_sessions) {
        size_t max = options->sessions_max ? options->sessions_max : SESSIONS_DEFAULT;
        err = tls_sessions_create(max, &config->sessions);
        if (err)
            whorl_error_set(error, err, "TLS", "out of memory");
    }
    if (err) {
        tls_server_config_release(config);
        return err;
    }
    *ret = config;
    return 0;
}

int whorl_tls_server_create(const struct whorl_tls_server_options *options,
                            struct whorl_error *error, struct whorl_tls_server **ret)
{
    struct whorl_tls_server *server = calloc(1, sizeof *server);

    if (!server)
        return whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
    int err = load(options, error, &server->config);
    if (err) {
        free(server);
        return err;
    }
    pthread_mutex_init(&server->lock, NULL);
    *ret = server;
    return 0;
}

int whorl_tls_server_reload(struct whorl_tls_server *server,
                            const struct whorl_tls_server_options *options,
                            struct whorl_error *error)
{
    struct tls_server_config *config;
    int err = load(options, error, &config);

    if (err)
        return err;
    pthread_mutex_lock(&server->lock);
    struct tls_server_config *old = server->config;
    server->config = config;
    pthread_mutex_unlock(&server->lock);
    tls_server_config_release(old);
    return 0;
}

void whorl_tls_server_destroy(struct whorl_tls_server *server)
{
    if (!server)
        return;
    tls_server_config_release(server->config);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

struct tls_server_config *tls_server_config_acquire(struct whorl_tls_server *server)
{
    pthread_mutex_lock(&server->lock);
    struct tls_server_config *config = tls_server_config_hold(server->config);
    pthread_mutex_unlock(&server->lock);
    return config;
}

struct tls_server_config *tls_server_config_hold(struct tls_server_config *config)
{
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}

void tls_server_config_release(struct tls_server_config *config)
{
    if (!config || atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < config->identities_count; i++)
        tls_identity_finish(&config->identities[i]);
    free(config->identities);
    free(config->alpn);
    tls_sessions_destroy(config->sessions);
    free(config);
}
