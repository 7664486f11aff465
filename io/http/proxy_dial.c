/* SPDX-License-Identifier: MIT */
/* The way to a server through a proxy. */
#include "io/http/proxy_dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <whorl/tls.h>

#include "io/http/http1.h"
#include "io/http/proxy_auth.h"
#include "io/http/tunnel.h"
#include "io/http/upgrades.h"
#include "io/http/watch.h"
#include "io/net/dial_resolve.h"
#include "io/net/socks5_connect.h"
#include "io/tls/config.h"
#include "io/tls/connect.h"

enum {
    AUTHORITY_SIZE = 253 + sizeof "[.]:65535", /* of the longest host */
    ADDRESSES_MAX = 4,                         /* of a server's that are tried with socks5 */
};

/* Fills the error with "PROXY for HOST:PORT: text". If `text` is NULL, it is the text of
 * `err`. Returns `err`. */
static int fail(const struct http_proxy_dial *d, struct whorl_error *error, int err,
                const char *text)
{
    if (err == -ECANCELED)
        return err;
    return whorl_error_set(error, err, "proxy", "%s for %s:%u: %s", d->proxy->text, d->host,
                           d->port, text ? text : whorl_strerror(err));
}

/* Fails with the detail of a step, if it has one. */
static int fail_step(const struct http_proxy_dial *d, struct whorl_error *error, int err,
                     const struct whorl_error *detail)
{
    return fail(d, error, err, detail->code == err ? detail->text : NULL);
}

/* Does the TLS handshake with the proxy. Owns `carrier`. */
static WHORL_SUSPENDS int secure(const struct http_proxy_dial *d, enum whorl_tls_library library,
                                 struct whorl_stream *carrier, struct whorl_error *error,
                                 struct whorl_stream **ret)
{
    struct tls_choice choice = {
        .library = library, .sessions = d->tls_sessions, .port = d->proxy->port};
    struct whorl_error detail = {0};

    int err = tls_connect(d->tls, &choice, carrier, d->proxy->host, &detail, ret);
    if (err) {
        whorl_stream_close(carrier);
        return fail_step(d, error, err, &detail);
    }
    const char *alpn = whorl_tls_alpn(*ret);
    if (alpn && strcmp(alpn, "h2") == 0) {
        whorl_stream_close(*ret);
        return fail(d, error, WHORL_EHTTP_PROXY_PROTOCOL,
                    "the proxy chose HTTP/2, which the TLS configuration for proxies offers");
    }
    http_watch_tell_tls(d->watch->watch, d->watch->info, *ret, d->proxy->host, true);
    return 0;
}

WHORL_SUSPENDS int http_dial_direct(const struct whorl_http_dialer *dialer,
                                    const struct whorl_dial_options *options,
                                    struct http_dial_watch *watch, const char *host, uint16_t port,
                                    struct whorl_error *error, struct whorl_stream **ret)
{
    if (!dialer->dial_with)
        return dialer->dial(dialer->arg, host, port, error, ret);
    struct whorl_dial_options watched = *options;
    watch->next = options->watch;
    watched.watch = &watch->base;
    return dialer->dial_with(dialer->arg, host, port, &watched, error, ret);
}

static WHORL_SUSPENDS int connect_with(const struct http_proxy_dial *d,
                                       enum whorl_tls_library library, struct whorl_error *error,
                                       struct whorl_stream **ret)
{
    struct whorl_error detail = {0};
    struct whorl_stream *stream;

    int err = http_dial_direct(d->dialer, d->dial_options, d->watch, d->proxy->host, d->proxy->port,
                               &detail, &stream);
    if (err)
        return fail_step(d, error, err, &detail);
    if (d->proxy->kind == HTTP_PROXY_HTTPS)
        return secure(d, library, stream, error, ret);
    *ret = stream;
    return 0;
}

