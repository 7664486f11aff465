/* SPDX-License-Identifier: MIT */
/* One connection: creates it, opens it through a dialer and TLS, closes it. */
#include "io/http/conn.h"

#include <stdlib.h>
#include <string.h>

#include <whorl/stream.h>
#include <whorl/tls.h>
#include <whorl/tls_server.h>

#include "io/http/http2_conn.h"
#include "io/http/proxy_dial.h"
#include "io/http/stage.h"
#include "io/http/upgrades.h"
#include "io/http/watch.h"
#include "io/tls/config.h"
#include "io/tls/connect.h"

struct http_conn *http_conn_create(void)
{
    return calloc(1, sizeof(struct http_conn));
}

void http_conn_destroy(struct http_conn *conn)
{
    http_conn_reset(conn, conn->why);
    free(conn);
}

void http_conn_reset(struct http_conn *conn, enum whorl_http_reuse why)
{
    conn->why = why;
    http_conn_info_release(conn->info);
    conn->info = NULL;
    whorl_stream_close(conn->stream);
    conn->stream = NULL;
    http2_conn_destroy(conn->http2);
    conn->http2 = NULL;
}

void http_conn_rest(struct http_conn *conn, int64_t now_ns)
{
    tls_stream_rest(conn->stream);
    if (conn->http2)
        http2_conn_rest(conn->http2, now_ns);
}

bool http_conn_is_usable(const struct http_conn *conn)
{
    return conn->http2 ? http2_conn_is_usable(conn->http2) : whorl_stream_is_idle(conn->stream);
}

size_t http_conn_capacity(const struct http_conn *conn)
{
    return conn->http2 ? http2_conn_capacity(conn->http2) : 1;
}

/* Reports a failed step. The dialer's detail is used only if it describes this failure: a dialer
 * may give no detail, and if our own limit has cancelled it, its detail describes the
 * cancellation. */
static int fail(const struct http_dial *dial, int err, const char *step,
                const struct whorl_error *detail)
{
    char timeout[HTTP_TIMEOUT_TEXT_SIZE];
    const char *text;

    if (detail->code != err) {
        text = http_timeout_text(timeout, err, dial->timeouts, -1, -1);
        if (dial->proxy && strcmp(step, "connect") == 0)
            return whorl_error_set(dial->error, err, "proxy", "%s for %s:%u: %s", dial->proxy->text,
                                   dial->host, dial->port, text ? text : whorl_strerror(err));
        return whorl_error_set(dial->error, err, step, "%s:%u: %s", dial->host, dial->port,
                               text ? text : whorl_strerror(err));
    }
    if (dial->error)
        *dial->error = *detail;
    return err;
}

static WHORL_SUSPENDS int dial_proxy(const struct http_dial *dial, struct http_dial_watch *watch,
                                     struct whorl_error *error, struct whorl_stream **ret)
{
    const struct http_proxy_dial through = {
        .proxy = dial->proxy,
        .answer = dial->proxy_answer,
        .host = dial->host,
        .port = dial->port,
        .is_tls = dial->is_tls,
        .version = dial->version,
        .user_agent = dial->user_agent,
        .head_bytes_max = dial->head_bytes_max,
        .dialer = dial->dialer,
        .dial_options = dial->dial_options,
        .tls = dial->proxy_tls,
        .tls_sessions = dial->proxy_tls_sessions,
        .upgrades = dial->upgrades,
        .watch = watch,
    };
    return http_proxy_dial(&through, error, ret);
}

/* Notes the addresses of the socket, if there is one. */
static void note_addresses(struct http_conn_info *info, struct whorl_stream *stream)
{
    struct whorl_addr addr;
    int fd = whorl_stream_option_fd(stream);

    if (fd >= 0 && whorl_addr_peer(fd, &addr) == 0)
        info->peer = addr;
    if (fd >= 0 && whorl_addr_local(fd, &addr) == 0)
        info->local = addr;
}

static WHORL_SUSPENDS int connect_stream(const struct http_dial *dial,
                                         struct whorl_http_timing *timing,
                                         struct whorl_stream **ret)
{
    struct whorl_error detail = {0};
    struct http_dial_watch watch;
    struct http_stage stage;
    int64_t start_ns = whorl_now();

    http_dial_watch_init(&watch, dial->watch, dial->info);
    http_stage_enter(&stage, http_deadline(dial->timeouts->connect_ns), WHORL_EHTTP_CONNECT_TIMEOUT,
                     dial->total_deadline_ns);
    int err = dial->proxy ? dial_proxy(dial, &watch, &detail, ret)
                          : http_dial_direct(dial->dialer, dial->dial_options, &watch, dial->host,
                                             dial->port, &detail, ret);
    err = (int)http_stage_leave(&stage, err);
    if (err)
        return fail(dial, err, "connect", &detail);
    timing->connect_ns = whorl_now() - start_ns;
    note_addresses(dial->info, *ret);
    return 0;
}

static WHORL_SUSPENDS int secure(const struct http_dial *dial, enum whorl_tls_library library,
                                 struct whorl_stream *carrier, struct whorl_http_timing *timing,
                                 struct whorl_stream **ret)
{
    struct whorl_error detail = {0};
    struct http_stage stage;
    int64_t start_ns = whorl_now();

