/* SPDX-License-Identifier: MIT */
/* Sessions, and what whorl_http_do() does for a request. For each hop:
 *
 *     queue   pool.c      gets a connection, or permission to open one
 *     open    conn.c      dials and does the TLS handshake, as the session's dial request says
 *     run     exchange.c  sends the request and reads the head of the response
 *
 * Then it answers a challenge (auth.c), follows a redirect to the next hop, or returns the
 * response, whose user reads the body.
 * Includes and calls go in the direction of the arrows only:
 *
 *     save ---------+
 *                   v
 *     session --> response --> exchange --> clock --> stage
 *       | |         |             ^  |
 *       | |         v             |  +----> store
 *       | +-----> pool --> conn   |
 *       +----> exchange_http1 ----+
 *       |           +-----> http1, request
 *       +----> exchange_http2 ----+
 *                   +-----> http2_conn, request
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <whorl/dial.h>
#include <whorl/http.h>
#include <whorl/task.h>
#include <whorl/tls.h>

#include "io/http/auth.h"
#include "io/http/conn.h"
#include "io/http/cookie_jar.h"
#include "io/http/exchange_http1.h"
#include "io/http/exchange_http2.h"
#include "io/http/http2_conn.h"
#include "io/http/pool.h"
#include "io/http/proxy_auth.h"
#include "io/http/proxy_dial.h"
#include "io/http/redirect.h"
#include "io/http/request.h"
#include "io/http/response.h"
#include "io/http/store.h"
#include "io/http/upgrades.h"
#include "io/net/dial_options.h"
#include "io/net/dial_override.h"
#include "io/tls/client_sessions.h"
#include "io/tls/config.h"
#include "io/url/cache.h"
#include "runtime/base/check.h"
#include "runtime/base/run_id.h"

enum {
    CONNS_MAX = 256,
    CONNS_PER_HOST_MAX = 6,
    REDIRECTS_MAX = 10,
    REFUSALS_MAX = 3, /* times that a request is sent again because the server did not process it */
    CHALLENGE_MAX = 64 * 1024,    /* of the body of a 401 that is read to keep the connection */
    EXPECT_MIN = 1024 * 1024,     /* a body that is larger is sent after a 100 (Continue) */
    CALM_NS = 1000 * 1000 * 1000, /* first wait when a server asks for fewer requests */
};

struct whorl_http_session {
    struct http_pool pool;
    struct http_store store;
    struct http_auth auth;
    struct http_upgrades upgrades;
    struct tls_client_sessions *tls_sessions;  /* held; NULL until needed */
    struct whorl_http_session_options options; /* defaults filled in; strings are ours */
    char *user_agent;                          /* owned */
    struct whorl_http_session *next;           /* in the thread's list */
    uint64_t run;                              /* the run that it belongs to, see run_id.h */
    struct whorl_tls_config *tls;              /* held; NULL until needed */
    struct whorl_tls_config *tls_http1;        /* held; offers HTTP/1.1 only; NULL until needed */
    struct whorl_dial_options *dial;           /* owned; NULL: the dialer takes none */
    struct http_proxies proxies;
    struct auth_answer proxy_answers[2]; /* to their challenges: of that for http, that for https */
    struct whorl_tls_config *proxy_tls;  /* held; for https proxies; NULL until needed */
    struct tls_client_sessions *proxy_tls_sessions; /* held; NULL until needed */
    struct url_cache urls;                          /* for whorl_http_request.url */
    uint64_t requests, connections, reuses;
    uint64_t watched, dials; /* numbers of the last request and connection, for the watch */
};

/* Sessions */

/* The sessions of this thread that are not destroyed; the most recently used is first. A destroyed
 * session is not in the list, so its use is noticed without reading its memory. */
static _Thread_local struct whorl_http_session *sessions;

/* Moves the session to the front of the list. Returns false when it is not in the list. */
static bool find_session(const struct whorl_http_session *session)
{
    struct whorl_http_session **link = &sessions, *found;

    while (*link && *link != session)
        link = &(*link)->next;
    found = *link;
    if (found) {
        *link = found->next;
        found->next = sessions;
        sessions = found;
    }
    return found;
}

/* Aborts when the session cannot be used here. */
static void check_session(const struct whorl_http_session *session)
{
    whorl_check_text(session, "an HTTP session is NULL");
    whorl_check_text(session == sessions || find_session(session),
                     "an HTTP session was used after it was destroyed, or on a thread that did "
                     "not make it");
    whorl_check_text(session->run == run_id_of_thread,
                     "an HTTP session was used outside the run in which it was made; destroy it "
                     "before that run ends, and make one per run");
}

/* The session's dialer if it was given none. */
static WHORL_SUSPENDS int dial_tcp(void *arg, const char *host, uint16_t port,
                                   const struct whorl_dial_options *options,
                                   struct whorl_error *error, struct whorl_stream **ret)
{
    (void)arg;
    return whorl_dial_stream(host, port, options, error, ret);
}

/* Copies the options of dialling, if there are any. */
static int copy_dial(const struct whorl_http_session_options *o, struct whorl_dial_options **ret)
{
    if (!o->dialer.dial_with)
        return o->dial ? -EINVAL : 0;
    int err = o->dial ? whorl_dial_options_check(o->dial, NULL) : 0;
    if (err)
        return err;
    *ret = dial_options_copy(o->dial ? o->dial : &(struct whorl_dial_options){0});
    return *ret ? 0 : -ENOMEM;
}

