/* SPDX-License-Identifier: MIT */
/* BearSSL as a TLS client engine. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bearssl.h>

#include "io/tls/client_sessions.h"
#include "io/tls/engine_bearssl.h"
#include "io/tls/keylog.h"
#include "io/tls/suites.h"
#include "io/tls/x509.h"
#include "runtime/base/check.h"

struct bearssl_client {
    struct whorl_tls_config *config;
    struct tls_peer peer;
    br_ssl_client_context context;
    struct x509_verifier *verifier;       /* owned; NULL after the handshake */
    struct tls_client_sessions *sessions; /* held; NULL: none are resumed */
    uint16_t port;
    bool is_resumed;                   /* valid when open */
    br_ssl_session_parameters offered; /* the session to resume; its id is empty: none */
    struct bearssl bearssl;
};

static struct bearssl_client *client_of(struct tls_engine *engine)
{
    return container_of(engine, struct bearssl_client, bearssl.engine);
}

static const struct bearssl_client *client_of_const(const struct tls_engine *engine)
{
    return container_of(engine, const struct bearssl_client, bearssl.engine);
}

/* BearSSL sends no alert when it refuses a certificate. */
static unsigned client_refusal(const struct bearssl *bearssl)
{
    const struct x509_verifier *verifier = client_of_const(&bearssl->engine)->verifier;

    return verifier && verifier->code ? verifier->alert : 0;
}

static void release_session(void *session)
{
    explicit_bzero(session, sizeof(br_ssl_session_parameters));
    free(session);
}

static void free_verifier(struct bearssl_client *client)
{
    br_ssl_engine_set_x509(&client->context.eng, NULL);
    if (client->verifier)
        x509_finish(client->verifier);
    free(client->verifier);
    client->verifier = NULL;
}

/* Offers a session that the server may resume. Returns whether there is one. */
static bool offer_session(struct bearssl_client *client)
{
    char key[TLS_CLIENT_SESSION_KEY_SIZE];

    if (!client->sessions)
        return false;
    tls_client_session_key(key, "bearssl", client->peer.host, client->port);
    br_ssl_session_parameters *session =
        tls_client_sessions_take(client->sessions, key, (int64_t)time(NULL));
    if (!session)
        return false;
    client->offered = *session;
    br_ssl_engine_set_session_parameters(&client->context.eng, session);
    release_session(session);
    return true;
}

/* Stores the session, if the server has given it an id. BearSSL has no tickets. */
static void keep_session(struct bearssl_client *client, const br_ssl_session_parameters *session)
{
    char key[TLS_CLIENT_SESSION_KEY_SIZE];
    br_ssl_session_parameters *copy;

    if (!client->sessions || session->session_id_len == 0)
        return;
    copy = malloc(sizeof *copy);
    if (!copy)
        return;
    *copy = *session;
    tls_client_session_key(key, "bearssl", client->peer.host, client->port);
    tls_client_sessions_put(client->sessions, key, (int64_t)time(NULL), copy, release_session);
}

/* The verifier is no longer needed: renegotiation is disabled, so no further certificate comes. */
static void client_opened(struct tls_engine *engine)
{
    struct bearssl_client *client = client_of(engine);
    br_ssl_session_parameters session;

    free_verifier(client);
    br_ssl_engine_get_session_parameters(&client->context.eng, &session);
    /* A server that resumes a session answers with its id (RFC 5246 §7.4.1.3). */
    client->is_resumed =
        session.session_id_len > 0 && session.session_id_len == client->offered.session_id_len &&
        memcmp(session.session_id, client->offered.session_id, session.session_id_len) == 0;
    keep_session(client, &session);
    if (client->config->keylog)
        keylog_append(client->config->keylog, client->context.eng.client_random,
                      session.master_secret);
    explicit_bzero(&session, sizeof session);
}

static bool client_is_resumed(const struct tls_engine *engine)
{
    return client_of_const(engine)->is_resumed;
}

static const char *client_text(int err)
{
    switch (err) {
    case BR_ERR_UNSUPPORTED_VERSION:
    case BR_ERR_BAD_VERSION:
        return "record of another TLS version";
    case BR_ERR_BAD_CIPHER_SUITE:
        return "server chose a cipher suite that was not offered";
    case BR_ERR_BAD_COMPRESSION:
        return "server chose compression";
    case BR_ERR_BAD_FRAGLEN:
        return "server chose a record length that was not offered";
    case BR_ERR_EXTRA_EXTENSION:
        return "server sent an extension that was not offered";
    case BR_ERR_LIMIT_EXCEEDED:
        return "key is too long";
    case BR_ERR_INVALID_ALGORITHM:
        return "server chose a curve or signature that was not offered";
    case BR_ERR_BAD_SIGNATURE:
        return "signature of the key exchange is wrong";
    default:
        return bearssl_text(err);
    }
}

