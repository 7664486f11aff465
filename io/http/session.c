/* SPDX-License-Identifier: MIT */
/* Sessions, and the way of a request: queue, open, exchange, with redirects and one retry around. */
#include "io/http/session.h"

#include <stdlib.h>
#include <string.h>

#include <whorl/dial.h>
#include <whorl/fd.h>
#include <whorl/task.h>
#include <whorl/tls.h>

#include "io/http/exchange.h"
#include "io/http/redirect.h"
#include "io/http/request.h"
#include "io/tls/config.h"
#include "runtime/base/check.h"

enum {
    CONNS_MAX = 256,
    CONNS_PER_HOST_MAX = 6,
    REDIRECTS_MAX = 10,
    HEADERS_KEPT = 8192, /* bytes of header memory that a response keeps for the next one */
};

/* Memory that goes round */

struct http_buf *http_buf_acquire(struct whorl_http_session *session)
{
    struct http_buf *buf = session->bufs;
    if (!buf)
        return malloc(sizeof *buf);
    session->bufs = buf->next;
    session->bufs_count--;
    return buf;
}

void http_buf_release(struct whorl_http_session *session, struct http_buf *buf)
{
    if (!buf)
        return;
    if (session->bufs_count >= HTTP_BUFS_KEPT) {
        free(buf);
        return;
    }
    buf->next = session->bufs;
    session->bufs = buf;
    session->bufs_count++;
}

struct whorl_http_response *http_response_acquire(struct whorl_http_session *session)
{
    struct whorl_http_response *response = session->responses;
    if (response) {
        session->responses = response->next;
        session->responses_count--;
        struct http1 parser = response->parser;
        *response = (struct whorl_http_response){.parser = parser};
    } else {
        response = calloc(1, sizeof *response);
        if (!response)
            return NULL;
        http1_init(&response->parser, NULL, false);
    }
    response->session = session;
    session->responses_out++;
    return response;
}

void http_response_release(struct whorl_http_response *response)
{
    struct whorl_http_session *session = response->session;

    http_buf_release(session, response->in);
    whorl_url_finish(&response->url);
    if (response->decodes)
        decode_finish(&response->decode);
    session->responses_out--;
    bool is_large = response->parser.headers.bytes_cap > HEADERS_KEPT ||
                    response->parser.trailers.bytes_cap > HEADERS_KEPT;
    if (is_large || session->responses_count >= HTTP_RESPONSES_KEPT) {
        http1_finish(&response->parser);
        free(response);
        return;
    }
    response->next = session->responses;
    session->responses = response;
    session->responses_count++;
}

/* Sessions */

static WHORL_SUSPENDS int dial_tcp(void *ctx, const char *host, uint16_t port,
                                   struct whorl_error *error, struct whorl_stream **ret)
{
    (void)ctx;
    int fd = whorl_dial_tcp(host, port, NULL, error, NULL);
    if (fd < 0)
        return fd;
    int err = whorl_stream_from_socket(fd, ret);
    if (err)
        whorl_close(fd);
    return err;
}

/* What holds: the request's word, else the session's, else the default. */
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
    if (!o->dialer.dial)
        o->dialer.dial = dial_tcp;
}

struct whorl_http_session *whorl_http_session_create(
    const struct whorl_http_session_options *options)
{
    struct whorl_http_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    if (options)
        session->options = *options;
    fill_defaults(&session->options);
    const struct whorl_http_session_options *o = &session->options;
    session->pool = (struct http_pool){
        .conns_max = o->conns_max,
        .conns_per_host_max = o->conns_per_host_max,
        .idle_max = o->idle_max,
        .idle_ns = o->idle_ns,
    };
    session->tls = o->tls ? tls_config_hold(o->tls) : NULL;
    session->user_agent = strdup(o->user_agent ? o->user_agent : "whorl/" WHORL_VERSION);
    if (!session->user_agent || http_pool_init(&session->pool)) {
        whorl_tls_config_destroy(session->tls);
        free(session->user_agent);
        free(session);
        return NULL;
    }
    session->options.user_agent = session->user_agent;
    return session;
}

void whorl_http_session_destroy(struct whorl_http_session *session)
{
    if (!session)
        return;
    whorl_check_text(session->responses_out == 0,
                     "whorl_http_session_destroy: close every response first");
    http_pool_finish(&session->pool);
    while (session->bufs) {
        struct http_buf *buf = session->bufs;
        session->bufs = buf->next;
        free(buf);
    }
    while (session->responses) {
        struct whorl_http_response *response = session->responses;
        session->responses = response->next;
        http1_finish(&response->parser);
        free(response);
    }
    whorl_tls_config_destroy(session->tls);
    free(session->user_agent);
    free(session);
}

void whorl_http_session_close_idle(struct whorl_http_session *session)
{
    http_pool_close_idle(&session->pool);
}