/* The request's limit if it sets one, else the session's. */
static int64_t limit(int64_t request, int64_t session)
{
    return request > 0 ? request : session;
}

static void fill_defaults(struct whorl_http_session_options *o)
{
    struct whorl_http_timeouts *t = &o->timeouts;

    o->conns_max = o->conns_max ? o->conns_max : CONNS_MAX;
    o->conns_per_host_max = o->conns_per_host_max ? o->conns_per_host_max : CONNS_PER_HOST_MAX;
    o->idle_max = o->idle_max ? o->idle_max : o->conns_max;
    o->idle_ns = o->idle_ns ? o->idle_ns : 30 * WHORL_SECOND;
    o->redirects_max = o->redirects_max ? o->redirects_max : REDIRECTS_MAX;
    t->queue_ns = limit(t->queue_ns, WHORL_FOREVER);
    t->connect_ns = limit(t->connect_ns, 30 * WHORL_SECOND);
    t->tls_ns = limit(t->tls_ns, 30 * WHORL_SECOND);
    t->first_byte_ns = limit(t->first_byte_ns, 60 * WHORL_SECOND);
    t->stall_ns = limit(t->stall_ns, 60 * WHORL_SECOND);
    t->total_ns = limit(t->total_ns, WHORL_FOREVER);
    t->speed_ns = limit(t->speed_ns, 30 * WHORL_SECOND);
    if (!o->dialer.dial && !o->dialer.dial_with)
        o->dialer.dial_with = dial_tcp;
}

int whorl_http_session_create(const struct whorl_http_session_options *options,
                              struct whorl_http_session **ret)
{
    if (!whorl_task_self())
        return WHORL_ENOTASK;
    struct whorl_http_session *session = calloc(1, sizeof *session);
    if (!session)
        return -ENOMEM;
    if (options)
        session->options = *options;
    fill_defaults(&session->options);
    struct whorl_http_session_options *o = &session->options;
    session->pool = (struct http_pool){
        .conns_max = o->conns_max,
        .conns_per_host_max = o->conns_per_host_max,
        .idle_max = o->idle_max,
        .idle_ns = o->idle_ns,
    };
    session->user_agent = strdup(o->user_agent ? o->user_agent : "whorl/" WHORL_VERSION);
    int err = session->user_agent ? http_proxies_init(&session->proxies, &o->proxy, NULL) : -ENOMEM;
    if (err == 0)
        err = http_auth_init(&session->auth, o);
    if (err == 0)
        err = copy_dial(o, &session->dial);
    if (err == 0)
        err = http_pool_init(&session->pool);
    if (err) {
        free(session->dial);
        http_auth_finish(&session->auth);
        http_proxies_finish(&session->proxies);
        free(session->user_agent);
        free(session);
        return err;
    }
    o->user_agent = session->user_agent;
    o->credentials = NULL; /* copied */
    o->dial = NULL;        /* copied */
    session->tls = o->tls ? tls_config_hold(o->tls) : NULL;
    o->cookies = o->cookies ? cookie_jar_hold(o->cookies) : NULL;
    session->proxy_tls = o->proxy.tls ? tls_config_hold(o->proxy.tls) : NULL;
    session->run = run_id_of_thread;
    session->next = sessions;
    sessions = session;
    *ret = session;
    return 0;
}

void whorl_http_session_destroy(struct whorl_http_session *session)
{
    if (!session)
        return;
    check_session(session);
    whorl_check_text(session->store.responses.out == 0,
                     "whorl_http_session_destroy: close every response first");
    sessions = session->next; /* check_session() has moved it to the front */
    http_pool_finish(&session->pool);
    http_responses_drain(&session->store);
    http1_exchanges_drain(&session->store);
    http2_exchanges_drain(&session->store);
    http_bufs_drain(&session->store);
    http_upgrades_finish(&session->upgrades);
    http_auth_finish(&session->auth);
    tls_client_sessions_release(session->tls_sessions);
    whorl_tls_config_destroy(session->tls);
    whorl_tls_config_destroy(session->tls_http1);
    whorl_http_cookies_release(session->options.cookies);
    whorl_tls_config_destroy(session->proxy_tls);
    tls_client_sessions_release(session->proxy_tls_sessions);
    http_proxies_finish(&session->proxies);
    auth_answer_finish(&session->proxy_answers[0]);
    auth_answer_finish(&session->proxy_answers[1]);
    url_cache_finish(&session->urls);
    free(session->dial);
    free(session->user_agent);
    free(session);
}

void whorl_http_session_close_idle(struct whorl_http_session *session)
{
    check_session(session);
    http_pool_close_idle(&session->pool);
}

void whorl_http_session_get_stats(const struct whorl_http_session *session,
                                  struct whorl_http_session_stats *ret)
{
    check_session(session);
    *ret = (struct whorl_http_session_stats){
        .requests = session->requests,
        .connections = session->connections,
        .reuses = session->reuses,
        .open = session->pool.open_count,
        .idle = session->pool.idle_count,
        .queued = session->pool.queued_count,
    };
}

/* Carrying out a request */

