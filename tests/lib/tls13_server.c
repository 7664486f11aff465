/* SPDX-License-Identifier: MIT */
/* A TLS 1.3 server for tests. */
#include "tls13_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "certs.h"
#include "test.h"
#include "tls_server_ops.h"

struct openssl_server {
    struct tls_server base;
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out; /* belong to `ssl` */
    int alert;
    char alpn[64];
};

static struct openssl_server *openssl_of(struct tls_server *server)
{
    return (struct openssl_server *)server;
}

static const struct openssl_server *openssl_of_const(const struct tls_server *server)
{
    return (const struct openssl_server *)server;
}

static void note_info(const SSL *ssl, int where, int value)
{
    struct openssl_server *server = SSL_get_app_data(ssl);

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
        server->alert = value & 0xff;
}

static int choose_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                       const unsigned char *offered, unsigned offered_len, void *arg)
{
    struct openssl_server *server = arg;

    (void)ssl, (void)offered, (void)offered_len;
    *ret = (const unsigned char *)server->alpn;
    *ret_len = (unsigned char)strlen(server->alpn);
    return SSL_TLSEXT_ERR_OK;
}

static void set_up(struct openssl_server *server, const struct tls13_server_options *options)
{
    SSL_CTX *ctx = server->ctx;
    const char *name = options->cert ? options->cert : "good-ec";
    int version = options->only_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    unsigned char keys[80];
    char file[300];

    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    snprintf(file, sizeof file, "%s.pem", name);
    CHECK(SSL_CTX_use_certificate_chain_file(ctx, cert_path(file)) == 1);
    snprintf(file, sizeof file, "%s.key", name);
    CHECK(SSL_CTX_use_PrivateKey_file(ctx, cert_path(file), SSL_FILETYPE_PEM) == 1);
    if (options->suites)
        CHECK(SSL_CTX_set_ciphersuites(ctx, options->suites));
    if (options->groups)
        CHECK(SSL_CTX_set1_groups_list(ctx, options->groups));
    if (options->client_ca) {
        CHECK(SSL_CTX_load_verify_file(ctx, cert_path(options->client_ca)));
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(cert_path(options->client_ca)));
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    SSL_CTX_set_num_tickets(ctx, options->tickets);
    memset(keys, (int)options->ticket_key, sizeof keys);
    if (options->ticket_key > 0)
        CHECK(SSL_CTX_set_tlsext_ticket_keys(ctx, keys, sizeof keys));
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"tests", 5);
    SSL_CTX_set_info_callback(ctx, note_info);
    if (options->alpn) {
        snprintf(server->alpn, sizeof server->alpn, "%s", options->alpn);
        SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, server);
    }
}

static WHORL_SUSPENDS int send_output(struct openssl_server *server)
{
    char *bytes;
    long len = BIO_get_mem_data(server->out, &bytes);

    if (len <= 0)
        return 0;
    int err = whorl_stream_write(server->base.carrier, bytes, (size_t)len);
    BIO_reset(server->out);
    return err;
}

/* Sends what OpenSSL has written, and receives if it wants to read more. `result` is that of the
 * last call. Returns 0 when the call is to be repeated, 1 when it is done, 2 at close_notify, or an
 * error. */
static WHORL_SUSPENDS int pump(struct openssl_server *server, int result)
{
    char bytes[20000];
    int why = SSL_get_error(server->ssl, result);

    ERR_clear_error();
    int err = send_output(server);
    if (err)
        return err;
    if (result > 0)
        return 1;
    if (why == SSL_ERROR_ZERO_RETURN)
        return 2;
    if (why != SSL_ERROR_WANT_READ)
        return -EPROTO;
    ssize_t n = whorl_stream_read(server->base.carrier, bytes, sizeof bytes);
    if (n <= 0)
        return n < 0 ? (int)n : -ECONNRESET;
    CHECK_EQ(BIO_write(server->in, bytes, (int)n), n);
    return 0;
}

static WHORL_SUSPENDS int openssl_handshake(struct tls_server *base)
{
    struct openssl_server *server = openssl_of(base);
    int done;

    do
        done = pump(server, SSL_do_handshake(server->ssl));
    while (done == 0);
    return done == 2 ? -EPROTO : done < 0 ? done : 0;
}

static WHORL_SUSPENDS ssize_t openssl_read(struct tls_server *base, void *buf, size_t len)
{
    struct openssl_server *server = openssl_of(base);
    int done, n;

    do {
        n = SSL_read(server->ssl, buf, (int)len);
        done = pump(server, n);
    } while (done == 0);
    return done == 2 ? 0 : done < 0 ? done : n;
}

static WHORL_SUSPENDS int openssl_write(struct tls_server *base, const void *buf, size_t len)
{
    struct openssl_server *server = openssl_of(base);
    int done;

    do
        done = pump(server, SSL_write(server->ssl, buf, (int)len));
    while (done == 0);
    return done < 0 ? done : 0;
}

static WHORL_SUSPENDS int openssl_close_notify(struct tls_server *base)
{
    struct openssl_server *server = openssl_of(base);

    SSL_shutdown(server->ssl);
    return send_output(server);
}

static const char *openssl_sni(const struct tls_server *server)
{
    const char *name = SSL_get_servername(openssl_of_const(server)->ssl, TLSEXT_NAMETYPE_host_name);

    return name ? name : "";
}

static void openssl_destroy(struct tls_server *base)
{
    struct openssl_server *server = openssl_of(base);

    SSL_free(server->ssl);
    SSL_CTX_free(server->ctx);
    free(server);
}

static const struct tls_server_ops openssl_ops = {
    openssl_handshake,    openssl_read, openssl_write,
    openssl_close_notify, openssl_sni,  openssl_destroy,
};

struct tls_server *tls13_server_create(struct whorl_stream *carrier,
                                       const struct tls13_server_options *options)
{
    static const struct tls13_server_options defaults;
    struct openssl_server *server = calloc(1, sizeof *server);

    CHECK(server);
    server->base = (struct tls_server){&openssl_ops, carrier};
    server->alert = -1;
    server->ctx = SSL_CTX_new(TLS_server_method());
    CHECK(server->ctx);
    set_up(server, options ? options : &defaults);
    server->ssl = SSL_new(server->ctx);
    server->in = BIO_new(BIO_s_mem());
    server->out = BIO_new(BIO_s_mem());
    CHECK(server->ssl && server->in && server->out);
    SSL_set_bio(server->ssl, server->in, server->out);
    SSL_set_app_data(server->ssl, server);
    SSL_set_accept_state(server->ssl);
    return &server->base;
}

WHORL_SUSPENDS int tls13_server_update_key(struct tls_server *server, bool is_request)
{
    CHECK(SSL_key_update(openssl_of(server)->ssl,
                         is_request ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED));
    return openssl_handshake(server);
}

WHORL_SUSPENDS int tls13_server_send_ticket(struct tls_server *server)
{
    CHECK(SSL_new_session_ticket(openssl_of(server)->ssl));
    return openssl_handshake(server);
}

int tls13_server_alert(const struct tls_server *server)
{
    return openssl_of_const(server)->alert;
}

bool tls13_server_has_resumed(const struct tls_server *server)
{
    return SSL_session_reused(openssl_of_const(server)->ssl);
}
