/* SPDX-License-Identifier: MIT */
/* A TLS server over any stream, for tests, driven by one task. tls_server_create() makes one of
 * BearSSL's server engine; tls13_server_create() (tls13_server.h) makes one of OpenSSL.
 *
 *     struct tls_server *server = tls_server_create(carrier, NULL);
 *     CHECK_OK(tls_server_handshake(server));
 *     ssize_t n = tls_server_read(server, buf, sizeof buf);
 *     CHECK_OK(tls_server_close_notify(server));
 *     tls_server_destroy(server);
 *
 * A server of BearSSL can also misbehave on purpose: send alerts and other records of any type. A
 * setup that fails also fails the test.
 */
#ifndef TEST_TLS_SERVER_H
#define TEST_TLS_SERVER_H

#include <bearssl.h>

#include <whorl/stream.h>

/* Zero-initialised options are valid. All pointers are borrowed until the server is destroyed. */
struct tls_server_options {
    /* Name of a certificate of certs.h, or a path without .pem and .key; NULL: "good-ec", the
     * fastest. */
    const char *cert;
    /* Indexes of the certificates of the file to send, terminated by SIZE_MAX; NULL: all in their
     * order. */
    const size_t *chain;
    /* Files whose certificates are sent after those; NULL-terminated. */
    const char *const *more_certs;
    const char **alpn;
    size_t alpn_count;
    unsigned version_min, version_max; /* 0: TLS 1.2 */
    const uint16_t *suites;
    size_t suites_count; /* 0: all */
};

struct tls_server;

/* Creates a server of BearSSL. It owns `carrier`. */
struct tls_server *tls_server_create(struct whorl_stream *carrier,
                                     const struct tls_server_options *options);

/* --- servers of both libraries --- */

/* Returns 0; -EPROTO when the library refuses what the client sends, or the client sends a fatal
 * alert; an error of the carrier; -ECONNRESET when the carrier ends; -EPIPE from BearSSL when the
 * client has sent close_notify. The other calls return the same errors. */
WHORL_SUSPENDS int tls_server_handshake(struct tls_server *server);

/* Returns the count; 0 at close_notify. */
WHORL_SUSPENDS ssize_t tls_server_read(struct tls_server *server, void *buf, size_t len);

/* Writes records of up to 16 KiB. */
WHORL_SUSPENDS int tls_server_write(struct tls_server *server, const void *buf, size_t len);

WHORL_SUSPENDS int tls_server_close_notify(struct tls_server *server);

/* The name that the client asked for; "" when it named none. */
const char *tls_server_sni(const struct tls_server *server);

struct whorl_stream *tls_server_carrier(struct tls_server *server);

/* Destroys the server without a close_notify. Accepts NULL. */
void tls_server_destroy(struct tls_server *server);

/* --- servers of BearSSL only --- */

/* Sends one encrypted record of any type: 21 alert, 22 handshake. */
WHORL_SUSPENDS int tls_server_send_record(struct tls_server *server, unsigned type,
                                          const void *payload, size_t len);

/* Writes such a record to `buf` without sending it. Returns its length. */
size_t tls_server_make_record(struct tls_server *server, unsigned type, const void *payload,
                              size_t len, unsigned char *buf, size_t size);

/* BearSSL's error number. Numbers from 256 are alerts of the client. */
int tls_server_error(const struct tls_server *server);

const char *tls_server_alpn(struct tls_server *server);

#endif
