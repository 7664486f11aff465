/* SPDX-License-Identifier: MIT */
/* BearSSL as a TLS server engine.
 *
 * BearSSL calls functions of this file for the decisions of a server: which session to resume
 * (load), and which certificate and suite to use (choose); and for a signature (do_sign). It calls
 * them inside `feed`, so all of them may run on another thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bearssl.h>

#include "io/tls/engine_bearssl.h"
#include "io/tls/hello.h"
#include "io/tls/server.h"
#include "io/tls/suites.h"
#include "runtime/base/check.h"

enum { HASH_GIVEN = 0xff00 }; /* BearSSL passes a hash value to do_sign() */

struct bearssl_server {
    struct tls_server_config *config; /* a reference is held */
    br_ssl_server_context context;
    const br_ssl_server_policy_class *policy; /* BearSSL has a pointer to this field */
    const br_ssl_session_cache_class *cache;  /* and to this one */
    const struct tls_identity *identity;      /* that was chosen; NULL: none */
    int64_t now_ns;                           /* when the connection began */
    bool resumed;
    char host[TLS_HOST_MAX]; /* that the client asked for; "": none */
    struct bearssl bearssl;
};

static const struct bearssl_server *server_of_const(const struct tls_engine *engine)
{
    return container_of(engine, const struct bearssl_server, bearssl.engine);
}

/* --- the choice of a certificate --- */

/* The best hash that the client accepts in signatures with such a key; 0: none. */
static int choose_hash(const br_ssl_server_context *context, bool is_ec)
{
    static const int hashes[] = {br_sha256_ID, br_sha384_ID, br_sha512_ID};
    uint32_t accepted = br_ssl_server_get_client_hashes(context) >> (is_ec ? 8 : 0);

    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
        if (accepted >> hashes[i] & 1)
            return hashes[i];
    return 0;
}

/* Whether the client can use the identity. Then sets the suite: the first one that the client
 * offers. */
static bool can_use(const br_ssl_server_context *context, const struct tls_identity *identity,
                    br_ssl_server_choices *choices)
{
    bool is_ec = identity->curve != 0;
    int hash = choose_hash(context, is_ec);
    size_t count;
    const br_suite_translated *suites = br_ssl_server_get_client_suites(context, &count);

    if (hash == 0 || (is_ec && !(br_ssl_server_get_client_curves(context) >> identity->curve & 1)))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (suites[i][1] >> 12 == (is_ec ? BR_SSLKEYX_ECDHE_ECDSA : BR_SSLKEYX_ECDHE_RSA)) {
            choices->cipher_suite = suites[i][0];
            choices->algo_id = HASH_GIVEN + (unsigned)hash;
            choices->chain = identity->chain;
            choices->chain_len = identity->chain_len;
            return true;
        }
    }
    return false;
}

/* The first identity that is for the host. When none is, the first one. It must be one that the
 * client can use. NULL: there is none. */
static const struct tls_identity *choose_identity(const struct bearssl_server *server,
                                                  br_ssl_server_choices *choices)
{
    const struct tls_server_config *config = server->config;
    bool is_known = false;

    for (size_t i = 0; i < config->identities_count && server->host[0]; i++) {
        if (tls_cert_is_for_name(&config->identities[i].leaf, server->host)) {
            is_known = true;
            if (can_use(&server->context, &config->identities[i], choices))
                return &config->identities[i];
        }
    }
    for (size_t i = 0; i < config->identities_count && !is_known; i++)
        if (can_use(&server->context, &config->identities[i], choices))
            return &config->identities[i];
    return NULL;
}

static void note_host(struct bearssl_server *server)
{
    const char *host = br_ssl_engine_get_server_name(&server->context.eng);

    tls_hello_normalise(host, strlen(host), server->host);
}

static int policy_choose(const br_ssl_server_policy_class **policy,
                         const br_ssl_server_context *context, br_ssl_server_choices *choices)
{
    struct bearssl_server *server = container_of(policy, struct bearssl_server, policy);

    (void)context;
    server->resumed = false; /* BearSSL may have refused the session that was found */
    note_host(server);
    server->identity = choose_identity(server, choices);
    return server->identity != NULL;
}

