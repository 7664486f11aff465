/* SPDX-License-Identifier: MIT */
/* TLS servers for tests: the functions for all of them, and the servers of BearSSL. */
#include "tls_server.h"

#include <stdlib.h>

#include "certs.h"
#include "test.h"
#include "tls_server_ops.h"

enum { CERTS_MAX = 24, FILE_MAX = 64 << 10, RECORD_APPLICATION_DATA = 23 };

struct bytes {
    unsigned char data[FILE_MAX];
    size_t len;
};

struct bearssl_server {
    struct tls_server base;
    br_ssl_server_context server;
    br_skey_decoder_context key;
    /* All of the server; those that it sends. */
    br_x509_certificate certs[CERTS_MAX], chain[CERTS_MAX];
    size_t certs_len, chain_len;
    unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
};

static struct bearssl_server *bearssl_of(struct tls_server *server)
{
    return (struct bearssl_server *)server;
}

static const struct bearssl_server *bearssl_of_const(const struct tls_server *server)
{
    return (const struct bearssl_server *)server;
}

static void append(void *ctx, const void *src, size_t len)
{
    struct bytes *bytes = ctx;

    if (len > sizeof bytes->data - bytes->len)
        test_fail(__FILE__, __LINE__, "file too large");
    memcpy(bytes->data + bytes->len, src, len);
    bytes->len += len;
}

static void read_file(const char *path, struct bytes *bytes)
{
    FILE *file = fopen(path, "re");

    if (!file)
        test_fail(__FILE__, __LINE__, "%s: %s", path, strerror(errno));
    bytes->len = fread(bytes->data, 1, sizeof bytes->data, file);
    fclose(file);
}

/* Calls `found` for each object in a PEM file. */
static void read_pem(struct bearssl_server *server, const char *path,
                     void (*found)(struct bearssl_server *server, const char *label,
                                   const struct bytes *der))
{
    br_pem_decoder_context pem;
    struct bytes *text = malloc(sizeof *text), *der = malloc(sizeof *der);
    char label[128];

    CHECK(text && der);
    read_file(path, text);
    br_pem_decoder_init(&pem);
    for (size_t at = 0; at < text->len;) {
        at += br_pem_decoder_push(&pem, text->data + at, text->len - at);
        switch (br_pem_decoder_event(&pem)) {
        case BR_PEM_BEGIN_OBJ:
            snprintf(label, sizeof label, "%s", br_pem_decoder_name(&pem));
            der->len = 0;
            br_pem_decoder_setdest(&pem, append, der);
            break;
        case BR_PEM_END_OBJ:
            found(server, label, der);
            break;
        case BR_PEM_ERROR:
            test_fail(__FILE__, __LINE__, "%s is damaged", path);
        }
    }
    free(text);
    free(der);
}

static void add_certificate(struct bearssl_server *server, const char *label,
                            const struct bytes *der)
{
    if (strcmp(label, "CERTIFICATE") != 0)
        return;
    CHECK(server->certs_len < CERTS_MAX);
    br_x509_certificate *cert = &server->certs[server->certs_len++];
    cert->data = malloc(der->len);
    cert->data_len = der->len;
    CHECK(cert->data);
    memcpy(cert->data, der->data, der->len);
}

static void add_key(struct bearssl_server *server, const char *label, const struct bytes *der)
{
    if (!strstr(label, "PRIVATE KEY"))
        return;
    br_skey_decoder_init(&server->key);
    br_skey_decoder_push(&server->key, der->data, der->len);
    CHECK_EQ(br_skey_decoder_last_error(&server->key), 0);
}

static void pick_chain(struct bearssl_server *server, const size_t *picks)
{
    size_t n = 0;

    if (!picks) {
        memcpy(server->chain, server->certs, sizeof server->chain);
        server->chain_len = server->certs_len;
        return;
    }
    for (; picks[n] != SIZE_MAX; n++)
        server->chain[n] = server->certs[picks[n]];
    server->chain_len = n;
}

