/* SPDX-License-Identifier: MIT */
/* OpenSSL 3 as a TLS engine, for TLS 1.2 and 1.3.
 *
 *     feed -> [ BIO over the bytes fed ] -> SSL -> read
 *     drain <- [       memory BIO      ] <- SSL <- `plain` <- write
 *
 * OpenSSL copies a part of a record into its own buffer, so nothing is left of the bytes fed when
 * `feed` returns. SSL_peek() decrypts the next record, which SSL_read() then copies out.
 *
 * OpenSSL does not check certificates here. The message callback passes the server's certificates,
 * as they were received, to the verifier that BearSSL's engine uses too (x509.h). The verification
 * callback returns the result of that verifier.
 *
 * OpenSSL keeps its list of errors per thread. Each step reads the list before it returns, so that
 * tasks of a thread do not disturb each other.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "io/tls/client_sessions.h"
#include "io/tls/engine.h"
#include "io/tls/keylog.h"
#include "io/tls/record.h"
#include "io/tls/suites.h"
#include "io/tls/x509.h"

enum {
    PLAIN_MAX = 16384,          /* the longest record */
    HANDSHAKE_CERTIFICATE = 11, /* RFC 5246 §7.4, RFC 8446 §4 */
    HANDSHAKE_HEADER = 4,
    /* Messages of TLS 1.3 after the handshake (tickets, key updates) without data between them.
     * Each one costs work, and a server has no reason to send many. */
    IDLE_MESSAGES_MAX = 32,
};

/* What the engines of a config share. */
struct shared {
    struct tls_shared base;
    SSL_CTX *ctx;
};

struct openssl {
    struct tls_engine engine;
    struct whorl_tls_config *config;
    struct tls_peer peer;
    SSL *ssl;
    BIO *out;                             /* belongs to `ssl` */
    struct tls_client_sessions *sessions; /* held; NULL: none are resumed */
    uint16_t port;
    struct x509_verifier *verifier; /* owned; NULL after the handshake */
    bool has_chain, has_verdict;    /* the certificates were received, were checked */

    bool open;          /* the handshake is complete */
    bool failed;        /* see the next fields */
    bool closing;       /* close_notify was written to `out` */
    bool peer_closed;   /* close_notify was received */
    unsigned long code; /* OpenSSL's code of the failure */
    int alert_received; /* fatal alert; -1: none */
    unsigned idle_messages;
    char alpn[256];

    const unsigned char *in; /* bytes that were fed; valid during `feed` */
    size_t in_len;
    struct tls_record_position position; /* of the bytes fed */

    size_t plain_len, plain_used; /* held back for the next record; the largest plain_len so far */
    unsigned char *plain;         /* owned; PLAIN_MAX bytes; NULL until needed */
};

static struct openssl *openssl_of(struct tls_engine *engine)
{
    return (struct openssl *)engine;
}

static const struct openssl *openssl_of_const(const struct tls_engine *engine)
{
    return (const struct openssl *)engine;
}

/* --- the BIO over the bytes fed --- */

static bool has_output(const struct openssl *openssl)
{
    return BIO_ctrl_pending(openssl->out) > 0;
}

static int fed_read(BIO *bio, char *buf, int len)
{
    struct openssl *openssl = BIO_get_data(bio);
    size_t n = (size_t)len < openssl->in_len ? (size_t)len : openssl->in_len;

    BIO_clear_retry_flags(bio);
    /* After the handshake, an answer must be drained before the next record is read. This limits
     * the answers that a peer can make this side keep. */
    if (n == 0 || (openssl->open && has_output(openssl))) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(buf, openssl->in, n);
    openssl->in += n;
    openssl->in_len -= n;
    return (int)n;
}

static long fed_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *fed_method;

static void make_fed_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "fed");

    if (!method)
        return;
    BIO_meth_set_read(method, fed_read);
    BIO_meth_set_ctrl(method, fed_ctrl);
    fed_method = method;
}

/* --- results --- */

static void fail(struct openssl *openssl)
{
    unsigned long code;

    openssl->failed = true;
    while ((code = ERR_get_error()) != 0) {
        openssl->code = code;
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
            break;
    }
    ERR_clear_error();
}

