/* SPDX-License-Identifier: MIT */
/* What BearSSL's client and server engines share: moving bytes in and out.
 *
 * An engine has separate areas for incoming and outgoing records ("bidirectional"), so reading and
 * writing never wait for each other. Both areas have full size: with less, a client would ask
 * servers for shorter records (RFC 6066 §4). Both are freed while the connection is idle. BearSSL
 * has no function for that, but it refers to the areas with two pointers and with offsets. Between
 * two records nothing in the areas is used again. All public-key operations run inside `feed`, so a
 * handshake keeps the thread that feeds busy for some milliseconds without a break.
 */
#ifndef IO_TLS_ENGINE_BEARSSL_H
#define IO_TLS_ENGINE_BEARSSL_H

#include <bearssl.h>

#include "io/tls/engine.h"
#include "io/tls/record.h"

enum { BEARSSL_ALERT_LEN = TLS_RECORD_HEADER + 2 };

/* The records. */
struct bearssl_areas {
    /* How many bytes of each area have contained plaintext. Pages beyond that are never touched. */
    size_t in_used, out_used;
    unsigned char in[BR_SSL_BUFSIZE_INPUT], out[BR_SSL_BUFSIZE_OUTPUT];
};

/* A part of a client or server engine. */
struct bearssl {
    struct tls_engine engine;
    br_ssl_engine_context *eng; /* in the context of the client or server */
    bool open;                  /* the handshake is complete */

    struct tls_record_position position; /* of the incoming bytes */

    /* BearSSL gets each record as a whole. Until a record is complete, its first `held` bytes are
     * in `in`, and BearSSL does not process them. */
    bool holds;
    size_t held;

    /* The alert with which the handshake is refused when BearSSL sends none; 0: none. Asked after
     * each step. */
    unsigned (*refusal)(const struct bearssl *bearssl);
    unsigned char alert[BEARSSL_ALERT_LEN];
    size_t alert_sent;
    bool alerting;

    bool has_held;               /* data was written and not flushed */
    struct bearssl_areas *areas; /* owned; NULL after bearssl_rest() */
};

/* Gives the engine its areas and seeds it. The other fields are zero, and `eng` is set and ready
 * for this. 0, -ENOMEM, or -errno when the system provides no entropy. */
int bearssl_init(struct bearssl *bearssl);

/* Erases and frees the areas, and erases the fields. */
void bearssl_finish(struct bearssl *bearssl);

/* The text for an error of BearSSL that clients and servers can have; "malformed message" for other
 * errors. */
const char *bearssl_text(int err);

/* Functions of struct tls_engine_ops. */
enum tls_state bearssl_state(const struct tls_engine *engine);
size_t bearssl_feed(struct tls_engine *engine, const void *buf, size_t len);
bool bearssl_wants_input(const struct tls_engine *engine);
bool bearssl_in_record(const struct tls_engine *engine);
int bearssl_alert(const struct tls_engine *engine);
size_t bearssl_drain(struct tls_engine *engine, void *buf, size_t len);
size_t bearssl_read(struct tls_engine *engine, void *buf, size_t len);
bool bearssl_readable(const struct tls_engine *engine);
size_t bearssl_write(struct tls_engine *engine, const void *buf, size_t len);
void bearssl_flush(struct tls_engine *engine);
void bearssl_close(struct tls_engine *engine);
void bearssl_rest(struct tls_engine *engine);
int bearssl_wake(struct tls_engine *engine);
const char *bearssl_alpn(const struct tls_engine *engine);
const char *bearssl_suite(const struct tls_engine *engine);
const char *bearssl_version(const struct tls_engine *engine);

#endif