static void load(struct bearssl_server *server, const struct tls_server_options *options)
{
    const char *name = options->cert ? options->cert : "good-ec";
    char file[512];

    snprintf(file, sizeof file, "%s.pem", name);
    read_pem(server, name[0] == '/' ? file : cert_path(file), add_certificate);
    for (const char *const *more = options->more_certs; more && *more; more++)
        read_pem(server, cert_path(*more), add_certificate);
    pick_chain(server, options->chain);
    snprintf(file, sizeof file, "%s.key", name);
    read_pem(server, name[0] == '/' ? file : cert_path(file), add_key);
}

/* Sends and receives until the engine's state has one of `wanted`. */
static WHORL_SUSPENDS int pump(struct bearssl_server *server, unsigned wanted)
{
    br_ssl_engine_context *eng = &server->server.eng;

    for (;;) {
        unsigned state = br_ssl_engine_current_state(eng);
        unsigned char *area;
        size_t len;
        if (state & BR_SSL_CLOSED)
            return br_ssl_engine_last_error(eng) ? -EPROTO : -EPIPE;
        if (state & BR_SSL_SENDREC) {
            area = br_ssl_engine_sendrec_buf(eng, &len);
            int err = whorl_stream_write(server->base.carrier, area, len);
            if (err)
                return err;
            br_ssl_engine_sendrec_ack(eng, len);
            continue;
        }
        if (state & wanted)
            return 0;
        area = br_ssl_engine_recvrec_buf(eng, &len);
        if (!area)
            return -EPIPE;
        ssize_t n = whorl_stream_read(server->base.carrier, area, len);
        if (n <= 0)
            return n < 0 ? (int)n : -ECONNRESET;
        br_ssl_engine_recvrec_ack(eng, (size_t)n);
    }
}

static WHORL_SUSPENDS int bearssl_handshake(struct tls_server *server)
{
    return pump(bearssl_of(server), BR_SSL_SENDAPP);
}

static WHORL_SUSPENDS ssize_t bearssl_read(struct tls_server *base, void *buf, size_t len)
{
    struct bearssl_server *server = bearssl_of(base);
    int err = pump(server, BR_SSL_RECVAPP);
    size_t there;

    if (err)
        return err == -EPIPE ? 0 : err;
    const unsigned char *area = br_ssl_engine_recvapp_buf(&server->server.eng, &there);
    if (len > there)
        len = there;
    memcpy(buf, area, len);
    br_ssl_engine_recvapp_ack(&server->server.eng, len);
    return (ssize_t)len;
}

static WHORL_SUSPENDS int bearssl_write(struct tls_server *base, const void *buf, size_t len)
{
    struct bearssl_server *server = bearssl_of(base);
    br_ssl_engine_context *eng = &server->server.eng;
    const unsigned char *bytes = buf;

    while (len > 0) {
        int err = pump(server, BR_SSL_SENDAPP);
        size_t room;
        if (err)
            return err;
        unsigned char *area = br_ssl_engine_sendapp_buf(eng, &room);
        size_t n = len < room ? len : room;
        memcpy(area, bytes, n);
        br_ssl_engine_sendapp_ack(eng, n);
        bytes += n;
        len -= n;
    }
    br_ssl_engine_flush(eng, 0);
    return pump(server, BR_SSL_SENDAPP);
}

static WHORL_SUSPENDS int bearssl_close_notify(struct tls_server *server)
{
    br_ssl_engine_context *eng = &bearssl_of(server)->server.eng;
    size_t len;

    br_ssl_engine_close(eng);
    const unsigned char *area = br_ssl_engine_sendrec_buf(eng, &len);
    if (!area)
        return -EPIPE;
    int err = whorl_stream_write(server->carrier, area, len);
    if (err == 0)
        br_ssl_engine_sendrec_ack(eng, len);
    return err;
}

static const char *bearssl_sni(const struct tls_server *server)
{
    return br_ssl_engine_get_server_name(&bearssl_of_const(server)->server.eng);
}

static void bearssl_destroy(struct tls_server *base)
{
    struct bearssl_server *server = bearssl_of(base);

    for (size_t i = 0; i < server->certs_len; i++)
        free(server->certs[i].data);
    free(server);
}