/* Evaluates the result of a call of OpenSSL that has not succeeded. */
static void note_result(struct openssl *openssl, int result)
{
    switch (SSL_get_error(openssl->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        break;
    case SSL_ERROR_ZERO_RETURN:
        openssl->peer_closed = true;
        openssl->plain_len = 0;
        if (!openssl->closing && openssl->open)
            SSL_shutdown(openssl->ssl); /* RFC 5246 §7.2.1: answer with a close_notify */
        openssl->closing = true;
        break;
    default:
        fail(openssl);
    }
}

/* RFC 7301 §3.2: the server chooses one of the protocols that were offered. */
static void note_alpn(struct openssl *openssl)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(openssl->ssl, &name, &len);
    if (len == 0 || len >= sizeof openssl->alpn)
        return;
    memcpy(openssl->alpn, name, len);
    for (size_t i = 0; i < openssl->config->alpn_count; i++)
        if (strcmp(openssl->config->alpn[i], openssl->alpn) == 0)
            return;
    openssl->failed = true;
    openssl->code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_NO_APPLICATION_PROTOCOL);
}

/* --- sessions --- */

static void release_session(void *session)
{
    SSL_SESSION_free(session);
}

/* OpenSSL calls this for each session that it makes: at the end of a handshake of TLS 1.2, and for
 * each ticket of TLS 1.3. Returns whether the session is now ours. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct openssl *openssl = SSL_get_app_data(ssl);
    char key[TLS_CLIENT_SESSION_KEY_SIZE];

    if (!openssl->sessions || !SSL_SESSION_is_resumable(session))
        return 0;
    tls_client_session_key(key, "openssl", openssl->peer.host, openssl->port);
    tls_client_sessions_put(openssl->sessions, key, (int64_t)time(NULL), session, release_session);
    return 1;
}

/* A session of TLS 1.2 was taken out of the store to be resumed, and the server need not send a new
 * one. */
static void keep_resumed_session(struct openssl *openssl)
{
    if (!SSL_session_reused(openssl->ssl) || SSL_version(openssl->ssl) == TLS1_3_VERSION)
        return;
    SSL_SESSION *session = SSL_get1_session(openssl->ssl);
    if (session && !keep_session(openssl->ssl, session))
        SSL_SESSION_free(session);
}

static void offer_session(struct openssl *openssl)
{
    char key[TLS_CLIENT_SESSION_KEY_SIZE];

    if (!openssl->sessions)
        return;
    tls_client_session_key(key, "openssl", openssl->peer.host, openssl->port);
    SSL_SESSION *session = tls_client_sessions_take(openssl->sessions, key, (int64_t)time(NULL));
    if (!session)
        return;
    SSL_set_session(openssl->ssl, session);
    SSL_SESSION_free(session);
}

/* --- steps --- */

/* Continues the handshake, or decrypts the next record. */
static void advance(struct openssl *openssl)
{
    unsigned char byte;
    int result;

    ERR_clear_error();
    if (openssl->open) {
        result = SSL_peek(openssl->ssl, &byte, 1);
        if (result > 0)
            openssl->idle_messages = 0;
    } else {
        result = SSL_do_handshake(openssl->ssl);
        if (result > 0) {
            openssl->open = true;
            note_alpn(openssl);
            keep_resumed_session(openssl);
        }
    }
    if (result <= 0)
        note_result(openssl, result);
    if (openssl->idle_messages > IDLE_MESSAGES_MAX && !openssl->failed) {
        openssl->failed = true;
        openssl->code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_MESSAGE);
    }
}

static enum tls_state openssl_state(const struct tls_engine *engine)
{
    const struct openssl *openssl = openssl_of_const(engine);

    if (openssl->failed)
        return TLS_FAILED;
    if (openssl->peer_closed && !has_output(openssl))
        return TLS_CLOSED;
    return openssl->open ? TLS_OPEN : TLS_HANDSHAKE;
}

static bool openssl_readable(const struct tls_engine *engine)
{
    const struct openssl *openssl = openssl_of_const(engine);

    return !openssl->closing && SSL_pending(openssl->ssl) > 0;
}

static bool openssl_wants_input(const struct tls_engine *engine)
{
    const struct openssl *openssl = openssl_of_const(engine);

    return !openssl->failed && !openssl->peer_closed && !has_output(openssl) &&
           !openssl_readable(engine);
}

