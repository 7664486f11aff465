/* SPDX-License-Identifier: MIT */
/* BearSSL as a TLS engine.
 *
 * The client has separate areas for incoming and outgoing records ("bidirectional"), so reading and
 * writing never wait for each other. Both areas have full size: with less, the client would ask
 * servers for shorter records (RFC 6066 §4). All public-key operations run inside `feed`, so a
 * handshake keeps this thread busy for some milliseconds without a break.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <bearssl.h>

#include "io/tls/engine.h"
#include "io/tls/keylog.h"
#include "io/tls/record.h"
#include "io/tls/suites.h"
#include "io/tls/x509.h"

enum { ALERT_LEN = TLS_RECORD_HEADER + 2 };

struct bearssl {
    struct tls_engine engine;
    struct whorl_tls_config *config;
    struct tls_peer peer;
    br_ssl_client_context client;
    struct x509_verifier *verifier; /* owned; NULL after the handshake */
    bool open;                      /* the handshake is complete */

    struct tls_record_position position; /* of the incoming bytes */

    /* BearSSL sends no alert when it refuses a certificate, so this one is sent to the server. */
    unsigned char alert[ALERT_LEN];
    size_t alert_sent;
    bool alerting;

    /* How many bytes of each area have contained plaintext. Pages beyond that are never touched. */
    size_t in_used, out_used;
    unsigned char in[BR_SSL_BUFSIZE_INPUT], out[BR_SSL_BUFSIZE_OUTPUT];
};

static struct bearssl *bearssl_of(struct tls_engine *engine)
{
    return (struct bearssl *)engine;
}

static const struct bearssl *bearssl_of_const(const struct tls_engine *engine)
{
    return (const struct bearssl *)engine;
}

static enum tls_state bearssl_state(const struct tls_engine *engine)
{
    const struct bearssl *bearssl = bearssl_of_const(engine);
    const br_ssl_engine_context *eng = &bearssl->client.eng;

    if (br_ssl_engine_last_error(eng) != BR_ERR_OK)
        return TLS_FAILED;
    if (br_ssl_engine_current_state(eng) == BR_SSL_CLOSED)
        return TLS_CLOSED;
    return bearssl->open ? TLS_OPEN : TLS_HANDSHAKE;
}

/* Notes a refused certificate, and the end of the handshake: the engine accepts application
 * data. */
static void note_progress(struct bearssl *bearssl)
{
    unsigned state = br_ssl_engine_current_state(&bearssl->client.eng);

    if (!bearssl->open && (state & BR_SSL_SENDAPP))
        bearssl->open = true;
    if (bearssl->verifier && bearssl->verifier->code && !bearssl->alerting) {
        /* The handshake has not reached encryption yet, so the alert is sent unencrypted. */
        bearssl->alerting = true;
        memcpy(bearssl->alert, "\x15\x03\x03\x00\x02\x02", ALERT_LEN - 1);
        bearssl->alert[ALERT_LEN - 1] = (unsigned char)bearssl->verifier->alert;
    }
}

static void note_use(size_t *used, ptrdiff_t end)
{
    if (*used < (size_t)end)
        *used = (size_t)end;
}

static bool bearssl_wants_input(const struct tls_engine *engine)
{
    unsigned state = br_ssl_engine_current_state(&bearssl_of_const(engine)->client.eng);

    return (state & BR_SSL_RECVREC) && !(state & BR_SSL_SENDREC);
}

static size_t bearssl_feed(struct tls_engine *engine, const void *buf, size_t len)
{
    struct bearssl *bearssl = bearssl_of(engine);
    br_ssl_engine_context *eng = &bearssl->client.eng;
    const unsigned char *bytes = buf;
    size_t left = len;

    /* Feed only while no output is pending. BearSSL 0.6 needs room for the answer when it reads a
     * message; it does not come back to the message later. */
    while (left > 0 && bearssl_wants_input(engine)) {
        size_t room;
        unsigned char *area = br_ssl_engine_recvrec_buf(eng, &room);
        size_t n = left < room ? left : room;
        memcpy(area, bytes, n);
        note_use(&bearssl->in_used, area + n - bearssl->in);
        tls_record_advance(&bearssl->position, bytes, n);
        br_ssl_engine_recvrec_ack(eng, n);
        bytes += n;
        left -= n;
    }
    note_progress(bearssl);
    return len - left;
}

