/* SPDX-License-Identifier: MIT */
/* One hop of a request: gets a connection, runs an exchange on it, and sends the request again
 * where that is safe. */
#include "io/http/hop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/http.h>

#include "io/http/conn.h"
#include "io/http/cookie_jar.h"
#include "io/http/exchange_http1.h"
#include "io/http/exchange_http2.h"
#include "io/http/fetch.h"
#include "io/http/fetch_conn.h"
#include "io/http/proxy_dial.h"

enum {
    REFUSALS_MAX = 3, /* times that a request is sent again because the server did not process it */
    EXPECT_MIN = 1024 * 1024,     /* a body that is larger is sent after a 100 (Continue) */
    CALM_NS = 1000 * 1000 * 1000, /* first wait when a server asks for fewer requests */
};

/* Makes an exchange of the version that the connection speaks. */
static int create_exchange(struct fetch *f)
{
    struct whorl_http_response *r = f->response;
    struct http_exchange_setup setup = {
        .stream = r->conn->stream,
        .conn = r->conn->http2,
        .out = &f->out,
        .limits = &f->limits,
        .timeouts = &f->timeouts,
        .total_deadline_ns = f->total_deadline_ns,
        .now_ns = f->now_ns,
    };
    f->now_ns = 0;
    r->version = r->conn->http2 ? WHORL_HTTP_2 : WHORL_HTTP_1;
    return r->conn->http2 ? http2_exchange_create(&f->session->store, &setup, &r->exchange)
                          : http1_exchange_create(&f->session->store, &setup, &r->exchange);
}

/* The session's jar, unless the request does without it. */
static struct whorl_http_cookies *jar_of(const struct fetch *f)
{
    return f->asked->no_cookies ? NULL : f->session->options.cookies;
}

/* Gets the jar's cookies for the URL of this hop. */
static int choose_cookies(struct fetch *f)
{
    struct whorl_http_cookies *jar = jar_of(f);

    free(f->cookies);
    f->cookies = NULL;
    int err = jar ? whorl_http_cookies_get(jar, &f->response->url, &f->cookies) : 0;
    f->out.cookies = f->cookies;
    return err;
}

/* Stores the cookies of the response, whatever its status. One that is refused is ignored, as RFC
 * 6265bis §5.7 says. */
static int take_cookies(struct fetch *f)
{
    struct whorl_http_cookies *jar = jar_of(f);
    struct http_exchange *x = f->response->exchange;
    size_t index = 0;
    const char *text;

    while (jar && (text = header_list_next(x->head.headers, "Set-Cookie", &index))) {
        int err = whorl_http_cookies_set(jar, &f->response->url, text, NULL);
        if (err == -ENOMEM)
            return http_exchange_fail(x, err, "response", NULL);
    }
    return 0;
}

static int choose_authorization(struct fetch *f)
{
    int err = http_auth_write(&f->session->auth, &f->auth, &f->out, f->error);

    return err == -ENOMEM ? fetch_fail(f, err, "send", NULL) : err;
}

static WHORL_SUSPENDS int run_exchange(struct fetch *f)
{
    struct whorl_http_response *r = f->response;

    f->out.conn = r->conn_info;
    int err = choose_cookies(f);
    if (err == 0)
        err = create_exchange(f);
    if (err)
        return err;
    f->session->requests++;
    err = http_exchange_run(r->exchange, &f->out);
    r->timing.first_byte_ns = http_exchange_first_byte_ns(r->exchange);
    return err ? err : take_cookies(f);
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
static bool may_retry(const struct fetch *f, int err)
{
    const struct whorl_http_response *r = f->response;
    const struct http_exchange *x = r->exchange;

    if (!x || x->has_begun || !fetch_has_whole_body(f))
        return false;
    if (!x->is_unprocessed && !request_is_idempotent(f->out.method))
        return false;
    if (!r->conn->http2)
        return r->timing.reused && has_died(err);
    if (f->refusals >= REFUSALS_MAX)
        return false;
    /* On a new connection, an alert is about the client: it has no certificate, for example. */
    if (err == WHORL_ETLS_ALERT && !r->timing.reused)
        return false;
    return x->is_unprocessed || err == WHORL_EHTTP_CALM ||
           (r->timing.reused && has_died(err) && !http_conn_is_usable(r->conn));
}

/* Waits after the server has asked for fewer requests (ENHANCE_YOUR_CALM), longer each time. */
static WHORL_SUSPENDS int calm_down(struct fetch *f)
{
    struct http_stage stage;

    http_stage_enter(&stage, WHORL_FOREVER, 0, f->total_deadline_ns);
    int err = (int)http_stage_leave(&stage, whorl_sleep((int64_t)CALM_NS << f->refusals));
    return err ? fetch_fail(f, err, "send", NULL) : 0;
}

/* Gets another connection after a failure with `err` on an HTTP/2 connection, which other requests
 * may continue to use. */
static WHORL_SUSPENDS int change_conn(struct fetch *f, int err)
{
    struct whorl_http_response *r = f->response;

    http_response_release(r, http_conn_is_usable(r->conn), WHORL_HTTP_NEW_FAILED);
    int waited = err == WHORL_EHTTP_CALM ? calm_down(f) : 0;
    if (waited)
        return waited;
    f->refusals++;
    if (err == WHORL_EHTTP_VERSION) /* HTTP_1_1_REQUIRED */
        f->version = WHORL_HTTP_1;
    return fetch_conn_acquire(f);
}

/* Prepares to send a request again that has failed with `err`. If a kept HTTP/1.1 connection was
 * dead, a new one takes over its place in the pool, so there is no second wait in the queue. */
static WHORL_SUSPENDS int prepare_retry(struct fetch *f, int err)
{
    struct whorl_http_response *r = f->response;
    int rewound = fetch_rewind_body(f);

    if (rewound)
        return fetch_fail(f, rewound, "send", NULL);
    http_response_drop_exchange(r);
    r->timing.retries++;
    fetch_tell(f, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_RETRY, .err = err});
    if (r->conn->http2)
        return change_conn(f, err);
    http_conn_reset(r->conn, WHORL_HTTP_NEW_ENDED);
    return 0;
}