/* One whorl_http_do(). */
struct request {
    struct whorl_http_session *session;
    const struct whorl_http_request *asked;
    struct whorl_http_response *response;
    struct http_outgoing out; /* changes from hop to hop */
    struct http_auth_run auth;
    struct http1_limits limits;
    struct whorl_http_timeouts timeouts; /* defaults filled in */
    int64_t total_deadline_ns;
    int64_t decoded_bytes_max;
    int redirects_max;
    enum whorl_http_version version; /* that is asked for */
    const struct http_proxy *proxy;  /* of the current hop; NULL: none */
    struct http_proxy_auth proxy_auth;
    char *cookies;             /* owned; of the jar for the current hop; NULL: none */
    int refusals;              /* so far */
    bool has_no_expect;        /* the server has answered an expectation with 417 */
    struct whorl_error *error; /* the caller's, or one that only the observer sees */
};

/* Tells the observer about the request. */
static inline void tell(const struct request *q, struct whorl_http_event event)
{
    http_watch_tell(&q->response->watch, q->response->conn_info, event);
}

/* Fills the caller's error with "HOST:PORT: text". If `text` is NULL, it is the text of `err`.
 * Returns `err`. */
static int fail(const struct request *q, int err, const char *step, const char *text)
{
    const struct whorl_url *url = &q->response->url;
    char timeout[HTTP_TIMEOUT_TEXT_SIZE];
    if (!text)
        text = http_timeout_text(timeout, err, &q->timeouts, -1, -1);
    return whorl_error_set(q->error, err, step, "%s:%u: %s", url->host, url->port,
                           text ? text : whorl_strerror(err));
}

/* A body is `data` with `len`, or `read` or `fd` with `len` or -1. */
static int check_body(const struct whorl_http_body *body, struct whorl_error *error)
{
    const char *text = NULL;

    if (!!body->data + !!body->read + body->use_fd > 1)
        text = "only one of body.data, body.read and body.use_fd may be set";
    else if (body->data && body->len == 0)
        text = "body.data is set without body.len (leave both out for an empty body)";
    else if (body->data && body->len < 0)
        text = "body.len of body.data is negative";
    else if (!body->data && !body->read && !body->use_fd && body->len != 0)
        text = "body.len is set without body.data, body.read or body.use_fd";
    else if (body->len < -1)
        text = "body.len is below -1";
    else if (body->use_fd ? body->offset < 0 : body->offset != 0)
        text = "body.offset is negative, or set without body.use_fd";
    return text ? whorl_error_set(error, -EINVAL, "request", "%s", text) : 0;
}

/* Finds out how a body from a file is read, and how long it is. */
static int prepare_file(struct request *q)
{
    const struct whorl_http_body *body = &q->asked->body;
    struct stat st;

    if (fstat(body->fd, &st) < 0) {
        int err = -errno;
        return whorl_error_set(q->error, err, "request", "body.fd: %s", whorl_strerror(err));
    }
    bool is_regular = S_ISREG(st.st_mode);
    if (is_regular ? body->offset > st.st_size : body->offset != 0)
        return whorl_error_set(q->error, -EINVAL, "request",
                               is_regular ? "body.offset is behind the end of the file"
                                          : "body.offset is set for a file that is not regular");
    if (is_regular && body->len < 0)
        q->out.body_len = st.st_size - body->offset;
    q->out.file_offset = is_regular ? body->offset : -1;
    return 0;
}

static int check_dial(const struct request *q)
{
    if (!q->asked->dial)
        return 0;
    if (!q->session->dial)
        return whorl_error_set(q->error, -EINVAL, "request", "%s",
                               "dial is set, but the session has a dialer of its own");
    return whorl_dial_options_check(q->asked->dial, q->error);
}

static int prepare_body(struct request *q)
{
    const struct whorl_http_body *body = &q->asked->body;
    int err = check_body(body, q->error);

    q->out.has_body = body->data || body->read || body->use_fd;
    q->out.body_len = body->len;
    if (err == 0 && body->use_fd)
        err = prepare_file(q);
    if (err == 0 && body->trailers_count > 0 && (!q->out.has_body || q->out.body_len >= 0))
        err = whorl_error_set(q->error, -EINVAL, "request",
                              "body.trailers are only for a body of unknown length");
    return err;
}