static bool bearssl_in_record(const struct tls_engine *engine)
{
    return tls_record_is_open(&bearssl_of_const(engine)->position);
}

static size_t drain_alert(struct bearssl *bearssl, void *buf, size_t len)
{
    size_t n = ALERT_LEN - bearssl->alert_sent;

    if (!bearssl->alerting)
        return 0;
    if (n > len)
        n = len;
    memcpy(buf, bearssl->alert + bearssl->alert_sent, n);
    bearssl->alert_sent += n;
    return n;
}

static size_t bearssl_drain(struct tls_engine *engine, void *buf, size_t len)
{
    struct bearssl *bearssl = bearssl_of(engine);
    br_ssl_engine_context *eng = &bearssl->client.eng;
    unsigned char *bytes = buf;
    size_t left = len;

    while (left > 0) {
        size_t there;
        const unsigned char *area = br_ssl_engine_sendrec_buf(eng, &there);
        if (!area || there == 0)
            break;
        size_t n = left < there ? left : there;
        memcpy(bytes, area, n);
        br_ssl_engine_sendrec_ack(eng, n);
        bytes += n;
        left -= n;
    }
    note_progress(bearssl);
    left -= drain_alert(bearssl, bytes, left);
    return len - left;
}

static size_t bearssl_read(struct tls_engine *engine, void *buf, size_t len)
{
    br_ssl_engine_context *eng = &bearssl_of(engine)->client.eng;
    size_t there;
    const unsigned char *area = br_ssl_engine_recvapp_buf(eng, &there);

    if (!area || len == 0)
        return 0;
    if (len > there)
        len = there;
    memcpy(buf, area, len);
    br_ssl_engine_recvapp_ack(eng, len);
    return len;
}

static bool bearssl_readable(const struct tls_engine *engine)
{
    return br_ssl_engine_current_state(&bearssl_of_const(engine)->client.eng) & BR_SSL_RECVAPP;
}

static size_t bearssl_write(struct tls_engine *engine, const void *buf, size_t len)
{
    struct bearssl *bearssl = bearssl_of(engine);
    br_ssl_engine_context *eng = &bearssl->client.eng;
    size_t room;
    unsigned char *area = br_ssl_engine_sendapp_buf(eng, &room);

    if (!area || len == 0)
        return 0;
    if (len > room)
        len = room;
    memcpy(area, buf, len);
    note_use(&bearssl->out_used, area + len - bearssl->out);
    br_ssl_engine_sendapp_ack(eng, len);
    return len;
}

static void bearssl_flush(struct tls_engine *engine)
{
    br_ssl_engine_flush(&bearssl_of(engine)->client.eng, 0);
}

static void bearssl_close(struct tls_engine *engine)
{
    br_ssl_engine_context *eng = &bearssl_of(engine)->client.eng;
    size_t there;

    /* BearSSL 0.6 would keep the unread data for ever and accept no more input. */
    if (br_ssl_engine_recvapp_buf(eng, &there))
        br_ssl_engine_recvapp_ack(eng, there);
    br_ssl_engine_close(eng);
}

static void free_verifier(struct bearssl *bearssl)
{
    br_ssl_engine_set_x509(&bearssl->client.eng, NULL);
    if (bearssl->verifier)
        x509_finish(bearssl->verifier);
    free(bearssl->verifier);
    bearssl->verifier = NULL;
}

/* The verifier is no longer needed: renegotiation is disabled, so no further certificate comes. */
static void bearssl_opened(struct tls_engine *engine)
{
    struct bearssl *bearssl = bearssl_of(engine);

    free_verifier(bearssl);
    if (bearssl->config->keylog) {
        br_ssl_session_parameters session;
        br_ssl_engine_get_session_parameters(&bearssl->client.eng, &session);
        keylog_append(bearssl->config->keylog, bearssl->client.eng.client_random,
                      session.master_secret);
        explicit_bzero(&session, sizeof session);
    }
}

static const char *engine_text(int err)
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