/* An HTTP proxy gets the request itself, with its credentials. In a tunnel, and without a proxy, a
 * request has nothing that is for a proxy. */
static int prepare_for_proxy(struct fetch *f)
{
    struct http_outgoing *out = &f->out;
    int err = 0;

    out->is_forwarded = f->proxy && http_proxy_forwards(f->proxy, out->url->is_tls, f->version);
    if (out->is_forwarded)
        err = http_proxy_auth_write(&f->proxy_auth, out->method, out->url->text,
                                    !fetch_can_send_again(f));
    out->proxy_authorization = out->is_forwarded ? f->proxy_auth.value : NULL;
    return err ? fetch_fail(f, err, "send", NULL) : 0;
}

/* Decides whether the server is asked to say 100 before the body is sent. */
static void choose_expect(struct fetch *f)
{
    struct http_outgoing *out = &f->out;
    bool is_large = out->body_len < 0 || out->body_len > EXPECT_MIN;

    out->expects =
        out->has_body && out->body_len != 0 && !f->has_no_expect &&
        (f->asked->expect == WHORL_HTTP_EXPECT_ALWAYS ||
         (f->asked->expect == WHORL_HTTP_EXPECT_LARGE && is_large && !f->response->conn->http2));
}

/* Whether the response is a 417, which the same request without an expectation avoids. */
static bool refuses_expect(const struct fetch *f)
{
    const struct http_exchange *x = f->response->exchange;

    return x->head.status == 417 && f->out.expects && fetch_has_whole_body(f);
}

/* Judges the response of a proxy that gets the request itself. 1 when it is a 407 that the same
 * request answers with credentials; 0 when it is the server's; WHORL_EHTTP_PROXY_AUTH; -ENOMEM. */
static int judge_proxy(struct fetch *f)
{
    const struct http_head *head = &f->response->exchange->head;
    const char *why = "the request body cannot be sent again with credentials";

    if (head->status != 407 || !f->out.is_forwarded)
        return 0;
    int n = fetch_has_whole_body(f)
                ? http_proxy_auth_challenged(&f->proxy_auth, head->headers, &why)
                : 0;
    if (n < 0)
        return fetch_fail(f, n, "response", NULL);
    return n > 0 ? n
                 : whorl_error_set(f->error, WHORL_EHTTP_PROXY_AUTH, "proxy",
                                   "%s for %s:%u: it answered with 407 %.64s (%s)", f->proxy->text,
                                   f->out.url->host, f->out.url->port, head->reason, why);
}

/* Prepares to send a request again after a response that asks for another head. */
static WHORL_SUSPENDS int prepare_answer(struct fetch *f)
{
    struct whorl_http_response *r = f->response;
    int err = fetch_rewind_body(f);

    if (err)
        return fetch_fail(f, err, "send", NULL);
    http_exchange_skip(r->exchange); /* at the end of the body the connection can be kept */
    bool reusable = http_exchange_end(r->exchange);
    enum whorl_http_reuse why = r->exchange->why;
    http_response_drop_exchange(r);
    fetch_tell(f, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_AUTH, .status = 407});
    if (reusable)
        return 0;
    if (r->conn->http2)
        return change_conn(f, 0);
    http_conn_reset(r->conn, why);
    return 0;
}

/* Opens the connection if it is new, and runs the exchange, again where that is safe. */
static WHORL_SUSPENDS int exchange_with_retry(struct fetch *f)
{
    struct whorl_http_response *r = f->response;

    for (;;) {
        int err = fetch_conn_open(f);
        if (err)
            return err;
        err = prepare_for_proxy(f);
        if (err)
            return err;
        choose_expect(f);
        err = choose_authorization(f);
        if (err)
            return err;
        err = run_exchange(f);
        if (err == 0) {
            bool is_expect_refused = refuses_expect(f);
            f->has_no_expect |= is_expect_refused;
            int asks = is_expect_refused ? 1 : judge_proxy(f);
            if (asks <= 0)
                return asks;
            err = prepare_answer(f);
            if (err)
                return err;
            continue;
        }
        if (!may_retry(f, err)) {
            if (!r->exchange)
                return fetch_fail(f, err, "send", NULL);
            *f->error = r->exchange->error;
            return err;
        }
        err = prepare_retry(f, err);
        if (err)
            return err;
    }
}

WHORL_SUSPENDS int hop_run(struct fetch *f)
{
    struct whorl_http_response *r = f->response;

    r->end_ns = 0;
    int err = fetch_conn_acquire(f);
    if (err)
        return err;
    err = exchange_with_retry(f);
    if (err == 0) {
        http_response_settle(r);
        return 0;
    }
    /* The exchange stays, for the info at the end. */
    bool usable = r->exchange && http_exchange_end(r->exchange);
    http_response_release(r, usable && r->conn && r->conn->http2, WHORL_HTTP_NEW_FAILED);
    return err;
}