/* Fills in the limits and parses the URL. */
static int prepare(struct request *q)
{
    const struct whorl_http_session_options *o = &q->session->options;
    const struct whorl_http_request *asked = q->asked;
    const struct whorl_http_timeouts *t = &asked->timeouts, *d = &o->timeouts;

    q->response->timing = (struct whorl_http_timing){
        .queue_ns = -1, .connect_ns = -1, .tls_ns = -1, .first_byte_ns = -1};
    q->out = (struct http_outgoing){
        .request = asked,
        .url = &q->response->url,
        .method = asked->method ? asked->method : "GET",
        .user_agent = o->user_agent,
        .watch = &q->response->watch,
    };
    q->redirects_max = asked->redirects_max ? asked->redirects_max : o->redirects_max;
    q->limits = (struct http1_limits){
        .head_bytes_max = o->head_bytes_max,
        .headers_max = o->headers_max,
        .informational_max = o->informational_max,
        .body_bytes_max = limit(asked->body_bytes_max, o->body_bytes_max),
    };
    q->version = asked->version ? asked->version : o->version;
    q->decoded_bytes_max = limit(asked->decoded_bytes_max, o->decoded_bytes_max);
    q->timeouts = (struct whorl_http_timeouts){
        .queue_ns = limit(t->queue_ns, d->queue_ns),
        .connect_ns = limit(t->connect_ns, d->connect_ns),
        .tls_ns = limit(t->tls_ns, d->tls_ns),
        .first_byte_ns = limit(t->first_byte_ns, d->first_byte_ns),
        .stall_ns = limit(t->stall_ns, d->stall_ns),
        .total_ns = limit(t->total_ns, d->total_ns),
        .speed_min = limit(t->speed_min, d->speed_min),
        .speed_ns = limit(t->speed_ns, d->speed_ns),
    };
    q->total_deadline_ns = http_deadline(q->timeouts.total_ns);
    int err = asked->credentials ? http_auth_check(asked->credentials, q->error) : 0;
    if (err == 0 && asked->credentials && asked->credentials->origin)
        err = whorl_error_set(q->error, -EINVAL, "request",
                              "credentials of a request have an origin");
    if (err == 0)
        err = check_dial(q);
    if (err == 0)
        err = prepare_body(q);
    return err ? err : url_cache_parse(&q->session->urls, asked->url, q->error, &q->response->url);
}

/* The TLS configuration; its ALPN offers the versions that are asked for. */
static struct whorl_tls_config *tls_of(const struct request *q)
{
    struct whorl_http_session *session = q->session;

    return session->tls && (q->version != WHORL_HTTP_1 || session->options.tls)
               ? session->tls
               : session->tls_http1;
}

/* The options of dialling; NULL: the session's dialer takes none. */
static const struct whorl_dial_options *dial_options_of(const struct request *q)
{
    return q->asked->dial ? q->asked->dial : q->session->dial;
}

/* What makes a difference between dialled connections. */
static struct http_pool_dial dial_key(const struct request *q)
{
    const struct whorl_dial_options *o = dial_options_of(q);
    const struct whorl_url *url = &q->response->url;

    if (!o)
        return (struct http_pool_dial){0};
    return (struct http_pool_dial){
        .family = o->family,
        .delay_small_writes = o->delay_small_writes,
        .local_addr = o->local_addr,
        .interface = o->interface,
        .unix_path = o->unix_path,
        .server_override =
            dial_override_find(o->overrides, o->overrides_count, url->host, url->port),
        .proxy_override = q->proxy ? dial_override_find(o->overrides, o->overrides_count,
                                                        q->proxy->host, q->proxy->port)
                                   : NULL,
        .resolver = o->resolver,
    };
}

/* Gets a connection or permission to open one. Waits in the queue if necessary. The time in the
 * queue counts only for the queue limit: the total deadline is moved by it. */
static WHORL_SUSPENDS int queue(struct request *q)
{
    struct http_pool *pool = &q->session->pool;
    struct whorl_http_response *r = q->response;
    struct http_pool_key key = {
        .is_tls = r->url.is_tls,
        .port = r->url.port,
        .host = r->url.host,
        .tls = r->url.is_tls ? tls_of(q) : NULL,
        .version = q->version,
    };
    struct http_stage stage;

    q->proxy = http_proxies_choose(&q->session->proxies, &r->url);
    http_proxy_auth_finish(&q->proxy_auth);
    q->proxy_auth = (struct http_proxy_auth){.proxy = q->proxy,
                                             .answer = &q->session->proxy_answers[r->url.is_tls]};
    if (q->proxy) {
        key.proxy = q->proxy->text;
        key.credentials = q->proxy->userinfo;
    }
    key.dial = dial_key(q);

    int err = http_pool_try_acquire(pool, &key, &r->conn);
    if (err == -EAGAIN) {
        int64_t start_ns = whorl_now();
        tell(q, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_QUEUE});
        http_stage_enter(&stage, http_deadline(q->timeouts.queue_ns), WHORL_EHTTP_QUEUE_TIMEOUT,
                         WHORL_FOREVER);
        err = http_pool_wait(pool, &key, &r->conn);
        err = (int)http_stage_leave(&stage, err);
        int64_t waited_ns = whorl_now() - start_ns;
        r->timing.queue_ns = waited_ns + (r->timing.queue_ns > 0 ? r->timing.queue_ns : 0);
        if (q->total_deadline_ns != WHORL_FOREVER)
            q->total_deadline_ns += waited_ns;
    }
    return err ? fail(q, err, "queue", NULL) : 0;
}

/* Makes what TLS needs. Uses the system's trust store when the session was given no
 * configuration. */
static int ensure_tls(struct request *q)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct whorl_http_session *session = q->session;
    bool is_http1 = q->version == WHORL_HTTP_1 || !http2_conn_is_supported();
    struct whorl_tls_options options = {.alpn = is_http1 ? alpn + 1 : alpn};
    struct whorl_tls_config **config = is_http1 ? &session->tls_http1 : &session->tls;

    if (!session->tls_sessions)
        session->tls_sessions = tls_client_sessions_create(); /* without it, none are resumed */
    if (session->options.tls || *config)
        return 0;
    return whorl_tls_config_create(&options, q->error, config);
}

