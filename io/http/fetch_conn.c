/* SPDX-License-Identifier: MIT */
/* The connection of a hop. */
#include "io/http/fetch_conn.h"

#include <whorl/dial.h>
#include <whorl/tls.h>

#include "io/http/conn.h"
#include "io/http/fetch.h"
#include "io/http/http2_conn.h"
#include "io/http/proxy_dial.h"
#include "io/net/dial_override.h"

/* The options of dialling; NULL: the session's dialer takes none. */
static const struct whorl_dial_options *dial_options_of(const struct fetch *f)
{
    return f->asked->dial ? f->asked->dial : f->session->dial;
}

/* Whether the connection is dialled with the defaults, as nearly all are. */
static bool is_plain_dial(const struct whorl_dial_options *o)
{
    return !o || !(o->family || o->delay_small_writes || o->local_addr || o->interface ||
                   o->unix_path || o->overrides_count || o->resolver.resolve || o->resolver.arg);
}

/* What makes a difference between dialled connections. */
static struct http_pool_dial dial_key(const struct fetch *f)
{
    const struct whorl_dial_options *o = dial_options_of(f);
    const struct whorl_url *url = &f->response->url;

    return (struct http_pool_dial){
        .family = o->family,
        .delay_small_writes = o->delay_small_writes,
        .local_addr = o->local_addr,
        .interface = o->interface,
        .unix_path = o->unix_path,
        .server_override =
            dial_override_find(o->overrides, o->overrides_count, url->host, url->port),
        .proxy_override = f->proxy ? dial_override_find(o->overrides, o->overrides_count,
                                                        f->proxy->host, f->proxy->port)
                                   : NULL,
        .resolver = o->resolver,
    };
}

/* Fills what a request without special wishes needs; its `dial` is not even cleared. */
static void fill_key(const struct fetch *f, struct http_pool_key *key)
{
    const struct whorl_url *url = &f->response->url;

    key->is_tls = url->is_tls;
    key->port = url->port;
    key->host = url->host;
    key->tls = url->is_tls ? f->session->tls : NULL;
    key->proxy = f->proxy ? f->proxy->text : NULL;
    key->credentials = f->proxy ? f->proxy->userinfo : NULL;
    key->version = f->version;
    key->has_dial = !is_plain_dial(dial_options_of(f));
    if (key->has_dial)
        key->dial = dial_key(f);
}

/* Gets a connection or permission to open one. Waits in the queue if necessary. The time in the
 * queue counts only for the queue limit: the total deadline is moved by it. */
static WHORL_SUSPENDS int queue(struct fetch *f)
{
    struct http_pool *pool = &f->session->pool;
    struct whorl_http_response *r = f->response;
    struct http_pool_key key;
    struct http_stage stage;

    f->proxy = http_proxies_choose(&f->session->proxies, &r->url);
    if (f->proxy_auth.value)
        http_proxy_auth_finish(&f->proxy_auth);
    f->proxy_auth = (struct http_proxy_auth){.proxy = f->proxy,
                                             .answer = &f->session->proxy_answers[r->url.is_tls]};
    fill_key(f, &key);
    int err = http_pool_try_acquire(pool, &key, &r->conn);
    if (err == -EAGAIN) {
        int64_t start_ns = whorl_now();
        fetch_tell(f, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_QUEUE});
        http_stage_enter(&stage, http_deadline(f->timeouts.queue_ns), WHORL_EHTTP_QUEUE_TIMEOUT,
                         WHORL_FOREVER);
        err = http_pool_wait(pool, &key, &r->conn);
        err = (int)http_stage_leave(&stage, err);
        f->now_ns = 0;
        int64_t waited_ns = whorl_now() - start_ns;
        r->timing.queue_ns = waited_ns + (r->timing.queue_ns > 0 ? r->timing.queue_ns : 0);
        if (f->total_deadline_ns != WHORL_FOREVER)
            f->total_deadline_ns += waited_ns;
    }
    return err ? fetch_fail(f, err, "queue", NULL) : 0;
}

/* Makes what TLS needs. Uses the system's trust store when the session was given no
 * configuration. */
