/* SPDX-License-Identifier: MIT */
/* The interface to a TLS library: bytes in, bytes out, no waiting.
 *
 * stream_tls.c implements the carrier, the waiting of tasks and all rules about ends and
 * cancellation. A backend implements the protocol. There are two, which behave in the same way:
 * BearSSL (engine_bearssl*.c with suites.c) for TLS 1.2, and OpenSSL (engine_openssl.c) for TLS 1.2
 * and 1.3. One policy (x509.c, path.c, trust.c) checks the certificates for both.
 *
 *                 write, flush                    drain
 *     application -------------> [             ] -------> carrier
 *                                [   engine    ]
 *     application <------------- [             ] <------- carrier
 *                     read                         feed
 *
 * No call suspends, keeps a pointer that it was given, or returns a pointer into the engine's
 * buffers. So two tasks may use an engine alternately, whatever happened while one of them was
 * suspended. Any call may change the state, so the caller reads the state again after each call.
 */
#ifndef IO_TLS_ENGINE_H
#define IO_TLS_ENGINE_H

#include <whorl/base.h>
#include <whorl/error.h>

#include "io/tls/choice.h"
#include "io/tls/config.h"
#include "io/tls/peer.h"

struct tls_server_config;

enum tls_state {
    TLS_HANDSHAKE, /* the caller drains and feeds until the state changes */
    TLS_OPEN,      /* application data may pass */
    TLS_CLOSED,    /* the peer's close_notify was received and ours is drained */
    TLS_FAILED,    /* see `failure`; `drain` may still have an alert for the peer */
};

struct tls_engine {
    const struct tls_engine_ops *ops;
};

struct tls_engine_ops {
    const char *name;

    enum tls_state (*state)(const struct tls_engine *engine);

    /* Accepts bytes from the peer; returns how many. It accepts none while decrypted data is not
     * read, while output is not drained, or when no more input is expected. */
    size_t (*feed)(struct tls_engine *engine, const void *buf, size_t len);

    /* Whether `feed` would accept at least one byte. */
    bool (*wants_input)(const struct tls_engine *engine);

    /* Whether a part of a record was fed, but not yet its end. */
    bool (*in_record)(const struct tls_engine *engine);

    /* Copies output for the peer to `buf`; returns how many bytes, 0 when there is none. */
    size_t (*drain)(struct tls_engine *engine, void *buf, size_t len);

    /* Copies decrypted data to `buf`; returns how many bytes. */
    size_t (*read)(struct tls_engine *engine, void *buf, size_t len);

    /* Whether `read` would return at least one byte. */
    bool (*readable)(const struct tls_engine *engine);

    /* Accepts data to encrypt; returns how many bytes. It accepts none while output is not drained.
     * The engine may hold data back until a record is full or `flush` is called. */
    size_t (*write)(struct tls_engine *engine, const void *buf, size_t len);
    void (*flush)(struct tls_engine *engine);

    /* Drops data that was not read and prepares close_notify. */
    void (*close)(struct tls_engine *engine);

    /* Frees memory that only the handshake needs. Called once, when the state is TLS_OPEN. */
    void (*opened)(struct tls_engine *engine);

    /* Frees memory that is needed only to move data. Called while the connection is idle: no record
     * has begun, all output was drained and all data read. */
    void (*rest)(struct tls_engine *engine);

    /* Gets memory again after `rest`. Returns 0 or -ENOMEM. Until it has returned 0, only the
     * functions that move no data may be called, and `destroy`. NULL: it is not necessary. */
    int (*wake)(struct tls_engine *engine);

    /* Returns the code of a failed engine; fills `error`, which may be NULL. */
    int (*failure)(const struct tls_engine *engine, struct whorl_error *error);

    /* The fatal alert that the peer has sent; -1: none. */
    int (*alert)(const struct tls_engine *engine);

    const char *(*alpn)(const struct tls_engine *engine);    /* NULL: none */
    const char *(*suite)(const struct tls_engine *engine);   /* never NULL */
    const char *(*version)(const struct tls_engine *engine); /* never NULL */

    /* Whether the handshake has resumed a session. */
    bool (*is_resumed)(const struct tls_engine *engine);

    /* Of server engines; NULL for clients. */
    const char *(*sni)(const struct tls_engine *engine); /* the client's host; NULL: none */

    /* Erases keys and data, and frees the engine. */
    void (*destroy)(struct tls_engine *engine);
};

/* Create a client engine that is ready to send its ClientHello; see library.h. */
int tls_engine_create_bearssl(struct whorl_tls_config *config, const struct tls_choice *choice,
                              const struct tls_peer *peer, struct tls_engine **ret);
int tls_engine_create_openssl(struct whorl_tls_config *config, const struct tls_choice *choice,
                              const struct tls_peer *peer, struct tls_engine **ret);

/* The name of an alert, such as "handshake_failure"; "unknown" when it is not known. */
const char *tls_alert_name(int alert);

/* Creates a server engine that waits for a ClientHello. Returns as tls_engine_create(). The engine
 * holds a reference to `config`.
 *
 * Until the handshake is complete, `feed` does the work of public keys. It may be called on any
 * thread, while no other call uses the engine.
 *
 * @now_ns  for the age of sessions */
int tls_engine_create_server(struct tls_server_config *config, int64_t now_ns,
                             struct tls_engine **ret);

#endif