/* Drops decrypted data that is not read. */
static void drop_unread(struct openssl *openssl)
{
    unsigned char sink[1024];

    ERR_clear_error();
    while (SSL_pending(openssl->ssl) > 0 && SSL_read(openssl->ssl, sink, sizeof sink) > 0)
        ;
    explicit_bzero(sink, sizeof sink);
}

static size_t openssl_feed(struct tls_engine *engine, const void *buf, size_t len)
{
    struct openssl *openssl = openssl_of(engine);

    openssl->in = buf;
    openssl->in_len = len;
    while (openssl->in_len > 0 && openssl_wants_input(engine)) {
        advance(openssl);
        if (openssl->closing)
            drop_unread(openssl);
    }
    len -= openssl->in_len;
    openssl->in = NULL;
    openssl->in_len = 0;
    tls_record_advance(&openssl->position, buf, len);
    return len;
}

static bool openssl_in_record(const struct tls_engine *engine)
{
    return tls_record_is_open(&openssl_of_const(engine)->position);
}

static size_t openssl_drain(struct tls_engine *engine, void *buf, size_t len)
{
    int n = BIO_read(openssl_of(engine)->out, buf, (int)(len < INT_MAX ? len : INT_MAX));

    return n > 0 ? (size_t)n : 0;
}

static size_t openssl_read(struct tls_engine *engine, void *buf, size_t len)
{
    struct openssl *openssl = openssl_of(engine);

    if (len == 0 || !openssl_readable(engine))
        return 0;
    ERR_clear_error();
    int n = SSL_read(openssl->ssl, buf, (int)(len < PLAIN_MAX ? len : PLAIN_MAX));
    return n > 0 ? (size_t)n : 0;
}

/* Makes a record of at most PLAIN_MAX bytes. */
static void encrypt(struct openssl *openssl, const void *buf, size_t len)
{
    ERR_clear_error();
    int result = SSL_write(openssl->ssl, buf, (int)len);
    if (result <= 0)
        note_result(openssl, result);
}

static size_t openssl_write(struct tls_engine *engine, const void *buf, size_t len)
{
    struct openssl *openssl = openssl_of(engine);
    size_t room = PLAIN_MAX - openssl->plain_len;

    if (openssl_state(engine) != TLS_OPEN || openssl->closing || has_output(openssl))
        return 0;
    if (len > room)
        len = room;
    if (!openssl->plain && len < PLAIN_MAX)
        openssl->plain = malloc(PLAIN_MAX);
    if (!openssl->plain || len == PLAIN_MAX) { /* without memory, a short record */
        encrypt(openssl, buf, len);
        return len;
    }
    memcpy(openssl->plain + openssl->plain_len, buf, len);
    openssl->plain_len += len;
    if (openssl->plain_used < openssl->plain_len)
        openssl->plain_used = openssl->plain_len;
    if (len == room) {
        encrypt(openssl, openssl->plain, openssl->plain_len);
        openssl->plain_len = 0;
    }
    return len;
}

static void openssl_flush(struct tls_engine *engine)
{
    struct openssl *openssl = openssl_of(engine);

    if (openssl->plain_len == 0 || openssl_state(engine) != TLS_OPEN)
        return;
    encrypt(openssl, openssl->plain, openssl->plain_len);
    openssl->plain_len = 0;
}

static void free_plain(struct openssl *openssl)
{
    if (openssl->plain)
        explicit_bzero(openssl->plain, openssl->plain_used);
    free(openssl->plain);
    openssl->plain = NULL;
    openssl->plain_used = 0;
}

/* Frees the buffers for records, if they are empty. The option makes OpenSSL erase their plaintext
 * before. OpenSSL could do both after each record, but then 1 GiB would take 1.1 s of a processor
 * instead of 0.8 s. */
