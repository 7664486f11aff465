/* SPDX-License-Identifier: MIT */
/* Opens a stream to a server through a proxy.
 *
 *     connect to the proxy
 *         |-- https: TLS with the proxy --+
 *         |-- http -----------------------+-- CONNECT --> a stream to the server
 *         |                               +-- nothing --> a stream to the proxy, which forwards
 *         |-- SOCKS5 handshake -------------------------> a stream to the server
 *
 * TLS with the server, if there is any, is done afterwards on that stream.
 */
#ifndef IO_HTTP_PROXY_DIAL_H
#define IO_HTTP_PROXY_DIAL_H

#include <whorl/http.h>
#include <whorl/stream.h>

#include "io/http/proxy.h"

struct auth_answer;
struct http_dial_watch;
struct http_upgrades;
struct tls_client_sessions;
struct whorl_tls_config;

/* What an HTTP proxy is asked for. */
static inline bool http_proxy_forwards(const struct http_proxy *proxy, bool is_tls,
                                       enum whorl_http_version version)
{
    return !http_proxy_is_socks(proxy) && !is_tls && version != WHORL_HTTP_2;
}

/* Opens a stream without a proxy: calls the dialer, with the options if it takes them. */
WHORL_SUSPENDS int http_dial_direct(const struct whorl_http_dialer *dialer,
                                    const struct whorl_dial_options *options,
                                    struct http_dial_watch *watch, const char *host, uint16_t port,
                                    struct whorl_error *error, struct whorl_stream **ret);

/* All pointers are borrowed for the call. */
struct http_proxy_dial {
    const struct http_proxy *proxy;
    struct auth_answer *answer; /* of an HTTP proxy, see proxy_auth.h */
    const char *host;           /* of the server */
    uint16_t port;
    bool is_tls; /* TLS with the server follows */
    enum whorl_http_version version;
    const char *user_agent;
    size_t head_bytes_max; /* of the answer to CONNECT; 0: default */
    const struct whorl_http_dialer *dialer;
    const struct whorl_dial_options *dial_options; /* may be NULL, if the dialer takes none */
    struct whorl_tls_config *tls;                  /* for an https proxy */
    struct tls_client_sessions *tls_sessions; /* of https proxies, not of servers; NULL: none */
    struct http_dial_watch *watch;            /* gets the steps */
    struct http_upgrades *upgrades;
};

/**
 * Opens the stream. A proxy that asks for credentials gets them, if they are known, on a second
 * connection; on a third one if it says that the nonce of Digest was too old.
 *
 * @error  never NULL; its step is "proxy"; names proxy and server. Its code is not set when the
 *         call was cancelled
 *
 * Returns:  0; WHORL_EHTTP_PROXY_*; errors of the dialer, of the resolver (socks5) and of
 *           whorl_tls_connect() with the proxy; -ENOMEM.
 * Suspends: until the stream is open. Only a scope limits the time.
 * Cancel:   -ECANCELED; nothing stays open.
 */
WHORL_SUSPENDS int http_proxy_dial(const struct http_proxy_dial *dial, struct whorl_error *error,
                                   struct whorl_stream **ret);

#endif
