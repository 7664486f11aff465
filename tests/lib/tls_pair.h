/* SPDX-License-Identifier: MIT */
/* A TLS client of this library and a server of the tests, connected in memory. The test drives
 * both, so what one of them does is complete before the other continues.
 *
 *     struct tls_pair pair;
 *     tls_pair_open(&pair);
 *     CHECK_OK(tls_server_write(pair.server, "data", 4));
 *     CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
 *     tls_pair_finish(&pair);
 */
#ifndef TEST_TLS_PAIR_H
#define TEST_TLS_PAIR_H

#include <whorl/scope.h>
#include <whorl/tls.h>

#include "tls_server.h"

struct tls_pair {
    struct whorl_tls_config *config;
    struct whorl_stream *carrier; /* the client's end; `tls` owns it once it exists */
    struct whorl_stream *far;     /* the server's end; `server` owns it */
    struct whorl_stream *tls;     /* NULL until the client has connected */
    struct tls_server *server;
    struct whorl_error error; /* of the client's connect */
    int err;                  /* result of the client's connect */
    int server_err;           /* result of the server's handshake */
    bool hangs_up;            /* the server closes its direction when its handshake has failed */
};

/* A client's configuration that trusts the certificates of certs.h. */
struct whorl_tls_config *tls_pair_config(const char *const *alpn);

/* Makes a client and a server that have not begun their handshake. */
void tls_pair_init(struct tls_pair *pair, const struct tls_server_options *options,
                   const char *const *alpn);

/* The same with this configuration, which the pair then owns, and without a server. The caller sets
 * `server` to one whose carrier is `far`. */
void tls_pair_init_client(struct tls_pair *pair, struct whorl_tls_config *config);

/* Connects to "localhost", or to `host`. It may fail; see pair->err. */
WHORL_SUSPENDS_SHIELDED void tls_pair_connect(struct tls_pair *pair);
WHORL_SUSPENDS_SHIELDED void tls_pair_connect_to(struct tls_pair *pair, const char *host);

/* Makes a client and a server and connects them. */
WHORL_SUSPENDS_SHIELDED void tls_pair_open(struct tls_pair *pair);

/* Closes both. No memory stream may be left. */
void tls_pair_finish(struct tls_pair *pair);

/* Tasks for the server's part. The argument of the first one is a struct tls_pair, the argument of
 * the other ones a struct tls_server. */
int tls_pair_handshake(void *pair);
int tls_pair_echo(void *server);         /* does the handshake, then echoes until a call fails */
int tls_pair_echo_or_fail(void *server); /* the same, but the handshake must succeed */

/* Fills the buffer with bytes that depend on `seed`. */
void tls_pair_fill(unsigned char *buf, size_t len, unsigned seed);

/* Writes `len` bytes and expects to read them back. */
WHORL_SUSPENDS_SHIELDED void tls_pair_check_echo(struct whorl_stream *tls, size_t len);

/* Cancels a scope at the call number `at`. */
struct tls_countdown {
    struct whorl_scope *scope;
    unsigned calls, at;
};

/* A hook for memstream_hook(); `arg` is a struct tls_countdown. */
void tls_countdown_call(void *arg);

/* --- tests that hold for every kind of server --- */

/* Makes a pair that has not begun its handshake. */
typedef void (*tls_pair_init_fn)(struct tls_pair *pair);

/* Data passes both ways, however the records are cut on their way. */
WHORL_SUSPENDS_SHIELDED void tls_pair_check_chunking(tls_pair_init_fn init);

/* A conversation is cancelled before each call that may wait, one after the other, until there are
 * no more. Nothing is left of it in memory. */
WHORL_SUSPENDS_SHIELDED void tls_pair_check_cancelling(tls_pair_init_fn init);

#endif