static void free_records(struct openssl *openssl)
{
    SSL_set_options(openssl->ssl, SSL_OP_CLEANSE_PLAINTEXT);
    if (SSL_free_buffers(openssl->ssl) != 1)
        ERR_clear_error();
    SSL_clear_options(openssl->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

/* The memory BIO keeps its largest size, too. */
static void openssl_rest(struct tls_engine *engine)
{
    struct openssl *openssl = openssl_of(engine);
    free_records(openssl);
    BUF_MEM *empty = has_output(openssl) ? NULL : BUF_MEM_new();

    if (empty)
        BIO_set_mem_buf(openssl->out, empty, BIO_CLOSE);
    if (openssl->plain_len == 0)
        free_plain(openssl);
}

static void openssl_close(struct tls_engine *engine)
{
    struct openssl *openssl = openssl_of(engine);

    if (!openssl->open || openssl->failed || openssl->closing)
        return;
    openssl_flush(engine);
    drop_unread(openssl);
    openssl->closing = true;
    ERR_clear_error();
    SSL_shutdown(openssl->ssl);
    ERR_clear_error();
}

static void free_verifier(struct openssl *openssl)
{
    if (openssl->verifier)
        x509_finish(openssl->verifier);
    free(openssl->verifier);
    openssl->verifier = NULL;
}

/* A server sends its certificates only once: renegotiation is disabled. */
static void openssl_opened(struct tls_engine *engine)
{
    free_verifier(openssl_of(engine));
}

/* --- certificates --- */

static size_t u24(const unsigned char *bytes)
{
    return (size_t)bytes[0] << 16 | (size_t)bytes[1] << 8 | bytes[2];
}

static void pass_cert(struct x509_verifier *verifier, const unsigned char *der, size_t len)
{
    const br_x509_class *class = verifier->vtable;

    class->start_cert(&verifier->vtable, (uint32_t)len);
    class->append(&verifier->vtable, der, len);
    class->end_cert(&verifier->vtable);
}

/* Passes the list of a Certificate message to the verifier, as far as it is well formed. In TLS 1.3
 * a context precedes the list, and extensions follow each certificate (RFC 8446 §4.4.2). */
static void pass_chain(struct openssl *openssl, const unsigned char *bytes, size_t len)
{
    bool is_1_3 = SSL_version(openssl->ssl) == TLS1_3_VERSION;
    const unsigned char *end = bytes + len;

    openssl->has_chain = true;
    openssl->verifier->vtable->start_chain(&openssl->verifier->vtable, NULL);
    bytes += HANDSHAKE_HEADER;
    if (is_1_3 && bytes < end)
        bytes += 1 + *bytes;
    if (end - bytes < 3)
        return;
    bytes += 3;
    while (end - bytes >= 3) {
        size_t cert_len = u24(bytes);
        bytes += 3;
        if (cert_len > (size_t)(end - bytes))
            return;
        pass_cert(openssl->verifier, bytes, cert_len);
        bytes += cert_len;
        if (is_1_3) {
            if (end - bytes < 2)
                return;
            size_t extensions_len = (size_t)bytes[0] << 8 | bytes[1];
            bytes += 2;
            if (extensions_len > (size_t)(end - bytes))
                return;
            bytes += extensions_len;
        }
    }
}

static int judge(struct openssl *openssl)
{
    if (!openssl->has_verdict)
        openssl->verifier->vtable->end_chain(&openssl->verifier->vtable);
    openssl->has_verdict = true;
    return openssl->verifier->code;
}

/* The error for which OpenSSL sends this alert. */
static int error_of_alert(unsigned alert)
{
    switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
        return X509_V_ERR_CERT_REJECTED;
    case SSL_AD_CERTIFICATE_EXPIRED:
        return X509_V_ERR_CERT_HAS_EXPIRED;
    case SSL_AD_UNKNOWN_CA:
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    case SSL_AD_INTERNAL_ERROR:
        return X509_V_ERR_OUT_OF_MEM;
    default:
        return X509_V_ERR_AKID_SKID_MISMATCH; /* certificate_unknown */
    }
}

/* OpenSSL calls this instead of its own verification, before any application data. */
static int verify(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct openssl *openssl = SSL_get_app_data(ssl);

    (void)arg;
    if (openssl->has_chain && judge(openssl) == 0) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    X509_STORE_CTX_set_error(store, error_of_alert(openssl->verifier->alert));
    return 0;
}

/* OpenSSL calls this for each message, before it reads the message. */
static void note_message(int is_sent, int version, int type, const void *bytes, size_t len,
                         SSL *ssl, void *arg)
{
    struct openssl *openssl = arg;

    (void)version;
    if (is_sent || len == 0 || type != SSL3_RT_HANDSHAKE)
        return;
    if (openssl->open)
        openssl->idle_messages += SSL_version(ssl) == TLS1_3_VERSION;
    else if (*(const unsigned char *)bytes == HANDSHAKE_CERTIFICATE && !openssl->has_chain &&
             len >= HANDSHAKE_HEADER)
        pass_chain(openssl, bytes, len);
}

static void note_info(const SSL *ssl, int where, int value)
{
    struct openssl *openssl = SSL_get_app_data(ssl);

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
        openssl->alert_received = value & 0xff;
}

static void log_keys(const SSL *ssl, const char *line)
{
    struct openssl *openssl = SSL_get_app_data(ssl);

    keylog_append_line(openssl->config->keylog, line);
}

/* --- failures --- */

static const char *reason_text(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
        return "record of another TLS version";
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_DATA_LENGTH_TOO_LONG:
    case SSL_R_LENGTH_TOO_SHORT:
        return "record of impossible length";
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
        return "record is damaged";
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_UNEXPECTED_RECORD:
    case SSL_R_UNKNOWN_ALERT_TYPE:
        return "unexpected record or message";
    case SSL_R_BAD_CHANGE_CIPHER_SPEC:
        return "malformed ChangeCipherSpec";
    case SSL_R_UNKNOWN_CIPHER_RETURNED:
    case SSL_R_WRONG_CIPHER_RETURNED:
        return "server chose a cipher suite that was not offered";
    case SSL_R_UNSUPPORTED_COMPRESSION_ALGORITHM:
        return "server chose compression";
    case SSL_R_UNSOLICITED_EXTENSION:
        return "server sent an extension that was not offered";
    case SSL_R_BAD_EXTENSION:
        return "server sent an extension that is malformed or does not fit";
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return "server chose a protocol that was not offered";
    case SSL_R_DIGEST_CHECK_FAILED:
        return "Finished message does not match the handshake";
    case SSL_R_WRONG_CURVE:
    case SSL_R_WRONG_SIGNATURE_TYPE:
        return "server chose a curve or signature that was not offered";
    case SSL_R_BAD_SIGNATURE:
        return "signature of the key exchange is wrong";
    default:
        return "malformed message";
    }
}