void whorl_http_session_get_stats(const struct whorl_http_session *session,
                                  struct whorl_http_session_stats *ret)
{
    *ret = (struct whorl_http_session_stats){
        .requests = session->requests,
        .connections = session->connections,
        .reuses = session->reuses,
        .open = session->pool.open_count,
        .idle = session->pool.idle_count,
        .queued = session->pool.queued_count,
    };
}

/* The way of a request */

/* Settles limits and the URL. */
static int prepare(struct whorl_http_response *r, const struct whorl_http_request *request)
{
    const struct whorl_http_session_options *o = &r->session->options;
    const struct whorl_http_timeouts *t = &request->timeouts, *d = &o->timeouts;
    int64_t body_max = limit(request->body_bytes_max, o->body_bytes_max);

    r->error = request->error;
    r->timing = (struct whorl_http_timing){
        .queue_ns = -1, .connect_ns = -1, .tls_ns = -1, .first_byte_ns = -1};
    r->redirects_max = request->redirects_max ? request->redirects_max : o->redirects_max;
    r->limits = (struct http1_limits){
        .head_bytes_max = o->head_bytes_max,
        .headers_max = o->headers_max,
        .informational_max = o->informational_max,
        .body_bytes_max = body_max,
    };
    r->decoded_bytes_max = limit(request->decoded_bytes_max, o->decoded_bytes_max);
    r->timeouts = (struct whorl_http_timeouts){
        .queue_ns = limit(t->queue_ns, d->queue_ns),
        .connect_ns = limit(t->connect_ns, d->connect_ns),
        .tls_ns = limit(t->tls_ns, d->tls_ns),
        .first_byte_ns = limit(t->first_byte_ns, d->first_byte_ns),
        .stall_ns = limit(t->stall_ns, d->stall_ns),
        .total_ns = limit(t->total_ns, d->total_ns),
    };
    r->total_deadline_ns = http_deadline(r->timeouts.total_ns);
    return whorl_url_parse(request->url, r->error, &r->url);
}

/* Gets a connection or leave to open one, after queueing if need be. Time in the queue is the
 * queue's only: the limit of the whole exchange moves on by it. */
static WHORL_SUSPENDS int queue(struct whorl_http_response *r)
{
    struct whorl_http_session *session = r->session;
    struct http_pool_key key = {
        .is_tls = r->url.is_tls,
        .port = r->url.port,
        .host = r->url.host,
        .tls = r->url.is_tls ? session->tls : NULL,
    };
    struct http_stage stage;

    int err = http_pool_try_acquire(&session->pool, &key, &r->conn);
    if (err == -EAGAIN) {
        int64_t start_ns = whorl_now();
        http_stage_enter(&stage, http_deadline(r->timeouts.queue_ns), WHORL_EHTTP_QUEUE_TIMEOUT,
                         WHORL_FOREVER);
        err = http_pool_wait(&session->pool, &key, &r->conn);
        err = (int)http_stage_leave(&stage, err);
        int64_t waited_ns = whorl_now() - start_ns;
        r->timing.queue_ns = waited_ns + (r->timing.queue_ns > 0 ? r->timing.queue_ns : 0);
        if (r->total_deadline_ns != WHORL_FOREVER)
            r->total_deadline_ns += waited_ns;
    }
    return err ? http_response_fail(r, err, "queue", whorl_strerror(err)) : 0;
}

/* System trust, when the session was given none. */
static int ensure_tls(struct whorl_http_response *r)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    struct whorl_tls_options options = {.alpn = alpn};
    struct whorl_http_session *session = r->session;

    return session->tls ? 0 : whorl_tls_config_create(&options, r->error, &session->tls);
}

static bool can_send_again(const struct http_outgoing *out)
{
    return !out->has_body || !out->request->body.read || out->request->body.rewind;
}

static int rewind_body(const struct http_outgoing *out)
{
    const struct whorl_http_body *body = &out->request->body;
    return out->has_body && body->read ? body->rewind(body->ctx) : 0;
}

/* A kept connection that dies before the first byte of the response was most likely closed by the
 * server before the request came (RFC 9112 §9.3.1). Only what may be done twice is sent again
 * (RFC 9110 §9.2.2), because that cannot be told from outside. */
static bool may_retry(const struct whorl_http_response *r, const struct http_outgoing *out, int err)
{
    bool died = err == WHORL_EHTTP_NO_RESPONSE || err == -EPIPE || err == -ECONNRESET ||
                err == WHORL_ETLS_TRUNCATED || err == WHORL_ETLS_ALERT;
    return r->reused && died && !http1_has_begun(&r->parser) &&
           request_is_idempotent(out->method) && can_send_again(out);
}

/* Says what an exchange failed of, unless that has been said closer to the cause. */
static int explain(struct whorl_http_response *r, int err)
{
    const char *text = whorl_strerror(err);
    if (!r->step)
        return err;
    if (r->parser.error == err)
        text = http1_error_text(&r->parser);
    return http_response_fail(r, err, r->step, text);
}