/* Key exchanges without ECDHE are not offered. */
static uint32_t policy_do_keyx(const br_ssl_server_policy_class **policy, unsigned char *data,
                               size_t *len)
{
    (void)policy, (void)data, (void)len;
    return 0;
}

static size_t policy_do_sign(const br_ssl_server_policy_class **policy, unsigned algo_id,
                             unsigned char *data, size_t hash_len, size_t size)
{
    struct bearssl_server *server = container_of(policy, struct bearssl_server, policy);
    unsigned char hash[br_sha512_SIZE];

    if (hash_len > sizeof hash)
        return 0;
    memcpy(hash, data, hash_len);
    return tls_identity_sign(server->identity, (int)(algo_id - HASH_GIVEN), hash, data, size);
}

static const br_ssl_server_policy_class policy_class = {
    .context_size = sizeof(struct bearssl_server),
    .choose = policy_choose,
    .do_keyx = policy_do_keyx,
    .do_sign = policy_do_sign,
};

/* --- sessions --- */

/* BearSSL has not read the host at this point. The whole ClientHello is in `in`, because the engine
 * holds incomplete records. A ClientHello in several records resumes no session. */
static int cache_load(const br_ssl_session_cache_class **cache, br_ssl_server_context *context,
                      br_ssl_session_parameters *session)
{
    struct bearssl_server *server = container_of(cache, struct bearssl_server, cache);
    const unsigned char *record = server->bearssl.areas->in;
    size_t len = (size_t)record[3] << 8 | record[4];

    if (TLS_RECORD_HEADER + len > server->bearssl.areas->in_used ||
        !tls_hello_host(record + TLS_RECORD_HEADER, len, server->host))
        return 0;
    server->resumed =
        tls_sessions_load(server->config->sessions, context, server->host, server->now_ns, session);
    return server->resumed;
}

static void cache_save(const br_ssl_session_cache_class **cache, br_ssl_server_context *context,
                       const br_ssl_session_parameters *session)
{
    struct bearssl_server *server = container_of(cache, struct bearssl_server, cache);

    tls_sessions_save(server->config->sessions, context, server->host, server->now_ns, session);
}

static const br_ssl_session_cache_class cache_class = {
    .context_size = sizeof(struct bearssl_server),
    .save = cache_save,
    .load = cache_load,
};

/* --- failures --- */

/* The alert for an error of BearSSL, which sends none itself (RFC 5246 §7.2.2). */
static unsigned alert_for(int err)
{
    switch (err) {
    case BR_ERR_UNEXPECTED:
    case BR_ERR_UNKNOWN_TYPE:
    case BR_ERR_BAD_CCS:
        return 10; /* unexpected_message */
    case BR_ERR_BAD_MAC:
        return 20; /* bad_record_mac */
    case BR_ERR_BAD_LENGTH:
    case BR_ERR_TOO_LARGE:
        return 22; /* record_overflow */
    case BR_ERR_BAD_FRAGLEN:
    case BR_ERR_INVALID_ALGORITHM:
        return 47; /* illegal_parameter */
    case BR_ERR_BAD_FINISHED:
        return 51; /* decrypt_error */
    case BR_ERR_UNSUPPORTED_VERSION:
    case BR_ERR_BAD_VERSION:
        return 70; /* protocol_version */
    case BR_ERR_NO_RANDOM:
        return 80; /* internal_error */
    default:
        return 50; /* decode_error */
    }
}

/* The server encrypts only after the client's part of the handshake is complete, except when a
 * session is resumed: then nothing can be sent in the clear. */
static unsigned server_refusal(const struct bearssl *bearssl)
{
    const struct bearssl_server *server = server_of_const(&bearssl->engine);
    int err = br_ssl_engine_last_error(bearssl->eng);

    if (err == BR_ERR_OK || err >= BR_ERR_RECV_FATAL_ALERT || bearssl->open || server->resumed)
        return 0;
    return alert_for(err);
}

/* Why this server has refused a client, in words. */
static const char *refusal_text(int alert)
{
    switch (alert) {
    case 40:
        return "no common version, suite, curve or signature, or no certificate for them";
    case 70:
        return "it does not speak TLS 1.2";
    case 86:
        return "it has fallen back to an older version";
    case 120:
        return "no common protocol (ALPN)";
    default:
        return "its message cannot be accepted";
    }
}