static const char *versions(const struct openssl *openssl)
{
    return openssl->config->version_min == WHORL_TLS_1_2 ? "TLS 1.2 or 1.3" : "TLS 1.3";
}

static int openssl_failure(const struct tls_engine *engine, struct whorl_error *error)
{
    struct openssl *openssl = openssl_of((struct tls_engine *)engine);
    const char *host = openssl->peer.host;
    int code = openssl->open ? WHORL_ETLS_PROTOCOL : WHORL_ETLS_HANDSHAKE;
    int reason = ERR_GET_REASON(openssl->code), alert = openssl->alert_received;

    /* OpenSSL itself may have refused a certificate that it cannot parse. */
    if (openssl->verifier && openssl->has_chain && judge(openssl))
        return whorl_error_set(error, openssl->verifier->code, "TLS", "%s",
                               openssl->verifier->text);
    if (reason == ERR_R_MALLOC_FAILURE)
        return whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
    if (alert == SSL_AD_PROTOCOL_VERSION)
        return whorl_error_set(error, WHORL_ETLS_VERSION, "TLS",
                               "%s sent alert protocol_version (70): it does not speak %s", host,
                               versions(openssl));
    if (alert >= 0)
        return whorl_error_set(error, WHORL_ETLS_ALERT, "TLS", "%s sent alert %s (%d)", host,
                               tls_alert_name(alert), alert);
    if (!openssl->open &&
        (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_WRONG_SSL_VERSION))
        return whorl_error_set(error, WHORL_ETLS_VERSION, "TLS", "%s does not speak %s", host,
                               versions(openssl));
    return whorl_error_set(error, code, "TLS", "%s: %s (%d)", host, reason_text(reason), reason);
}

/* --- properties and end --- */

static const char *openssl_alpn(const struct tls_engine *engine)
{
    const struct openssl *openssl = openssl_of_const(engine);

    return *openssl->alpn ? openssl->alpn : NULL;
}