/* Connects to the proxy. Where it refuses TLS 1.2, connects again with OpenSSL; see conn.c. */
static WHORL_SUSPENDS int connect_to_proxy(const struct http_proxy_dial *d,
                                           struct whorl_error *error, struct whorl_stream **ret)
{
    const struct http_proxy *proxy = d->proxy;
    bool may_upgrade = proxy->kind == HTTP_PROXY_HTTPS && tls_config_may_upgrade(d->tls);

    if (may_upgrade && http_upgrades_has(d->upgrades, proxy->host, proxy->port))
        return connect_with(d, WHORL_TLS_OPENSSL, error, ret);
    int err = connect_with(d, WHORL_TLS_ANY, error, ret);
    if (err != WHORL_ETLS_VERSION || !may_upgrade)
        return err;
    http_watch_tell(
        d->watch->watch, d->watch->info,
        (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_TLS_AGAIN, .host = proxy->host});
    err = connect_with(d, WHORL_TLS_OPENSSL, error, ret);
    if (err == 0)
        http_upgrades_add(d->upgrades, proxy->host, proxy->port);
    return err;
}

/* Tells that the proxy is asked for a connection to the server, or has answered. */
static void tell_socks(const struct http_proxy_dial *d, enum whorl_http_event_kind kind,
                       const char *host)
{
    http_watch_tell(d->watch->watch, d->watch->info,
                    (struct whorl_http_event){
                        .kind = kind, .host = host, .port = d->port, .text = d->proxy->text});
}

/* An HTTP proxy's tunnel */

static void tell_answer(const struct http_proxy_dial *d, const struct http1 *answer)
{
    http_watch_tell_response(d->watch->watch, d->watch->info,
                             (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_PROXY_RESPONSE,
                                                       .host = d->host,
                                                       .port = d->port,
                                                       .text = d->proxy->text,
                                                       .status = http1_status(answer)},
                             http1_version_minor(answer) ? "HTTP/1.1" : "HTTP/1.0",
                             http1_reason(answer), http1_headers(answer));
}

/* Reports the refusal of a tunnel. Redirects are not followed: a proxy must not choose which server
 * the client talks to. */
static int refuse_status(const struct http_proxy_dial *d, struct whorl_error *error,
                         const struct http1 *answer, const char *why)
{
    int status = http1_status(answer), err = WHORL_EHTTP_PROXY_REFUSED;
    char text[160];

    if (status == 407)
        err = WHORL_EHTTP_PROXY_AUTH;
    else if (status >= 500)
        err = WHORL_EHTTP_PROXY_FAILED;
    else if (status / 100 == 3)
        why = "a proxy's redirect is not followed";
    snprintf(text, sizeof text, "it answered CONNECT with %d %.64s%s%s%s", status,
             http1_reason(answer), why ? " (" : "", why ? why : "", why ? ")" : "");
    return fail(d, error, err, text);
}

/* Asks for a tunnel on a new connection. 1 when the proxy is to be asked again, with
 * credentials. */
static WHORL_SUSPENDS int open_tunnel(const struct http_proxy_dial *d, struct http_proxy_auth *auth,
                                      struct http1 *answer, struct whorl_error *error,
                                      struct whorl_stream **ret)
{
    const char *why = NULL, *bracket = strchr(d->host, ':') ? "[" : "";
    char authority[AUTHORITY_SIZE];
    struct http_tunnel tunnel = {
        .authority = authority,
        .user_agent = d->user_agent,
        .server_may_begin = !d->is_tls,
        .watch = d->watch,
        .proxy = d->proxy->text,
        .host = d->host,
        .port = d->port,
    };
    struct http1_limits limits = {.head_bytes_max = d->head_bytes_max};
    struct whorl_stream *stream;