/* Makes what TLS with an https proxy needs. Servers' pins and client certificates are not for
 * proxies, so the configuration is another one, and so is the store of sessions to resume. */
static int ensure_proxy_tls(struct request *q)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    struct whorl_tls_options options = {.alpn = alpn};

    if (!q->proxy || q->proxy->kind != HTTP_PROXY_HTTPS)
        return 0;
    if (!q->session->proxy_tls_sessions)
        q->session->proxy_tls_sessions = tls_client_sessions_create();
    if (q->session->proxy_tls)
        return 0;
    return whorl_tls_config_create(&options, q->error, &q->session->proxy_tls);
}

/* The response holds what is known of its connection. */
static void hold_info(struct whorl_http_response *r, struct http_conn_info *info)
{
    http_conn_info_hold(info);
    http_conn_info_release(r->conn_info);
    r->conn_info = info;
}

/* The request takes a connection that is open. */
static void note_reuse(struct request *q)
{
    struct whorl_http_response *r = q->response;

    q->session->reuses++;
    r->reuse = WHORL_HTTP_REUSED;
    hold_info(r, r->conn->info);
    if (http_watch_is_on(&r->watch))
        tell(q, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_REUSE,
                                          .addr =
                                              r->conn_info->peer.len ? &r->conn_info->peer : NULL});
}

static int note_opening(struct request *q)
{
    struct whorl_http_response *r = q->response;

    http_conn_info_release(r->conn->info);
    r->conn->info = http_conn_info_create(++q->session->dials);
    if (!r->conn->info)
        return fail(q, -ENOMEM, "connect", NULL);
    r->reuse = r->conn->why;
    hold_info(r, r->conn->info);
    tell(q, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_OPEN,
                                      .host = r->url.host,
                                      .port = r->url.port,
                                      .reuse = r->reuse});
    return 0;
}

static WHORL_SUSPENDS int open_conn(struct request *q)
{
    struct whorl_http_response *r = q->response;
    int err = note_opening(q);

    if (err)
        return err;
    struct http_dial dial = {
        .host = r->url.host,
        .port = r->url.port,
        .version = q->version,
        .head_bytes_max = q->session->options.head_bytes_max,
        .streams_max = q->session->options.streams_max,
        .is_tls = r->url.is_tls,
        .tls = tls_of(q),
        .upgrades = &q->session->upgrades,
        .tls_sessions = q->session->tls_sessions,
        .timeouts = &q->timeouts,
        .total_deadline_ns = q->total_deadline_ns,
        .dialer = &q->session->options.dialer,
        .dial_options = dial_options_of(q),
        .proxy = q->proxy,
        .proxy_answer = q->proxy_auth.answer,
        .proxy_tls = q->session->proxy_tls,
        .proxy_tls_sessions = q->session->proxy_tls_sessions,
        .user_agent = q->session->options.user_agent,
        .info = r->conn_info,
        .watch = &r->watch,
        .error = q->error,
    };
    err = http_conn_open(r->conn, &dial, &r->timing);
    if (err)
        return err;
    q->session->connections++;
    http_pool_opened(&q->session->pool, r->conn);
    return 0;
}

/* Makes an exchange of the version that the connection speaks. */
static int create_exchange(struct request *q)
{
    struct whorl_http_response *r = q->response;
    struct http2_exchange_setup http2_setup = {
        .conn = r->conn->http2,
        .out = &q->out,
        .limits = q->limits,
        .timeouts = &q->timeouts,
        .total_deadline_ns = q->total_deadline_ns,
    };
    struct http1_exchange_setup setup = {
        .stream = r->conn->stream,
        .out = &q->out,
        .limits = q->limits,
        .timeouts = &q->timeouts,
        .total_deadline_ns = q->total_deadline_ns,
    };
    r->version = r->conn->http2 ? WHORL_HTTP_2 : WHORL_HTTP_1;
    return r->conn->http2 ? http2_exchange_create(&q->session->store, &http2_setup, &r->exchange)
                          : http1_exchange_create(&q->session->store, &setup, &r->exchange);
}

/* The session's jar, unless the request does without it. */
static struct whorl_http_cookies *jar_of(const struct request *q)
{
    return q->asked->no_cookies ? NULL : q->session->options.cookies;
}

/* Gets the jar's cookies for the URL of this hop. */
static int choose_cookies(struct request *q)
{
    struct whorl_http_cookies *jar = jar_of(q);

    free(q->cookies);
    q->cookies = NULL;
    int err = jar ? whorl_http_cookies_get(jar, &q->response->url, &q->cookies) : 0;
    q->out.cookies = q->cookies;
    return err;
}

/* Stores the cookies of the response, whatever its status. One that is refused is ignored, as RFC
 * 6265bis §5.7 says. */
static int take_cookies(struct request *q)
{
    struct whorl_http_cookies *jar = jar_of(q);
    struct http_exchange *x = q->response->exchange;
    size_t index = 0;
    const char *text;

    while (jar && (text = header_list_next(x->head.headers, "Set-Cookie", &index))) {
        int err = whorl_http_cookies_set(jar, &q->response->url, text, NULL);
        if (err == -ENOMEM)
            return http_exchange_fail(x, err, "response", NULL);
    }
    return 0;
}