static const char *openssl_suite(const struct tls_engine *engine)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(openssl_of_const(engine)->ssl);

    return cipher ? SSL_CIPHER_get_name(cipher) : "unknown";
}

static const char *openssl_version(const struct tls_engine *engine)
{
    return SSL_version(openssl_of_const(engine)->ssl) == TLS1_3_VERSION ? "TLS 1.3" : "TLS 1.2";
}

static int openssl_alert(const struct tls_engine *engine)
{
    return openssl_of_const(engine)->alert_received;
}

static bool openssl_is_resumed(const struct tls_engine *engine)
{
    return SSL_session_reused(openssl_of_const(engine)->ssl);
}

static void openssl_destroy(struct tls_engine *engine)
{
    struct openssl *openssl = openssl_of(engine);

    free_verifier(openssl);
    tls_client_sessions_release(openssl->sessions);
    /* A close without close_notify is usual here. Without this, OpenSSL would mark the session as
     * bad, which the store may hold. */
    if (openssl->ssl && openssl->open && !openssl->failed)
        SSL_set_shutdown(openssl->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    if (openssl->ssl)
        SSL_set_options(openssl->ssl, SSL_OP_CLEANSE_PLAINTEXT);
    SSL_free(openssl->ssl);
    ERR_clear_error();
    whorl_tls_config_destroy(openssl->config);
    free_plain(openssl);
    free(openssl);
}

static const struct tls_engine_ops openssl_ops = {
    .name = "openssl",
    .state = openssl_state,
    .feed = openssl_feed,
    .wants_input = openssl_wants_input,
    .in_record = openssl_in_record,
    .drain = openssl_drain,
    .read = openssl_read,
    .readable = openssl_readable,
    .write = openssl_write,
    .flush = openssl_flush,
    .close = openssl_close,
    .opened = openssl_opened,
    .rest = openssl_rest,
    .failure = openssl_failure,
    .alpn = openssl_alpn,
    .suite = openssl_suite,
    .version = openssl_version,
    .is_resumed = openssl_is_resumed,
    .alert = openssl_alert,
    .destroy = openssl_destroy,
};

/* --- creation --- */

/* The same as BearSSL's engine offers, and the suites of TLS 1.3. No SHA-1. */
static bool set_algorithms(SSL_CTX *ctx)
{
    bool has_aes = suites_prefer_aes();

    return SSL_CTX_set_cipher_list(
               ctx, has_aes ? "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
                            : "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
                              "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384") &&
           SSL_CTX_set_ciphersuites(ctx, has_aes ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                                   "TLS_CHACHA20_POLY1305_SHA256"
                                                 : "TLS_CHACHA20_POLY1305_SHA256:"
                                                   "TLS_AES_128_GCM_SHA256:"
                                                   "TLS_AES_256_GCM_SHA384") &&
           SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384:P-521") &&
           SSL_CTX_set1_sigalgs_list(ctx, "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:"
                                          "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
                                          "RSA+SHA256:RSA+SHA384:RSA+SHA512");
}

/* Writes the names as the extension has them. Returns the length. */
static unsigned write_alpn(const char *const *names, size_t count,
                           unsigned char list[ALPN_TOTAL_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        size_t name_len = strlen(names[i]);
        list[len++] = (unsigned char)name_len;
        memcpy(list + len, names[i], name_len);
        len += name_len;
    }
    return (unsigned)len;
}

static bool set_alpn(SSL_CTX *ctx, const struct whorl_tls_config *config)
{
    unsigned char list[ALPN_TOTAL_MAX];
    unsigned len = write_alpn(config->alpn, config->alpn_count, list);

    return len == 0 || SSL_CTX_set_alpn_protos(ctx, list, len) == 0;
}

/* For one connection that does not offer HTTP/2. An empty list removes the extension. */
static bool set_alpn_http1(SSL *ssl, const struct whorl_tls_config *config)
{
    unsigned char list[ALPN_TOTAL_MAX];
    unsigned len = write_alpn(config->alpn_http1, config->alpn_http1_count, list);

    return SSL_set_alpn_protos(ssl, list, len) == 0;
}

/* The certificate with which the client answers a server that asks for one. */
static bool set_identity(SSL_CTX *ctx, const struct tls_identity *identity)
{
    for (size_t i = 0; i < identity->chain_len; i++) {
        const unsigned char *der = identity->chain[i].data;
        X509 *cert = d2i_X509(NULL, &der, (long)identity->chain[i].data_len);
        bool good = cert && (i == 0 ? SSL_CTX_use_certificate(ctx, cert)
                                    : SSL_CTX_add1_chain_cert(ctx, cert)) == 1;
        X509_free(cert);
        if (!good)
            return false;
    }
    if (identity->chain_len == 0)
        return true;
    const unsigned char *der = identity->key_der;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &der, (long)identity->key_der_len);
    bool good = key && SSL_CTX_use_PrivateKey(ctx, key) == 1;
    EVP_PKEY_free(key);
    return good;
}