    snprintf(authority, sizeof authority, "%s%s%s:%u", bracket, d->host, *bracket ? "]" : "",
             d->port);
    int err = connect_to_proxy(d, error, &stream);
    if (err)
        return err;
    err = http_proxy_auth_write(auth, "CONNECT", authority, false);
    if (err) {
        whorl_stream_close(stream);
        return fail(d, error, err, NULL);
    }
    tunnel.authorization = auth->value;
    http1_reset(answer, &limits, true);
    err = http_tunnel_open(stream, &tunnel, answer, &why);
    if (err == 0)
        tell_answer(d, answer);
    if (err) {
        fail(d, error, err, why);
    } else if (http1_status(answer) / 100 == 2) {
        *ret = stream;
        return 0;
    } else if (http1_status(answer) == 407) {
        err = http_proxy_auth_challenged(auth, http1_headers(answer), &why);
        if (err < 0)
            fail(d, error, err, NULL);
    }
    if (err == 0)
        err = refuse_status(d, error, answer, why);
    whorl_stream_close(stream);
    return err;
}

static WHORL_SUSPENDS int dial_http(const struct http_proxy_dial *d, struct whorl_error *error,
                                    struct whorl_stream **ret)
{
    struct http_proxy_auth auth = {.proxy = d->proxy, .answer = d->answer};
    struct http1 answer;
    int err;

    http1_init(&answer, NULL, true);
    do { /* http_proxy_auth_challenged() ends the loop after the second answer */
        err = open_tunnel(d, &auth, &answer, error, ret);
    } while (err == 1);
    http1_finish(&answer);
    http_proxy_auth_finish(&auth);
    return err;
}

/* SOCKS5 */

static WHORL_SUSPENDS int dial_socks(const struct http_proxy_dial *d, const char *host,
                                     struct whorl_error *error, struct whorl_stream **ret)
{
    struct socks5_request request = {
        .host = host, .port = d->port, .user = d->proxy->user, .password = d->proxy->password};
    const char *why;
    struct whorl_stream *stream;

    int err = connect_to_proxy(d, error, &stream);
    if (err)
        return err;
    tell_socks(d, WHORL_HTTP_EVENT_PROXY_REQUEST, host);
    err = socks5_connect(stream, &request, &why);
    if (err) {
        whorl_stream_close(stream);
        return fail(d, error, err, why);
    }
    tell_socks(d, WHORL_HTTP_EVENT_PROXY_RESPONSE, host);
    *ret = stream;
    return 0;
}

/* Resolves the name here, and asks the proxy for one address after the other. */
static WHORL_SUSPENDS int dial_socks_resolved(const struct http_proxy_dial *d,
                                              struct whorl_error *error, struct whorl_stream **ret)
{
    struct whorl_addr addrs[ADDRESSES_MAX];
    char text[INET6_ADDRSTRLEN];

    int count = dial_resolve(d->host, d->port, d->dial_options, addrs, ADDRESSES_MAX);
    int err = count < 0 ? fail(d, error, count, NULL) : WHORL_EHTTP_PROXY_FAILED;
    for (int i = 0; i < count && err == WHORL_EHTTP_PROXY_FAILED; i++) {
        const void *bytes = addrs[i].sa.sa_family == AF_INET ? (void *)&addrs[i].in.sin_addr
                                                             : (void *)&addrs[i].in6.sin6_addr;
        inet_ntop(addrs[i].sa.sa_family, bytes, text, sizeof text);
        err = dial_socks(d, text, error, ret);
    }
    return err;
}

WHORL_SUSPENDS int http_proxy_dial(const struct http_proxy_dial *dial, struct whorl_error *error,
                                   struct whorl_stream **ret)
{
    if (dial->proxy->kind == HTTP_PROXY_SOCKS5)
        return dial_socks_resolved(dial, error, ret);
    if (dial->proxy->kind == HTTP_PROXY_SOCKS5H)
        return dial_socks(dial, dial->host, error, ret);
    if (http_proxy_forwards(dial->proxy, dial->is_tls, dial->version))
        return connect_to_proxy(dial, error, ret);
    return dial_http(dial, error, ret);
}