static int server_failure(const struct tls_engine *engine, struct whorl_error *error)
{
    const struct bearssl_server *server = server_of_const(engine);
    int err = br_ssl_engine_last_error(&server->context.eng);
    int code = server->bearssl.open ? WHORL_ETLS_PROTOCOL : WHORL_ETLS_HANDSHAKE;

    if (err >= BR_ERR_SEND_FATAL_ALERT) {
        err -= BR_ERR_SEND_FATAL_ALERT;
        return whorl_error_set(error, err == 70 ? WHORL_ETLS_VERSION : code, "TLS",
                               "client was refused with alert %s (%d): %s", tls_alert_name(err),
                               err, refusal_text(err));
    }
    if (err >= BR_ERR_RECV_FATAL_ALERT) {
        err -= BR_ERR_RECV_FATAL_ALERT;
        return whorl_error_set(error, WHORL_ETLS_ALERT, "TLS", "client sent alert %s (%d)",
                               tls_alert_name(err), err);
    }
    if ((err == BR_ERR_UNSUPPORTED_VERSION || err == BR_ERR_BAD_VERSION) && !server->bearssl.open)
        return whorl_error_set(error, WHORL_ETLS_VERSION, "TLS", "client does not speak TLS 1.2");
    const char *text = err == BR_ERR_INVALID_ALGORITHM
                           ? "point is not on the curve, or the key cannot sign"
                           : bearssl_text(err);
    return whorl_error_set(error, code, "TLS", "client: %s (%d)", text, err);
}

/* --- the engine --- */

/* When a session is resumed, no certificate was chosen. */
static void server_opened(struct tls_engine *engine)
{
    note_host(container_of(engine, struct bearssl_server, bearssl.engine));
}

static const char *server_sni(const struct tls_engine *engine)
{
    const struct bearssl_server *server = server_of_const(engine);

    return server->host[0] ? server->host : NULL;
}

static bool server_is_resumed(const struct tls_engine *engine)
{
    return server_of_const(engine)->resumed;
}

static void server_destroy(struct tls_engine *engine)
{
    struct bearssl_server *server = container_of(engine, struct bearssl_server, bearssl.engine);

    tls_server_config_release(server->config);
    bearssl_finish(&server->bearssl);
    explicit_bzero(server, sizeof *server);
    free(server);
}

static const struct tls_engine_ops server_ops = {
    .name = "bearssl",
    .state = bearssl_state,
    .feed = bearssl_feed,
    .wants_input = bearssl_wants_input,
    .in_record = bearssl_in_record,
    .drain = bearssl_drain,
    .read = bearssl_read,
    .readable = bearssl_readable,
    .write = bearssl_write,
    .flush = bearssl_flush,
    .close = bearssl_close,
    .opened = server_opened,
    .rest = bearssl_rest,
    .wake = bearssl_wake,
    .failure = server_failure,
    .alpn = bearssl_alpn,
    .suite = bearssl_suite,
    .version = bearssl_version,
    .sni = server_sni,
    .is_resumed = server_is_resumed,
    .alert = bearssl_alert,
    .destroy = server_destroy,
};

int tls_engine_create_server(struct tls_server_config *config, int64_t now_ns,
                             struct tls_engine **ret)
{
    struct bearssl_server *server = calloc(1, sizeof *server);

    if (!server)
        return -ENOMEM;
    server->bearssl.engine.ops = &server_ops;
    server->bearssl.eng = &server->context.eng;
    server->bearssl.refusal = server_refusal;
    server->bearssl.holds = true;
    server->now_ns = now_ns;
    server->policy = &policy_class;
    server->cache = &cache_class;

    br_ssl_engine_context *eng = &server->context.eng;
    br_ssl_server_zero(&server->context);
    suites_apply(eng);
    br_ssl_server_set_policy(&server->context, &server->policy);
    if (config->sessions)
        br_ssl_server_set_cache(&server->context, &server->cache);
    if (config->alpn_count > 0)
        br_ssl_engine_set_protocol_names(eng, config->alpn, config->alpn_count);
    int err = bearssl_init(&server->bearssl);
    if (err) {
        free(server);
        return err;
    }
    br_ssl_server_reset(&server->context);
    server->config = tls_server_config_hold(config);
    *ret = &server->bearssl.engine;
    return 0;
}
