/* SPDX-License-Identifier: MIT */
/* TLS options: copies and checks them. */
#include "io/tls/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/tls/alpn.h"
#include "io/tls/trust.h"

#ifdef WHORL_WITH_OPENSSL
static const bool has_openssl = true;
#else
static const bool has_openssl = false;
#endif

bool whorl_tls_has_library(enum whorl_tls_library library)
{
    return library != WHORL_TLS_OPENSSL || has_openssl;
}

/* Sets the library and the oldest version, which must fit together. */
static int choose_library(struct whorl_tls_config *config, const struct whorl_tls_options *options,
                          struct whorl_error *error)
{
    const char *name = secure_getenv("WHORL_TLS");

    config->library = options->library;
    config->version_min = options->version_min;
    if (config->library == WHORL_TLS_ANY && name && *name) {
        if (strcmp(name, "bearssl") != 0 && strcmp(name, "openssl") != 0)
            return whorl_error_set(error, -EINVAL, "TLS",
                                   "WHORL_TLS=%s: no such library; there are bearssl and openssl",
                                   name);
        config->library = *name == 'b' ? WHORL_TLS_BEARSSL : WHORL_TLS_OPENSSL;
    }
    if (config->library == WHORL_TLS_ANY && config->version_min > WHORL_TLS_1_2)
        config->library = WHORL_TLS_OPENSSL;
    if (config->library == WHORL_TLS_BEARSSL && config->version_min > WHORL_TLS_1_2)
        return whorl_error_set(error, -EINVAL, "TLS", "BearSSL does not have TLS 1.3");
    if (!whorl_tls_has_library(config->library))
        return whorl_error_set(error, -EOPNOTSUPP, "TLS", "whorl was built without OpenSSL");
    return 0;
}

static int load_identity(struct whorl_tls_config *config, const struct whorl_tls_options *options,
                         struct whorl_error *error)
{
    if (!options->cert_file && !options->key_file)
        return 0;
    if (!options->cert_file)
        return whorl_error_set(error, -EINVAL, "TLS", "%s: key_file is set without cert_file",
                               options->key_file);
    return tls_identity_load(options->cert_file, options->key_file, TLS_CLIENT,
                             tls_config_time(config), error, &config->identity);
}

static int list_alpn_http1(struct whorl_tls_config *config, struct whorl_error *error)
{
    if (config->alpn_count == 0)
        return 0;
    config->alpn_http1 = calloc(config->alpn_count, sizeof *config->alpn_http1);
    if (!config->alpn_http1)
        return whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
    for (size_t i = 0; i < config->alpn_count; i++)
        if (strcmp(config->alpn[i], "h2") != 0)
            config->alpn_http1[config->alpn_http1_count++] = config->alpn[i];
    return 0;
}

int whorl_tls_config_create(const struct whorl_tls_options *options, struct whorl_error *error,
                            struct whorl_tls_config **ret)
{
    static const struct whorl_tls_options defaults;
    struct whorl_tls_config *config = calloc(1, sizeof *config);
    const char *keylog = secure_getenv("SSLKEYLOGFILE");
    int err = 0;

    if (!config)
        return whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
    if (!options)
        options = &defaults;
    atomic_init(&config->refs, 1);
    config->insecure = options->insecure;
    config->time_unix_s = options->time_unix_s;
    err = tls_alpn_copy(options->alpn, &config->alpn, &config->alpn_count, error);
    if (err)
        goto err_free;
    err = list_alpn_http1(config, error);
    if (err)
        goto err_free;
    err = choose_library(config, options, error);
    if (err)
        goto err_free;
    err = tls_pins_parse(options->pins, error, &config->pins, &config->pins_count);
    if (err)
        goto err_free;
    err = load_identity(config, options, error);
    if (err)
        goto err_free;
    if (keylog && *keylog) {
        config->keylog = strdup(keylog);
        if (!config->keylog) {
            err = whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
            goto err_free;
        }
    }
    if (options->ca_file || options->ca_dir)
        err = tls_trust_load(options->ca_file, options->ca_dir, error, &config->trust);
    else if (!options->insecure)
        err = tls_trust_system(error, &config->trust);
    if (err)
        goto err_free;
    *ret = config;
    return 0;

err_free:
    whorl_tls_config_destroy(config);
    return err;
}

struct whorl_tls_config *tls_config_hold(struct whorl_tls_config *config)
{
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}

void whorl_tls_config_destroy(struct whorl_tls_config *config)
{
    if (!config || atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) > 1)
        return;
    struct tls_shared *shared = atomic_load(&config->shared);
    if (shared)
        shared->release(shared);
    tls_trust_release(config->trust);
    tls_identity_finish(&config->identity);
    free(config->pins);
    free(config->keylog);
    free(config->alpn);
    free(config->alpn_http1);
    free(config);
}

enum whorl_tls_library tls_config_library(const struct whorl_tls_config *config,
                                          enum whorl_tls_library library)
{
    if (library == WHORL_TLS_ANY)
        library = config->library;
    return library == WHORL_TLS_ANY ? WHORL_TLS_BEARSSL : library;
}

bool tls_config_may_upgrade(const struct whorl_tls_config *config)
{
    return config->library == WHORL_TLS_ANY && has_openssl;
}

int64_t tls_config_time(const struct whorl_tls_config *config)
{
    return config->time_unix_s ? config->time_unix_s : (int64_t)time(NULL);
}