static const struct tls_server_ops bearssl_ops = {
    bearssl_handshake,    bearssl_read, bearssl_write,
    bearssl_close_notify, bearssl_sni,  bearssl_destroy,
};

struct tls_server *tls_server_create(struct whorl_stream *carrier,
                                     const struct tls_server_options *options)
{
    static const struct tls_server_options defaults;
    struct bearssl_server *server = calloc(1, sizeof *server);
    br_ssl_engine_context *eng;

    CHECK(server);
    if (!options)
        options = &defaults;
    server->base = (struct tls_server){&bearssl_ops, carrier};
    load(server, options);
    if (br_skey_decoder_key_type(&server->key) == BR_KEYTYPE_RSA)
        br_ssl_server_init_full_rsa(&server->server, server->chain, server->chain_len,
                                    br_skey_decoder_get_rsa(&server->key));
    else
        br_ssl_server_init_full_ec(&server->server, server->chain, server->chain_len,
                                   BR_KEYTYPE_RSA, br_skey_decoder_get_ec(&server->key));
    eng = &server->server.eng;
    br_ssl_engine_set_versions(eng, options->version_min ? options->version_min : BR_TLS12,
                               options->version_max ? options->version_max : BR_TLS12);
    if (options->suites_count > 0)
        br_ssl_engine_set_suites(eng, options->suites, options->suites_count);
    if (options->alpn_count > 0)
        br_ssl_engine_set_protocol_names(eng, options->alpn, options->alpn_count);
    br_ssl_engine_set_buffer(eng, server->buffer, sizeof server->buffer, 1);
    CHECK(br_ssl_server_reset(&server->server));
    return &server->base;
}

/* --- what only servers of BearSSL do --- */

size_t tls_server_make_record(struct tls_server *server, unsigned type, const void *payload,
                              size_t len, unsigned char *buf, size_t size)
{
    br_ssl_engine_context *eng = &bearssl_of(server)->server.eng;
    size_t room;

    /* The engine only writes application data, so change the type in the record that it is
     * building. */
    unsigned char *area = br_ssl_engine_sendapp_buf(eng, &room);
    CHECK(area && len <= room);
    memcpy(area, payload, len);
    eng->record_type_out = (unsigned char)type;
    br_ssl_engine_sendapp_ack(eng, len);
    br_ssl_engine_flush(eng, 0);
    eng->record_type_out = RECORD_APPLICATION_DATA;
    area = br_ssl_engine_sendrec_buf(eng, &len);
    CHECK(area && len <= size);
    memcpy(buf, area, len);
    br_ssl_engine_sendrec_ack(eng, len);
    return len;
}

WHORL_SUSPENDS int tls_server_send_record(struct tls_server *server, unsigned type,
                                          const void *payload, size_t len)
{
    unsigned char record[1024];
    size_t n = tls_server_make_record(server, type, payload, len, record, sizeof record);

    return whorl_stream_write(server->carrier, record, n);
}

int tls_server_error(const struct tls_server *server)
{
    return br_ssl_engine_last_error(&bearssl_of_const(server)->server.eng);
}

const char *tls_server_alpn(struct tls_server *server)
{
    return br_ssl_engine_get_selected_protocol(&bearssl_of(server)->server.eng);
}

/* --- servers of both libraries --- */

WHORL_SUSPENDS int tls_server_handshake(struct tls_server *server)
{
    return server->ops->handshake(server);
}

WHORL_SUSPENDS ssize_t tls_server_read(struct tls_server *server, void *buf, size_t len)
{
    return server->ops->read(server, buf, len);
}

WHORL_SUSPENDS int tls_server_write(struct tls_server *server, const void *buf, size_t len)
{
    return server->ops->write(server, buf, len);
}

WHORL_SUSPENDS int tls_server_close_notify(struct tls_server *server)
{
    return server->ops->close_notify(server);
}

const char *tls_server_sni(const struct tls_server *server)
{
    return server->ops->sni(server);
}

struct whorl_stream *tls_server_carrier(struct tls_server *server)
{
    return server->carrier;
}

void tls_server_destroy(struct tls_server *server)
{
    if (!server)
        return;
    whorl_stream_close(server->carrier);
    server->ops->destroy(server);
}
