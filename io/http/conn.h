/* SPDX-License-Identifier: MIT */
/* One connection to an origin, and the pool's notes on it. With HTTP/1.1 it is a stream that
 * carries one exchange at a time (exchange.h) and holds no buffer of its own, so an idle connection
 * costs little memory. With HTTP/2 it carries any number of exchanges.
 */
#ifndef IO_HTTP_CONN_H
#define IO_HTTP_CONN_H

#include <sys/queue.h>

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/http.h>

#include "io/http/conn_info.h"

struct auth_answer;
struct http2_conn;
struct http_host;
struct http_proxy;
struct http_upgrades;
struct http_watch;
struct tls_client_sessions;
struct whorl_stream;
struct whorl_tls_config;

/* A connection's place in the pool; only the pool reads and writes it. */
struct http_conn_place {
    struct http_host *host;
    TAILQ_ENTRY(http_conn) host_idle, idle; /* valid while idle */
    int64_t idle_since_ns;
    struct http_pool *pool;
    bool is_opening; /* it was handed out to be opened */
    /* Of HTTP/2: */
    TAILQ_ENTRY(http_conn) shared; /* valid while is_shared */
    bool is_shared;                /* in the host's list of those that take more exchanges */
    size_t users;                  /* requests that have it */
};

struct http_conn {
    struct whorl_stream *stream; /* owned; of HTTP/1.1; NULL until opened */
    struct http2_conn *http2;    /* owned; of HTTP/2; NULL until opened */
    /* Called when an HTTP/2 connection takes more exchanges than before, or no more. Must not
     * suspend; may destroy the connection. NULL: it is not called. */
    void (*changed)(struct http_conn *conn);
    struct http_conn_info *info; /* held; NULL until it is being opened */
    enum whorl_http_reuse why;   /* why a new one is opened; before a release: why it is closed */
    struct http_conn_place place;
};

/* Where a connection leads and how it is opened. All pointers are borrowed for the call. */
struct http_dial {
    const char *host;
    uint16_t port;
    enum whorl_http_version version;
    size_t head_bytes_max, streams_max; /* of HTTP/2; 0: default */
    bool is_tls;
    struct whorl_tls_config *tls;               /* with `is_tls` */
    struct http_upgrades *upgrades;             /* the session's; with `is_tls` */
    struct tls_client_sessions *tls_sessions;   /* to resume; NULL: none */
    const struct whorl_http_timeouts *timeouts; /* defaults filled in; connect and tls are used */
    int64_t total_deadline_ns;                  /* applies to both steps */
    const struct whorl_http_dialer *dialer;
    const struct whorl_dial_options *dial_options; /* may be NULL, if the dialer takes none */
    const struct http_proxy *proxy;                /* NULL: the server is reached directly */
    struct whorl_tls_config *proxy_tls;            /* with an https proxy */
    struct tls_client_sessions *proxy_tls_sessions;
    struct auth_answer *proxy_answer; /* with an HTTP proxy, see proxy_auth.h */
    const char *user_agent;           /* for a proxy */
    struct http_conn_info *info;      /* filled */
    const struct http_watch *watch;   /* gets the steps */
    struct whorl_error *error;        /* filled on failure; may be NULL */
};

/* Makes a connection that is not open yet; NULL when there is no memory. */
struct http_conn *http_conn_create(void);

/* Closes and frees. */
void http_conn_destroy(struct http_conn *conn);

/* Whether it is open. Else http_conn_open() comes next. */
static inline bool http_conn_is_open(const struct http_conn *conn)
{
    return conn->stream || conn->http2;
}

/* Whether an open connection may carry another exchange: the peer has neither closed it nor sent
 * something that nothing asked for. Never suspends. */
bool http_conn_is_usable(const struct http_conn *conn);

/* How many exchanges an open connection may carry at the same time; 0 when it takes no more. */
size_t http_conn_capacity(const struct http_conn *conn);

/* No exchange uses the open connection from `now_ns` on. Frees its buffers, with HTTP/2 after a
 * while; the next exchange gets new ones. */
void http_conn_rest(struct http_conn *conn, int64_t now_ns);

/* Closes the stream, for the reason `why`, and keeps the place in the pool: the next exchange opens
 * a new stream. */
void http_conn_reset(struct http_conn *conn, enum whorl_http_reuse why);

/* Opens the connection: dials, then does the TLS handshake, each under its own limit. The limit of
 * dialling includes everything that is done with a proxy. Where the server
 * refuses TLS 1.2, it does both again with OpenSSL if the TLS configuration allows that.
 *
 * @timing  connect_ns and tls_ns are set, to -1 for a step that did not finish
 *
 * The version is HTTP/2 if the server has chosen it with ALPN, or without TLS if `version` says so.
 *
 * 0; WHORL_EHTTP_PROXY_*; WHORL_EHTTP_CONNECT_TIMEOUT; WHORL_EHTTP_TLS_TIMEOUT;
 * WHORL_EHTTP_TOTAL_TIMEOUT; what the dialer and whorl_tls_connect() return;
 * WHORL_EHTTP_VERSION: the server has chosen another version than `version`; -ENOMEM. */
WHORL_SUSPENDS int http_conn_open(struct http_conn *conn, const struct http_dial *dial,
                                  struct whorl_http_timing *timing);

#endif