static int bearssl_failure(const struct tls_engine *engine, struct whorl_error *error)
{
    const struct bearssl *bearssl = bearssl_of_const(engine);
    const struct x509_verifier *verifier = bearssl->verifier;
    const char *host = bearssl->peer.host;
    int err = br_ssl_engine_last_error(&bearssl->client.eng);
    int code = bearssl->open ? WHORL_ETLS_PROTOCOL : WHORL_ETLS_HANDSHAKE;

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
    if (err == BR_ERR_UNSUPPORTED_VERSION && !bearssl->open)
        return whorl_error_set(error, WHORL_ETLS_VERSION, "TLS", "%s does not speak TLS 1.2", host);
    if (err == BR_ERR_WRONG_KEY_USAGE)
        return whorl_error_set(error, WHORL_ETLS_CERTIFICATE, "TLS",
                               "key in the certificate for %s may not be used for this handshake",
                               host);
    return whorl_error_set(error, code, "TLS", "%s: %s (%d)", host, engine_text(err), err);
}

static const char *bearssl_alpn(const struct tls_engine *engine)
{
    return br_ssl_engine_get_selected_protocol(
        &bearssl_of((struct tls_engine *)engine)->client.eng);
}

static const char *bearssl_suite(const struct tls_engine *engine)
{
    return suite_name(bearssl_of_const(engine)->client.eng.session.cipher_suite);
}

static const char *bearssl_version(const struct tls_engine *engine)
{
    (void)engine;
    return "TLS 1.2";
}

static void bearssl_destroy(struct tls_engine *engine)
{
    struct bearssl *bearssl = bearssl_of(engine);

    free_verifier(bearssl);
    whorl_tls_config_destroy(bearssl->config);
    explicit_bzero(bearssl->in, bearssl->in_used);
    explicit_bzero(bearssl->out, bearssl->out_used);
    explicit_bzero(bearssl, offsetof(struct bearssl, in));
    free(bearssl);
}

static const struct tls_engine_ops bearssl_ops = {
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
    .opened = bearssl_opened,
    .failure = bearssl_failure,
    .alpn = bearssl_alpn,
    .suite = bearssl_suite,
    .version = bearssl_version,
    .destroy = bearssl_destroy,
};

/* BearSSL 0.6 would seed itself from the processor's random number generator only. */
static int inject_entropy(br_ssl_engine_context *eng)
{
    unsigned char seed[48];
    ssize_t n;

    do
        n = getrandom(seed, sizeof seed, 0);
    while (n < 0 && errno == EINTR);
    if (n != sizeof seed)
        return n < 0 ? -errno : -EIO;
    br_ssl_engine_inject_entropy(eng, seed, sizeof seed);
    explicit_bzero(seed, sizeof seed);
    return 0;
}

int tls_engine_create_bearssl(struct whorl_tls_config *config, const struct tls_peer *peer,
                              struct tls_engine **ret)
{
    struct bearssl *bearssl = malloc(sizeof *bearssl);
    int err = -ENOMEM;

    if (!bearssl)
        return -ENOMEM;
    /* The two large areas at the end are not zeroed, because they need not be. */
    memset(bearssl, 0, offsetof(struct bearssl, in));
    bearssl->engine.ops = &bearssl_ops;
    bearssl->peer = *peer;
    bearssl->verifier = malloc(sizeof *bearssl->verifier);
    if (!bearssl->verifier)
        goto err_free;
    x509_init(bearssl->verifier, config, &bearssl->peer);

    br_ssl_engine_context *eng = &bearssl->client.eng;
    br_ssl_client_zero(&bearssl->client);
    suites_apply(&bearssl->client);
    br_ssl_engine_set_x509(eng, &bearssl->verifier->vtable);
    br_ssl_engine_set_buffers_bidi(eng, bearssl->in, sizeof bearssl->in, bearssl->out,
                                   sizeof bearssl->out);
    if (config->alpn_count > 0)
        br_ssl_engine_set_protocol_names(eng, config->alpn, config->alpn_count);
    err = inject_entropy(eng);
    if (err)
        goto err_free;
    br_ssl_client_reset(&bearssl->client, peer->ip_len > 0 ? NULL : peer->host, 0);
    bearssl->config = tls_config_hold(config);
    *ret = &bearssl->engine;
    return 0;

err_free:
    free(bearssl->verifier);
    free(bearssl);
    return err;
}