    http_stage_enter(&stage, http_deadline(dial->timeouts->tls_ns), WHORL_EHTTP_TLS_TIMEOUT,
                     dial->total_deadline_ns);
    struct tls_choice choice = {
        .library = library,
        .sessions = dial->tls_sessions,
        .port = dial->port,
        .no_http2 = dial->version == WHORL_HTTP_1 || !http2_conn_is_supported(),
    };
    int err = tls_connect(dial->tls, &choice, carrier, dial->host, &detail, ret);
    err = (int)http_stage_leave(&stage, err);
    if (err)
        return fail(dial, err, "TLS", &detail);
    timing->tls_ns = whorl_now() - start_ns;
    dial->info->tls_version = whorl_tls_version_name(*ret);
    dial->info->tls_suite = whorl_tls_suite(*ret);
    dial->info->tls_resumed = whorl_tls_is_resumed(*ret);
    http_watch_tell_tls(dial->watch, dial->info, *ret, dial->host, false);
    return 0;
}

/* Dials and, for https, does the handshake. */
static WHORL_SUSPENDS int open_stream(const struct http_dial *dial, enum whorl_tls_library library,
                                      struct whorl_http_timing *timing, struct whorl_stream **ret)
{
    struct whorl_stream *carrier;

    timing->connect_ns = timing->tls_ns = -1;
    int err = connect_stream(dial, timing, &carrier);
    if (err)
        return err;
    if (!dial->is_tls) {
        *ret = carrier;
        return 0;
    }
    err = secure(dial, library, carrier, timing, ret);
    if (err)
        whorl_stream_close(carrier);
    return err;
}

/* When the server refuses TLS 1.2, this connects again with OpenSSL, which has TLS 1.3. It never
 * changes from OpenSSL to BearSSL. OpenSSL accepts nothing weaker, so an attacker who forges the
 * refusal gains nothing. */
static WHORL_SUSPENDS int open_or_upgrade(const struct http_dial *dial,
                                          struct whorl_http_timing *timing,
                                          struct whorl_stream **ret)
{
    if (!dial->is_tls || !tls_config_may_upgrade(dial->tls))
        return open_stream(dial, WHORL_TLS_ANY, timing, ret);
    if (http_upgrades_has(dial->upgrades, dial->host, dial->port))
        return open_stream(dial, WHORL_TLS_OPENSSL, timing, ret);
    struct whorl_error refusal = {0}; /* which the caller does not see after an upgrade */
    struct http_dial first = *dial;
    first.error = &refusal;
    int err = open_stream(&first, WHORL_TLS_ANY, timing, ret);
    /* Without a connect time, it was the proxy that refused. */
    if (err != WHORL_ETLS_VERSION || timing->connect_ns < 0) {
        if (err && dial->error)
            *dial->error = refusal;
        return err;
    }
    http_watch_tell(
        dial->watch, dial->info,
        (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_TLS_AGAIN, .host = dial->host});
    err = open_stream(dial, WHORL_TLS_OPENSSL, timing, ret);
    if (err == 0)
        http_upgrades_add(dial->upgrades, dial->host, dial->port);
    return err;
}

static void tell_changed(void *arg)
{
    struct http_conn *conn = arg;
    if (conn->changed)
        conn->changed(conn);
}

static int refuse_version(const struct http_dial *dial, const char *text)
{
    return whorl_error_set(dial->error, WHORL_EHTTP_VERSION, "connect", "%s:%u: %s", dial->host,
                           dial->port, text);
}

/* Chooses the version that the connection has from now on. Owns `stream`, on success. */
static int choose_version(struct http_conn *conn, const struct http_dial *dial,
                          struct whorl_stream *stream)
{
    const char *alpn = dial->is_tls ? whorl_tls_alpn(stream) : NULL;
    bool is_http2 = dial->is_tls ? alpn && strcmp(alpn, "h2") == 0 : dial->version == WHORL_HTTP_2;

    if (is_http2 && dial->version == WHORL_HTTP_1)
        return refuse_version(dial, "the server chose HTTP/2, which was not offered");
    if (!is_http2 && dial->version == WHORL_HTTP_2)
        return refuse_version(dial, "the server does not speak HTTP/2");
    if (!is_http2) {
        conn->stream = stream;
        return 0;
    }
    if (!http2_conn_is_supported())
        return refuse_version(dial, "this build of whorl does not speak HTTP/2");
    struct http2_options options = {
        .head_bytes_max = dial->head_bytes_max,
        .streams_max = dial->streams_max,
        .now_ns = whorl_now(),
    };
    struct http2_conn_owner owner = {.changed = tell_changed, .arg = conn};
    int err = http2_conn_create(stream, &options, &owner, &conn->http2);
    return err ? whorl_error_set(dial->error, err, "connect", "%s:%u: %s", dial->host, dial->port,
                                 whorl_strerror(err))
               : 0;
}

WHORL_SUSPENDS int http_conn_open(struct http_conn *conn, const struct http_dial *dial,
                                  struct whorl_http_timing *timing)
{
    struct whorl_stream *stream;
    int err = open_or_upgrade(dial, timing, &stream);

    if (err)
        return err;
    err = choose_version(conn, dial, stream);
    if (err) {
        whorl_stream_close(stream);
        return err;
    }
    http_watch_tell(dial->watch, dial->info,
                    (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_READY,
                                              .text = conn->http2 ? "HTTP/2" : "HTTP/1.1"});
    return 0;
}
