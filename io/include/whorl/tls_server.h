/* SPDX-License-Identifier: MIT */
/* TLS for servers: TLS 1.2 with BearSSL, as a stream over another stream.
 *
 *     static int root(void *arg)
 *     {
 *         struct whorl_tls_server_options options = {.cert_file = "site.pem",
 *                                                    .key_file = "site.key"};
 *         struct whorl_http_server_options http = {0};
 *         WHORL_AUTO(listener) *listener = NULL;
 *         WHORL_AUTO(tls_server) *tls = NULL;
 *
 *         int err = whorl_tls_server_create(&options, NULL, &tls);
 *         if (err == 0)
 *             err = whorl_listen_ip("0.0.0.0", 443, NULL, &listener);
 *         http.serve.tls = tls;
 *         return err ? err : whorl_http_serve(&listener, 1, &http, hello, arg);
 *     }
 *
 * A server may have several certificates. A client names the host that it wants (SNI), and the
 * first certificate that is for this host is used, in the order of the options, if the client
 * supports its kind of key. So a host may have an EC and an RSA certificate. A name matches as in
 * tls.h. Clients that name no host, or a host that no certificate is for, get the first certificate
 * that they support.
 *
 * The cipher suites and the rules of the stream are those of tls.h. The client's order of suites
 * counts. Clients are not asked for certificates.
 *
 * A handshake costs a server about 1 ms of computing with an EC key (P-256), and 2 ms with an RSA
 * key (2048 bits). This work runs on the run's offload pool (see offload.h), so other tasks
 * continue, and several handshakes use several processors. Where no thread can be started, it runs
 * in the task. A client that connects again can resume its session, which costs a tenth of that.
 *
 * Private keys are erased from memory when the last connection that uses them is closed.
 */
#ifndef WHORL_TLS_SERVER_H
#define WHORL_TLS_SERVER_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/stream.h>

struct whorl_tls_server;

/* A certificate and its key. */
struct whorl_tls_pair {
    const char *cert_file; /* PEM: the server's certificate, followed by its intermediates */
    const char *key_file;  /* PEM: its private key, not encrypted: RSA or EC (P-256, P-384, P-521),
                              PKCS #8 or traditional; NULL: it is in `cert_file` */
};

/* Everything is borrowed for the call. Zero-initialised is valid, except that there must be a
 * certificate. */
struct whorl_tls_server_options {
    const char *cert_file, *key_file;  /* as in struct whorl_tls_pair */
    const struct whorl_tls_pair *more; /* further pairs; the last one has no `cert_file`. NULL:
                                          none */
    const char *const *alpn;           /* protocols, best first, NULL-terminated; NULL: none, offers
                                          are ignored. A client that offers only others is refused.
                                          Names of 1 to 255 bytes, 500 in all */
    size_t sessions_max;               /* sessions that can be resumed; the oldest is forgotten, and
                                          each after one to two hours. 0: 4,096, with 100 bytes
                                          each */
    bool no_sessions;                  /* no session can be resumed */
    int64_t handshake_ns;              /* the longest handshake; 0: 10 s; WHORL_FOREVER: no limit */
    int64_t time_unix_s;               /* certificates must be valid at this time; 0: now */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Loads the certificates and keys and checks them: each key belongs to its certificate, and each
 * certificate is valid and may be used by a server. Whether clients will trust it is not checked.
 * The thread blocks while files are read. Never suspends.
 *
 * Any number of connections may use the server, also on different threads.
 *
 * @error  its step is "TLS", and its text names the file and the cause; may be NULL; borrowed for
 *         the call
 * @ret    destroy it with whorl_tls_server_destroy()
 *
 * Returns: 0; WHORL_ETLS_CERTFILE when a file has no usable certificate or key, or these do not
 *          belong together; WHORL_ETLS_EXPIRED; an open(2) or read(2) error; -EINVAL (no
 *          certificate, ALPN names); -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_tls_server_create(const struct whorl_tls_server_options *options,
                                                    struct whorl_error *error,
                                                    struct whorl_tls_server **ret);

/**
 * Replaces all options of a server, as after a new certificate was issued. Handshakes that begin
 * later use the new ones; open connections keep theirs. Sessions from before cannot be resumed.
 * When the call fails, the server keeps its old options. Any thread may call this. Never suspends.
 *
 * @error  as for whorl_tls_server_create()
 *
 * Returns: as whorl_tls_server_create().
 */
WHORL_API WHORL_CHECKED int whorl_tls_server_reload(struct whorl_tls_server *server,
                                                    const struct whorl_tls_server_options *options,
                                                    struct whorl_error *error);

/** Releases the server, which no task may use any more; open connections may stay open. Accepts
 *  NULL. */
WHORL_API void whorl_tls_server_destroy(struct whorl_tls_server *server);

/**
 * Does the server's part of a handshake over the stream `carrier` and makes a TLS stream of it.
 * whorl_tls_alpn() and whorl_tls_suite() say what was agreed on.
 *
 * @error  its step is "TLS"; may be NULL; borrowed for the call
 * @ret    the stream; close it with whorl_stream_close()
 *
 * Returns:  0; -ETIMEDOUT after the time for a handshake; WHORL_ETLS_VERSION,
 *           WHORL_ETLS_HANDSHAKE (no common suite, curve or protocol; malformed messages),
 *           WHORL_ETLS_ALERT (the client refused: mostly it does not trust the certificate),
 *           WHORL_ETLS_NOTTLS; errors of the carrier; -ENOMEM. After a failure the carrier can only
 *           be closed.
 * Suspends: until the handshake is done.
 * Cancel:   -ECANCELED; the carrier can only be closed.
 * Owns:     `carrier`, on success.
 */
WHORL_API WHORL_SUSPENDS int whorl_tls_accept(struct whorl_tls_server *server,
                                              struct whorl_stream *carrier,
                                              struct whorl_error *error, struct whorl_stream **ret);

/** The host that the client named with SNI, in lower case; NULL when it named none, and for other
 *  streams than those of whorl_tls_accept(). Valid until the close. */
WHORL_API const char *whorl_tls_sni(const struct whorl_stream *stream);

/** Whether the handshake of whorl_tls_accept() resumed an earlier session. */
WHORL_API bool whorl_tls_is_resumed(const struct whorl_stream *stream);

static inline void whorl_auto_tls_server(struct whorl_tls_server **server)
{
    whorl_tls_server_destroy(*server);
}

#ifdef __cplusplus
}
#endif

#endif