static SSL_CTX *make_ctx(const struct whorl_tls_config *config)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx)
        return NULL;
    if (!SSL_CTX_set_min_proto_version(
            ctx, config->version_min == WHORL_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION) ||
        !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) || !set_algorithms(ctx) ||
        !set_alpn(ctx, config) || !set_identity(ctx, &config->identity)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
    SSL_CTX_set_info_callback(ctx, note_info);
    if (config->keylog)
        SSL_CTX_set_keylog_callback(ctx, log_keys);
    return ctx;
}

static void release_shared(struct tls_shared *base)
{
    struct shared *shared = (struct shared *)base;

    SSL_CTX_free(shared->ctx);
    free(shared);
}

/* Returns what the engines of a config share, or NULL. The first engine makes it. */
static struct shared *get_shared(struct whorl_tls_config *config)
{
    struct tls_shared *made = atomic_load(&config->shared);

    if (made)
        return (struct shared *)made;
    struct shared *shared = calloc(1, sizeof *shared);
    if (!shared)
        return NULL;
    shared->base.release = release_shared;
    shared->ctx = make_ctx(config);
    if (!shared->ctx || !atomic_compare_exchange_strong(&config->shared, &made, &shared->base)) {
        release_shared(&shared->base); /* no memory, or another thread was faster */
        shared = (struct shared *)made;
    }
    return shared;
}

/* Connects the BIOs and names the server. */
static bool set_up(struct openssl *openssl)
{
    BIO *in = BIO_new(fed_method);

    openssl->out = BIO_new(BIO_s_mem());
    if (!in || !openssl->out) {
        BIO_free(in);
        BIO_free(openssl->out);
        return false;
    }
    BIO_set_data(in, openssl);
    BIO_set_init(in, 1);
    SSL_set_bio(openssl->ssl, in, openssl->out);
    if (SSL_set_app_data(openssl->ssl, openssl) != 1)
        return false;
    SSL_set_msg_callback(openssl->ssl, note_message);
    SSL_set_msg_callback_arg(openssl->ssl, openssl);
    SSL_set_connect_state(openssl->ssl);
    return openssl->peer.ip_len > 0 ||
           SSL_set_tlsext_host_name(openssl->ssl, openssl->peer.host) == 1;
}

int tls_engine_create_openssl(struct whorl_tls_config *config, const struct tls_choice *choice,
                              const struct tls_peer *peer, struct tls_engine **ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct openssl *openssl = calloc(1, sizeof *openssl);

    if (!openssl)
        return -ENOMEM;
    openssl->engine.ops = &openssl_ops;
    openssl->peer = *peer;
    openssl->alert_received = -1;
    openssl->config = tls_config_hold(config);
    openssl->sessions = tls_client_sessions_hold(choice->sessions);
    openssl->port = choice->port;
    pthread_once(&once, make_fed_method);
    struct shared *shared = get_shared(config);
    openssl->verifier = malloc(sizeof *openssl->verifier);
    if (openssl->verifier)
        x509_init(openssl->verifier, config, &openssl->peer);
    if (shared && fed_method && openssl->verifier)
        openssl->ssl = SSL_new(shared->ctx);
    if (!openssl->ssl || !set_up(openssl) ||
        (choice->no_http2 && !set_alpn_http1(openssl->ssl, config))) {
        openssl_destroy(&openssl->engine);
        return -ENOMEM;
    }
    offer_session(openssl);
    advance(openssl); /* writes the ClientHello */
    *ret = &openssl->engine;
    return 0;
}