static int ensure_tls(struct fetch *f)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct whorl_http_session *session = f->session;
    struct whorl_tls_options options = {.alpn = alpn};

    if (!session->tls_sessions)
        session->tls_sessions = tls_client_sessions_create(); /* without it, none are resumed */
    if (session->tls)
        return 0;
    return whorl_tls_config_create(&options, f->error, &session->tls);
}

/* Makes what TLS with an https proxy needs. Servers' pins and client certificates are not for
 * proxies, so the configuration is another one, and so is the store of sessions to resume. */
static int ensure_proxy_tls(struct fetch *f)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    struct whorl_tls_options options = {.alpn = alpn};

    if (!f->proxy || f->proxy->kind != HTTP_PROXY_HTTPS)
        return 0;
    if (!f->session->proxy_tls_sessions)
        f->session->proxy_tls_sessions = tls_client_sessions_create();
    if (f->session->proxy_tls)
        return 0;
    return whorl_tls_config_create(&options, f->error, &f->session->proxy_tls);
}

/* The response holds what is known of its connection. */
static void hold_info(struct whorl_http_response *r, struct http_conn_info *info)
{
    http_conn_info_hold(info);
    http_conn_info_release(r->conn_info);
    r->conn_info = info;
}

/* The request takes a connection that is open. */
static void note_reuse(struct fetch *f)
{
    struct whorl_http_response *r = f->response;

    f->session->reuses++;
    r->reuse = WHORL_HTTP_REUSED;
    hold_info(r, r->conn->info);
    if (http_watch_is_on(&r->watch))
        fetch_tell(f, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_REUSE,
                                                .addr = r->conn_info->peer.len ? &r->conn_info->peer
                                                                               : NULL});
}

static int note_opening(struct fetch *f)
{
    struct whorl_http_response *r = f->response;

    http_conn_info_release(r->conn->info);
    r->conn->info = http_conn_info_create(++f->session->dials);
    if (!r->conn->info)
        return fetch_fail(f, -ENOMEM, "connect", NULL);
    r->reuse = r->conn->why;
    hold_info(r, r->conn->info);
    fetch_tell(f, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_OPEN,
                                            .host = r->url.host,
                                            .port = r->url.port,
                                            .reuse = r->reuse});
    return 0;
}

static WHORL_SUSPENDS int open_conn(struct fetch *f)
{
    struct whorl_http_response *r = f->response;
    int err = note_opening(f);

    if (err)
        return err;
    struct http_dial dial = {
        .host = r->url.host,
        .port = r->url.port,
        .version = f->version,
        .head_bytes_max = f->session->options.head_bytes_max,
        .streams_max = f->session->options.streams_max,
        .is_tls = r->url.is_tls,
        .tls = f->session->tls,
        .upgrades = &f->session->upgrades,
        .tls_sessions = f->session->tls_sessions,
        .timeouts = &f->timeouts,
        .total_deadline_ns = f->total_deadline_ns,
        .dialer = &f->session->options.dialer,
        .dial_options = dial_options_of(f),
        .proxy = f->proxy,
        .proxy_answer = f->proxy_auth.answer,
        .proxy_tls = f->session->proxy_tls,
        .proxy_tls_sessions = f->session->proxy_tls_sessions,
        .user_agent = f->session->options.user_agent,
        .info = r->conn_info,
        .watch = &r->watch,
        .error = f->error,
    };
    f->now_ns = 0;
    err = http_conn_open(r->conn, &dial, &r->timing);
    if (err)
        return err;
    f->session->connections++;
    http_pool_opened(&f->session->pool, r->conn);
    return 0;
}

WHORL_SUSPENDS int fetch_conn_acquire(struct fetch *f)
{
    int err = f->response->url.is_tls ? ensure_tls(f) : 0;

    return err ? err : queue(f);
}

WHORL_SUSPENDS int fetch_conn_open(struct fetch *f)
{
    struct whorl_http_response *r = f->response;

    r->timing.reused = http_conn_is_open(r->conn);
    if (r->timing.reused) {
        note_reuse(f);
        return 0;
    }
    int err = ensure_proxy_tls(f);
    return err ? err : open_conn(f);
}