static WHORL_SUSPENDS int run_exchange(struct request *q)
{
    struct whorl_http_response *r = q->response;

    q->out.conn = r->conn_info;
    int err = http_auth_write(&q->session->auth, &q->auth, &q->out);
    if (err == 0)
        err = choose_cookies(q);
    if (err == 0)
        err = create_exchange(q);
    if (err)
        return err;
    q->session->requests++;
    err = http_exchange_run(r->exchange, &q->out);
    r->timing.first_byte_ns = http_exchange_first_byte_ns(r->exchange);
    return err ? err : take_cookies(q);
}

static bool can_send_again(const struct http_outgoing *out)
{
    const struct whorl_http_body *body = &out->request->body;
    if (!out->has_body)
        return true;
    return body->use_fd ? out->file_offset >= 0 : !body->read || body->rewind;
}

/* Whether the body can be sent after this exchange: again, or because the exchange did not begin
 * with it. */
static bool has_whole_body(const struct request *q)
{
    const struct http_exchange *x = q->response->exchange;
    return (x && !x->is_body_used) || can_send_again(&q->out);
}

static int rewind_body(const struct request *q)
{
    const struct whorl_http_body *body = &q->asked->body;
    const struct http_exchange *x = q->response->exchange;
    return q->out.has_body && body->read && x->is_body_used ? body->rewind(body->arg) : 0;
}

/* Whether the connection ended before anything of the response arrived. */
static bool has_died(int err)
{
    return err == WHORL_EHTTP_NO_RESPONSE || err == -EPIPE || err == -ECONNRESET ||
           err == WHORL_ETLS_TRUNCATED || err == WHORL_ETLS_ALERT;
}

/* A kept connection that fails before the first byte of the response was most likely closed by the
 * server before the request arrived (RFC 9112 §9.3.1). The client cannot be sure of that, so only a
 * request that may be done twice is sent again (RFC 9110 §9.2.2). An HTTP/2 server can say that it
 * has not processed a request (RFC 9113 §8.7); then every request may be sent again. */
static bool may_retry(const struct request *q, int err)
{
    const struct whorl_http_response *r = q->response;
    const struct http_exchange *x = r->exchange;

    if (!x || x->has_begun || !has_whole_body(q))
        return false;
    if (!x->is_unprocessed && !request_is_idempotent(q->out.method))
        return false;
    if (!r->conn->http2)
        return r->timing.reused && has_died(err);
    if (q->refusals >= REFUSALS_MAX)
        return false;
    return x->is_unprocessed || err == WHORL_EHTTP_CALM ||
           (r->timing.reused && has_died(err) && !http_conn_is_usable(r->conn));
}

/* Waits after the server has asked for fewer requests (ENHANCE_YOUR_CALM), longer each time. */
static WHORL_SUSPENDS int calm_down(struct request *q)
{
    struct http_stage stage;

    http_stage_enter(&stage, WHORL_FOREVER, 0, q->total_deadline_ns);
    int err = (int)http_stage_leave(&stage, whorl_sleep((int64_t)CALM_NS << q->refusals));
    return err ? fail(q, err, "send", NULL) : 0;
}

/* Gets another connection after a failure with `err` on an HTTP/2 connection, which other requests
 * may continue to use. */
static WHORL_SUSPENDS int change_conn(struct request *q, int err)
{
    struct whorl_http_response *r = q->response;

    http_response_release(r, http_conn_is_usable(r->conn), WHORL_HTTP_NEW_FAILED);
    int waited = err == WHORL_EHTTP_CALM ? calm_down(q) : 0;
    if (waited)
        return waited;
    q->refusals++;
    if (err == WHORL_EHTTP_VERSION) { /* HTTP_1_1_REQUIRED */
        q->version = WHORL_HTTP_1;
        err = r->url.is_tls ? ensure_tls(q) : 0;
        if (err)
            return err;
    }
    return queue(q);
}

/* Prepares to send a request again that has failed with `err`. If a kept HTTP/1.1 connection was
 * dead, a new one takes over its place in the pool, so there is no second wait in the queue. */
static WHORL_SUSPENDS int prepare_retry(struct request *q, int err)
{
    struct whorl_http_response *r = q->response;
    int rewound = rewind_body(q);

    if (rewound)
        return fail(q, rewound, "send", NULL);
    http_response_drop_exchange(r);
    r->timing.retries++;
    tell(q, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_RETRY, .err = err});
    if (r->conn->http2)
        return change_conn(q, err);
    http_conn_reset(r->conn, WHORL_HTTP_NEW_ENDED);
    return 0;
}

/* An HTTP proxy gets the request itself, with its credentials. In a tunnel, and without a proxy, a
 * request has nothing that is for a proxy. */
static int prepare_for_proxy(struct request *q)
{
    struct http_outgoing *out = &q->out;
    int err = 0;

    out->is_forwarded = q->proxy && http_proxy_forwards(q->proxy, out->url->is_tls, q->version);
    if (out->is_forwarded)
        err = http_proxy_auth_write(&q->proxy_auth, out->method, out->url->text,
                                    !can_send_again(out));
    out->proxy_authorization = out->is_forwarded ? q->proxy_auth.value : NULL;
    return err ? fail(q, err, "send", NULL) : 0;
}