/* One hop: a connection, the exchange, and once more on a fresh connection if a kept one was dead.
 * The place in the pool is kept for that, so there is no queueing again. */
static WHORL_SUSPENDS int hop(struct whorl_http_response *r, const struct http_outgoing *out)
{
    int err = r->url.is_tls ? ensure_tls(r) : 0;
    if (err == 0)
        err = queue(r);
    if (err)
        return err;
    for (;;) {
        r->reused = r->conn->stream != NULL;
        r->timing.reused = r->reused;
        r->session->reuses += r->reused;
        r->step = NULL;
        err = r->reused ? 0 : http_conn_open(r);
        if (err == 0)
            err = http_exchange(r, out);
        if (err == 0)
            return 0;
        if (!may_retry(r, out, err))
            break;
        err = rewind_body(out);
        if (err) {
            r->step = "send";
            break;
        }
        http_conn_reset(r->conn);
        r->timing.retries++;
    }
    explain(r, err);
    http_pool_release(&r->session->pool, r->conn, false);
    r->conn = NULL;
    return err;
}

/* 1: the response was a redirect and the next hop is set up; 0: it is the answer. */
static int follow(struct whorl_http_response *r, struct http_outgoing *out)
{
    struct redirect redirect = {0};

    if (r->redirects_max < 0)
        return 0;
    int err = redirect_follow(&redirect, &r->url, out->method, http1_status(&r->parser),
                              http1_headers(&r->parser), r->error);
    if (err <= 0)
        return err;
    bool has_body = out->has_body && !redirect.drop_body;
    if (r->timing.redirects >= r->redirects_max) {
        err = http_response_fail(r, WHORL_EHTTP_REDIRECTS, "redirect", "too many redirects");
    } else if (has_body && !can_send_again(out)) {
        err = http_response_fail(r, WHORL_EHTTP_REDIRECT_BODY, "redirect",
                                 whorl_strerror(WHORL_EHTTP_REDIRECT_BODY));
    } else if (has_body && (err = rewind_body(out))) {
        http_response_fail(r, err, "redirect", "request body cannot be sent again");
    }
    if (err < 0) {
        whorl_url_finish(&redirect.url);
        return err;
    }
    http_body_skip(r);
    http_exchange_end(r);
    whorl_url_finish(&r->url);
    r->url = redirect.url;
    r->timing.redirects++;
    out->method = redirect.method;
    out->has_body = has_body;
    out->drop_body_headers |= redirect.drop_body;
    out->drop_credentials |= redirect.cross_origin;
    return 1;
}

/* The final response: refuses a body that is announced too large, prepares decoding. */
static int accept_final(struct whorl_http_response *r, const struct http_outgoing *out)
{
    int64_t length = http1_has_body(&r->parser) ? http1_content_length(&r->parser) : 0;
    if (r->limits.body_bytes_max > 0 && length > r->limits.body_bytes_max)
        return http_response_fail(r, WHORL_EHTTP_BODY_TOO_LARGE, "response",
                                  whorl_strerror(WHORL_EHTTP_BODY_TOO_LARGE));
    if (!out->request->decode || r->ahead == HTTP_AHEAD_END)
        return 0;
    int err = decode_init(&r->decode, http1_headers(&r->parser), r->decoded_bytes_max);
    if (err < 0)
        return http_response_fail(r, err, "response", whorl_strerror(err));
    r->decodes = err > 0;
    return 0;
}

WHORL_SUSPENDS int whorl_http_do(struct whorl_http_session *session,
                                 const struct whorl_http_request *request,
                                 struct whorl_http_response **ret)
{
    struct http_outgoing out = {
        .request = request,
        .method = request->method ? request->method : "GET",
        .has_body = request->body.data || request->body.read,
    };
    int err = whorl_check_cancelled();
    if (err)
        return whorl_error_set(request->error, err, "queue", "%s", whorl_strerror(err));
    if (!whorl_task_self())
        return WHORL_ENOTASK;
    struct whorl_http_response *response = http_response_acquire(session);
    if (!response)
        return -ENOMEM;
    err = prepare(response, request);
    while (err == 0) {
        err = hop(response, &out);
        if (err)
            break;
        err = follow(response, &out);
        if (err <= 0)
            break;
        err = 0;
    }
    if (err == 0)
        err = accept_final(response, &out);
    if (err) {
        http_exchange_end(response);
        http_response_release(response);
        return err;
    }
    *ret = response;
    return 0;
}

WHORL_SUSPENDS int whorl_http_get(struct whorl_http_session *session, const char *url,
                                  struct whorl_http_response **ret)
{
    struct whorl_http_request request = {.url = url};
    return whorl_http_do(session, &request, ret);
}