static int client_failure(const struct tls_engine *engine, struct whorl_error *error)
{
    const struct bearssl_client *client = client_of_const(engine);
    const struct x509_verifier *verifier = client->verifier;
    const char *host = client->peer.host;
    int err = br_ssl_engine_last_error(&client->context.eng);
    int code = client->bearssl.open ? WHORL_ETLS_PROTOCOL : WHORL_ETLS_HANDSHAKE;

    if (verifier && verifier->code)
        return whorl_error_set(error, verifier->code, "TLS", "%s", verifier->text);
    if (err >= BR_ERR_SEND_FATAL_ALERT) {
        err -= BR_ERR_SEND_FATAL_ALERT;
        return whorl_error_set(error, code, "TLS",
                               "%s: server's answer was refused with alert %s (%d)", host,
                               tls_alert_name(err), err);
    }
    if (err >= BR_ERR_RECV_FATAL_ALERT) {
        err -= BR_ERR_RECV_FATAL_ALERT;
        return whorl_error_set(error, err == 70 ? WHORL_ETLS_VERSION : WHORL_ETLS_ALERT, "TLS",
                               "%s sent alert %s (%d)%s", host, tls_alert_name(err), err,
                               err == 70 ? ": it does not speak TLS 1.2" : "");
    }
    if (err == BR_ERR_UNSUPPORTED_VERSION && !client->bearssl.open)
        return whorl_error_set(error, WHORL_ETLS_VERSION, "TLS", "%s does not speak TLS 1.2", host);
    if (err == BR_ERR_WRONG_KEY_USAGE)
        return whorl_error_set(error, WHORL_ETLS_CERTIFICATE, "TLS",
                               "key in the certificate for %s may not be used for this handshake",
                               host);
    return whorl_error_set(error, code, "TLS", "%s: %s (%d)", host, client_text(err), err);
}

static void client_destroy(struct tls_engine *engine)
{
    struct bearssl_client *client = client_of(engine);

    free_verifier(client);
    tls_client_sessions_release(client->sessions);
    whorl_tls_config_destroy(client->config);
    bearssl_finish(&client->bearssl);
    explicit_bzero(client, sizeof *client);
    free(client);
}

static const struct tls_engine_ops client_ops = {
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
    .opened = client_opened,
    .rest = bearssl_rest,
    .wake = bearssl_wake,
    .failure = client_failure,
    .alpn = bearssl_alpn,
    .suite = bearssl_suite,
    .version = bearssl_version,
    .is_resumed = client_is_resumed,
    .alert = bearssl_alert,
    .destroy = client_destroy,
};

/* The certificate with which the client answers a server that asks for one. */
static void set_identity(struct bearssl_client *client, const struct tls_identity *identity)
{
    br_ssl_client_context *context = &client->context;

    if (identity->chain_len == 0)
        return;
    const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(identity->key);
    if (rsa)
        br_ssl_client_set_single_rsa(context, identity->chain, identity->chain_len, rsa,
                                     br_rsa_pkcs1_sign_get_default());
    else
        br_ssl_client_set_single_ec(context, identity->chain, identity->chain_len,
                                    br_skey_decoder_get_ec(identity->key), BR_KEYTYPE_SIGN, 0,
                                    br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
}

int tls_engine_create_bearssl(struct whorl_tls_config *config, const struct tls_choice *choice,
                              const struct tls_peer *peer, struct tls_engine **ret)
{
    struct bearssl_client *client = calloc(1, sizeof *client);
    int err = -ENOMEM;

    if (!client)
        return -ENOMEM;
    client->bearssl.engine.ops = &client_ops;
    client->bearssl.eng = &client->context.eng;
    client->bearssl.refusal = client_refusal;
    client->peer = *peer;
    client->verifier = malloc(sizeof *client->verifier);
    if (!client->verifier)
        goto err_free;
    x509_init(client->verifier, config, &client->peer);

    br_ssl_engine_context *eng = &client->context.eng;
    br_ssl_client_zero(&client->context);
    suites_apply(eng);
    br_ssl_engine_set_x509(eng, &client->verifier->vtable);
    const char **alpn = choice->no_http2 ? config->alpn_http1 : config->alpn;
    size_t alpn_count = choice->no_http2 ? config->alpn_http1_count : config->alpn_count;
    if (alpn_count > 0)
        br_ssl_engine_set_protocol_names(eng, alpn, alpn_count);
    err = bearssl_init(&client->bearssl);
    if (err)
        goto err_free;
    set_identity(client, &config->identity);
    /* A resumed session does not prove the client's identity unless the library implements RFC
     * 7627, which BearSSL does not. */
    if (config->identity.chain_len == 0)
        client->sessions = tls_client_sessions_hold(choice->sessions);
    client->port = choice->port;
    bool is_resuming = offer_session(client);
    br_ssl_client_reset(&client->context, peer->ip_len > 0 ? NULL : peer->host, is_resuming);
    client->config = tls_config_hold(config);
    *ret = &client->bearssl.engine;
    return 0;

err_free:
    free(client->verifier);
    free(client);
    return err;
}