/* Decides whether the server is asked to say 100 before the body is sent. */
static void choose_expect(struct request *q)
{
    struct http_outgoing *out = &q->out;
    bool is_large = out->body_len < 0 || out->body_len > EXPECT_MIN;

    out->expects =
        out->has_body && out->body_len != 0 && !q->has_no_expect &&
        (q->asked->expect == WHORL_HTTP_EXPECT_ALWAYS ||
         (q->asked->expect == WHORL_HTTP_EXPECT_LARGE && is_large && !q->response->conn->http2));
}

/* Whether the response is a 417, which the same request without an expectation avoids. */
static bool refuses_expect(const struct request *q)
{
    const struct http_exchange *x = q->response->exchange;

    return x->head.status == 417 && q->out.expects && has_whole_body(q);
}

/* Judges the response of a proxy that gets the request itself. 1 when it is a 407 that the same
 * request answers with credentials; 0 when it is the server's; WHORL_EHTTP_PROXY_AUTH; -ENOMEM. */
static int judge_proxy(struct request *q)
{
    const struct http_head *head = &q->response->exchange->head;
    const char *why = "the request body cannot be sent again with credentials";

    if (head->status != 407 || !q->out.is_forwarded)
        return 0;
    int n = has_whole_body(q) ? http_proxy_auth_challenged(&q->proxy_auth, head->headers, &why) : 0;
    if (n < 0)
        return fail(q, n, "response", NULL);
    return n > 0 ? n
                 : whorl_error_set(q->error, WHORL_EHTTP_PROXY_AUTH, "proxy",
                                   "proxy %s for %s:%u: it answered with 407 %.64s (%s)",
                                   q->proxy->text, q->out.url->host, q->out.url->port, head->reason,
                                   why);
}

/* Prepares to send a request again after a response that asks for another head. */
static WHORL_SUSPENDS int prepare_answer(struct request *q)
{
    struct whorl_http_response *r = q->response;
    int err = rewind_body(q);

    if (err)
        return fail(q, err, "send", NULL);
    http_exchange_skip(r->exchange); /* at the end of the body the connection can be kept */
    bool reusable = http_exchange_end(r->exchange);
    enum whorl_http_reuse why = r->exchange->why;
    http_response_drop_exchange(r);
    tell(q, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_AUTH, .status = 407});
    if (reusable)
        return 0;
    if (r->conn->http2)
        return change_conn(q, 0);
    http_conn_reset(r->conn, why);
    return 0;
}

/* Opens the connection if it is new, and runs the exchange, again where that is safe. */
static WHORL_SUSPENDS int exchange_with_retry(struct request *q)
{
    struct whorl_http_response *r = q->response;

    for (;;) {
        r->timing.reused = http_conn_is_open(r->conn);
        if (r->timing.reused)
            note_reuse(q);
        int err = r->timing.reused ? 0 : ensure_proxy_tls(q);
        if (err == 0 && !r->timing.reused)
            err = open_conn(q);
        if (err)
            return err;
        err = prepare_for_proxy(q);
        if (err)
            return err;
        choose_expect(q);
        err = run_exchange(q);
        if (err == 0) {
            bool is_expect_refused = refuses_expect(q);
            q->has_no_expect |= is_expect_refused;
            int asks = is_expect_refused ? 1 : judge_proxy(q);
            if (asks <= 0)
                return asks;
            err = prepare_answer(q);
            if (err)
                return err;
            continue;
        }
        if (!may_retry(q, err)) {
            if (!r->exchange)
                return fail(q, err, "send", NULL);
            *q->error = r->exchange->error;
            return err;
        }
        err = prepare_retry(q, err);
        if (err)
            return err;
    }
}

/* One hop: from the queue to the end of the head. */
static WHORL_SUSPENDS int hop(struct request *q)
{
    struct whorl_http_response *r = q->response;

    r->end_ns = 0;
    int err = r->url.is_tls ? ensure_tls(q) : 0;
    if (err == 0)
        err = queue(q);
    if (err)
        return err;
    err = exchange_with_retry(q);
    if (err == 0) {
        http_response_settle(r);
        return 0;
    }
    /* The exchange stays, for the info at the end. */
    bool usable = r->exchange && http_exchange_end(r->exchange);
    http_response_release(r, usable && r->conn && r->conn->http2, WHORL_HTTP_NEW_FAILED);
    return err;
}

/* Ends the exchange of a response that is not returned to the caller. The connection is kept if the
 * body was read to its end. */
static void leave_response(struct whorl_http_response *r)
{
    http_exchange_skip(r->exchange);
    http_response_end(r);
    http_response_drop_exchange(r);
    r->err = 0; /* the body may fail: it is not used */
    r->error.code = 0;
}

/* Answers a 401. Returns 1 when the same hop is prepared again; 0 when the response is final; or an
 * error. */
static WHORL_SUSPENDS int answer(struct request *q)
{
    struct whorl_http_response *r = q->response;

    if (r->exchange->head.status != 401)
        return 0;
    int n = http_auth_challenged(&q->session->auth, &q->auth, &q->out, r->exchange->head.headers);
    if (n <= 0)
        return n < 0 ? fail(q, n, "response", NULL) : 0;
    if (!has_whole_body(q))
        return fail(q, WHORL_EHTTP_AUTH_BODY, "send",
                    "the server asks for credentials (401), and the request body cannot be sent "
                    "again");
    n = rewind_body(q);
    if (n)
        return fail(q, n, "send", "request body cannot be sent again");
    n = whorl_http_response_drain(r, CHALLENGE_MAX);
    if (n == -ECANCELED)
        return fail(q, n, "response", NULL);
    leave_response(r);
    tell(q, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_AUTH, .status = 401});
    return 1;
}

