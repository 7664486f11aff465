/* SPDX-License-Identifier: MIT */
/* BearSSL as a TLS client engine. */
#include <stdlib.h>
#include <string.h>

#include <bearssl.h>

#include "io/tls/engine_bearssl.h"
#include "io/tls/keylog.h"
#include "io/tls/suites.h"
#include "io/tls/x509.h"
#include "runtime/base/check.h"

struct bearssl_client {
    struct whorl_tls_config *config;
    struct tls_peer peer;
    br_ssl_client_context context;
    struct x509_verifier *verifier; /* owned; NULL after the handshake */
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

static void free_verifier(struct bearssl_client *client)
{
    br_ssl_engine_set_x509(&client->context.eng, NULL);
    if (client->verifier)
        x509_finish(client->verifier);
    free(client->verifier);
    client->verifier = NULL;
}

/* The verifier is no longer needed: renegotiation is disabled, so no further certificate comes. */
static void client_opened(struct tls_engine *engine)
{
    struct bearssl_client *client = client_of(engine);

    free_verifier(client);
    if (client->config->keylog) {
        br_ssl_session_parameters session;
        br_ssl_engine_get_session_parameters(&client->context.eng, &session);
        keylog_append(client->config->keylog, client->context.eng.client_random,
                      session.master_secret);
        explicit_bzero(&session, sizeof session);
    }
}

static const char *client_text(int err)
{
    switch (err) {
    case BR_ERR_UNSUPPORTED_VERSION:
    case BR_ERR_BAD_VERSION:
        return "record of another TLS version";
    case BR_ERR_BAD_LENGTH:
    case BR_ERR_TOO_LARGE:
        return "record of impossible length";
    case BR_ERR_BAD_MAC:
        return "record is damaged";
    case BR_ERR_NO_RANDOM:
        return "no entropy";
    case BR_ERR_UNKNOWN_TYPE:
    case BR_ERR_UNEXPECTED:
        return "unexpected record or message";
    case BR_ERR_BAD_CCS:
        return "malformed ChangeCipherSpec";
    case BR_ERR_BAD_ALERT:
        return "malformed alert";
    case BR_ERR_BAD_CIPHER_SUITE:
        return "server chose a cipher suite that was not offered";
    case BR_ERR_BAD_COMPRESSION:
        return "server chose compression";
    case BR_ERR_BAD_FRAGLEN:
        return "server chose a record length that was not offered";
    case BR_ERR_BAD_SECRENEG:
        return "secure renegotiation failed";
    case BR_ERR_EXTRA_EXTENSION:
        return "server sent an extension that was not offered";
    case BR_ERR_LIMIT_EXCEEDED:
        return "key is too long";
    case BR_ERR_BAD_FINISHED:
        return "Finished message does not match the handshake";
    case BR_ERR_INVALID_ALGORITHM:
        return "server chose a curve or signature that was not offered";
    case BR_ERR_BAD_SIGNATURE:
        return "signature of the key exchange is wrong";
    default:
        return "malformed message";
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
    whorl_tls_config_destroy(client->config);
    bearssl_finish(&client->bearssl);
    explicit_bzero(client, offsetof(struct bearssl_client, bearssl));
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
    .failure = client_failure,
    .alpn = bearssl_alpn,
    .suite = bearssl_suite,
    .version = bearssl_version,
    .destroy = client_destroy,
};

int tls_engine_create_bearssl(struct whorl_tls_config *config, const struct tls_peer *peer,
                              struct tls_engine **ret)
{
    struct bearssl_client *client = malloc(sizeof *client);
    int err = -ENOMEM;

    if (!client)
        return -ENOMEM;
    /* The two large areas at the end are not zeroed, because they need not be. */
    memset(client, 0, offsetof(struct bearssl_client, bearssl.in));
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
    if (config->alpn_count > 0)
        br_ssl_engine_set_protocol_names(eng, config->alpn, config->alpn_count);
    err = bearssl_init(&client->bearssl);
    if (err)
        goto err_free;
    br_ssl_client_reset(&client->context, peer->ip_len > 0 ? NULL : peer->host, 0);
    client->config = tls_config_hold(config);
    *ret = &client->bearssl.engine;
    return 0;

err_free:
    free(client->verifier);
    free(client);
    return err;
}
