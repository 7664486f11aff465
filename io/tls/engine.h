/* SPDX-License-Identifier: MIT */
/* What a TLS library must provide to carry whorl's TLS streams: bytes in, bytes out, no waiting.
 *
 * stream_tls.c owns the carrier, the tasks that wait and every rule about ends and cancellation. A
 * backend owns the protocol. Today there is one, BearSSL (engine_bearssl.c with suites.c, x509.c
 * and trust.c); another would implement the functions below, tls_engine_create() and trust.h.
 *
 *                 write, flush                    drain
 *     application -------------> [             ] -------> carrier
 *                                [   engine    ]
 *     application <------------- [             ] <------- carrier
 *                     read                         feed
 *
 * No call suspends, keeps a pointer it was given or gives out a pointer into its buffers, so two
 * tasks may use an engine by turns whatever happened while one of them was suspended. Any call may
 * change the state: look again after each.
 */
#ifndef IO_TLS_ENGINE_H
#define IO_TLS_ENGINE_H

#include <whorl/base.h>
#include <whorl/error.h>

#include "io/tls/config.h"
#include "io/tls/peer.h"

enum tls_state {
    TLS_HANDSHAKE, /* drain and feed until it is something else */
    TLS_OPEN,      /* application data may pass */
    TLS_CLOSED,    /* the peer's close_notify came and ours is drained */
    TLS_FAILED,    /* see `failure`; `drain` may still have an alert for the peer */
};

struct tls_engine {
    const struct tls_engine_ops *ops;
};

struct tls_engine_ops {
    const char *name;

    enum tls_state (*state)(const struct tls_engine *engine);

    /* Takes bytes that came from the peer; returns how many. It takes none while decrypted data
     * waits to be read, output waits to be drained, or no more is expected. */
    size_t (*feed)(struct tls_engine *engine, const void *buf, size_t len);

    /* Whether `feed` would take at least one byte. */
    bool (*wants_input)(const struct tls_engine *engine);

    /* Whether a record has come in part only. */
    bool (*in_record)(const struct tls_engine *engine);

    /* Gives bytes for the peer; returns how many, 0 when there are none. */
    size_t (*drain)(struct tls_engine *engine, void *buf, size_t len);

    /* Gives decrypted data; returns how much. */
    size_t (*read)(struct tls_engine *engine, void *buf, size_t len);

    /* Whether `read` would give anything. */
    bool (*readable)(const struct tls_engine *engine);

    /* Takes data to encrypt; returns how much. It takes none while output waits to be drained. Data
     * may be kept back until a record is full or `flush` is called. */
    size_t (*write)(struct tls_engine *engine, const void *buf, size_t len);
    void (*flush)(struct tls_engine *engine);

    /* Drops data not yet read and prepares close_notify. */
    void (*close)(struct tls_engine *engine);

    /* Frees what only the handshake needed. Called once, when the state has become TLS_OPEN. */
    void (*opened)(struct tls_engine *engine);

    /* The code of a failed engine; fills `error`, which may be NULL. */
    int (*failure)(const struct tls_engine *engine, struct whorl_error *error);

    const char *(*alpn)(const struct tls_engine *engine);  /* NULL: none */
    const char *(*suite)(const struct tls_engine *engine); /* never NULL */

    /* Erases keys and data, and frees. */
    void (*destroy)(struct tls_engine *engine);
};

/* Makes a client engine about to say hello. Returns 0 or -ENOMEM, or -errno when the system gives no
 * entropy. It holds `config`; `peer` is copied. */
int tls_engine_create(struct whorl_tls_config *config, const struct tls_peer *peer,
                      struct tls_engine **ret);

#endif