/* Follows a redirect. Returns 1 when the next hop is prepared; 0 when the response is final; or an
 * error. */
static int follow(struct request *q)
{
    struct whorl_http_response *r = q->response;
    struct http_outgoing *out = &q->out;
    struct redirect redirect = {0};

    if (q->redirects_max < 0)
        return 0;
    int err = redirect_follow(&redirect, &r->url, out->method, r->exchange->head.status,
                              r->exchange->head.headers, q->error);
    if (err <= 0)
        return err;
    bool has_body = out->has_body && !redirect.drop_body;
    if (r->timing.redirects >= q->redirects_max) {
        err = fail(q, WHORL_EHTTP_REDIRECTS, "redirect", "too many redirects");
    } else if (redirect.is_downgrade && !q->session->options.allow_downgrade) {
        err = fail(q, WHORL_EHTTP_REDIRECT_DOWNGRADE, "redirect", NULL);
    } else if (has_body && !has_whole_body(q)) {
        err = fail(q, WHORL_EHTTP_REDIRECT_BODY, "redirect", NULL);
    } else if (has_body && (err = rewind_body(q))) {
        fail(q, err, "redirect", "request body cannot be sent again");
    }
    if (err < 0) {
        whorl_url_finish(&redirect.url);
        return err;
    }
    leave_response(r);
    http_auth_run_next(&q->auth);
    whorl_url_finish(&r->url);
    r->url = redirect.url;
    r->timing.redirects++;
    r->timing.downgraded |= redirect.is_downgrade;
    out->method = redirect.method;
    out->has_body = has_body;
    out->drop_body_headers |= redirect.drop_body;
    out->other_origin |= redirect.cross_origin;
    tell(q, (struct whorl_http_event){
                .kind = WHORL_HTTP_EVENT_REDIRECT, .method = out->method, .url = r->url.text});
    return 1;
}

/* The final response: refuses a body that is announced too large, prepares decoding. */
static int accept_final(struct request *q)
{
    struct whorl_http_response *r = q->response;
    const struct http_head *head = &r->exchange->head;
    int64_t length = head->has_body ? head->length : 0;

    if (q->limits.body_bytes_max > 0 && length > q->limits.body_bytes_max)
        return fail(q, WHORL_EHTTP_BODY_TOO_LARGE, "response", NULL);
    if (!q->asked->decode || r->exchange->ahead == HTTP_AHEAD_END)
        return 0;
    int err = decode_init(&r->decode, head->headers, q->decoded_bytes_max);
    if (err < 0)
        return fail(q, err, "response", NULL);
    r->decodes = err > 0;
    return 0;
}

/* Begins to watch and to limit the request. */
static void watch(struct request *q)
{
    const struct whorl_http_observer *asked = &q->asked->observer;

    q->response->limiters[0] = q->asked->limiters[0];
    q->response->limiters[1] = q->asked->limiters[1];
    q->response->watch = (struct http_watch){
        .observer = asked->event ? *asked : q->session->options.observer,
        .request = ++q->session->watched,
        .start_ns = whorl_now(),
    };
}

WHORL_SUSPENDS int whorl_http_do(struct whorl_http_session *session,
                                 const struct whorl_http_request *request,
                                 struct whorl_error *error, struct whorl_http_response **ret)
{
    struct whorl_error unseen;
    struct request q = {.session = session, .asked = request, .error = error ? error : &unseen};

    unseen.code = 0;
    int err = whorl_check_cancelled();
    if (err)
        return whorl_error_set(error, err, "queue", "%s", whorl_strerror(err));
    if (whorl_task_self())
        check_session(session);
    err = whorl_task_self() ? http_response_create(&session->store, &session->pool, &q.response)
                            : WHORL_ENOTASK;
    if (err)
        return whorl_error_set(error, err, "queue", "%s", whorl_strerror(err));
    watch(&q);
    err = prepare(&q);
    tell(&q, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_START,
                                       .method = q.out.method,
                                       .url = q.response->url.text});
    while (err == 0) {
        err = hop(&q);
        if (err)
            break;
        err = answer(&q);
        if (err == 0)
            err = follow(&q);
        if (err <= 0)
            break;
        err = 0;
    }
    http_auth_run_finish(&q.auth);
    http_proxy_auth_finish(&q.proxy_auth);
    free(q.cookies);
    if (err == 0)
        err = accept_final(&q);
    if (err) {
        http_response_end(q.response);
        http_response_tell_end(q.response, err, q.error);
        http_response_destroy(q.response);
        return err;
    }
    *ret = q.response;
    return 0;
}

WHORL_SUSPENDS int whorl_http_get(struct whorl_http_session *session, const char *url,
                                  struct whorl_http_response **ret)
{
    struct whorl_http_request request = {.url = url};
    return whorl_http_do(session, &request, NULL, ret);
}
