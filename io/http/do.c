/* SPDX-License-Identifier: MIT */
/* What whorl_http_do() does for a request. For each hop:
 *
 *     queue   pool.c      gets a connection, or permission to open one
 *     open    conn.c      dials and does the TLS handshake, as the session's dial request says
 *     run     exchange.c  sends the request and reads the head of the response
 *
 * Then it answers a challenge (auth.c), follows a redirect to the next hop, or returns the
 * response, whose user reads the body.
 * Includes and calls go in the direction of the arrows only:
 *
 *     do ---> hop ---> fetch_conn ---> fetch ---> session      save
 *              |           |             |           |          |
 *              |           |             +-------+---+----------+
 *              |           |                     v
 *              |           |                  response --> exchange --> clock --> stage
 *              |           |                     |             ^  |
 *              |           |                     v             |  +----> store
 *              |           +-------------------> pool --> conn |
 *              +----> exchange_http1 --------------------------+
 *              |           +-----> http1, request              |
 *              +----> exchange_http2 --------------------------+
 *                          +-----> http2_conn, request
 */
#include <errno.h>
#include <stdlib.h>

#include <whorl/http.h>
#include <whorl/task.h>

#include "io/http/auth.h"
#include "io/http/fetch.h"
#include "io/http/hop.h"
#include "io/http/redirect.h"
#include "io/http/response.h"
#include "io/http/session.h"

enum {
    CHALLENGE_MAX = 64 * 1024, /* of the body of a 401 that is read to keep the connection */
};

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
static WHORL_SUSPENDS int answer(struct fetch *f)
{
    struct whorl_http_response *r = f->response;

    if (r->exchange->head.status != 401)
        return 0;
    int n = http_auth_challenged(&f->session->auth, &f->auth, &f->out, r->exchange->head.headers);
    if (n <= 0)
        return n < 0 ? fetch_fail(f, n, "response", NULL) : 0;
    if (!fetch_has_whole_body(f))
        return fetch_fail(
            f, WHORL_EHTTP_AUTH_BODY, "send",
            "the server asks for credentials (401), and the request body cannot be sent "
            "again");
    n = fetch_rewind_body(f);
    if (n)
        return fetch_fail(f, n, "send", "request body cannot be sent again");
    n = whorl_http_response_drain(r, CHALLENGE_MAX);
    if (n == -ECANCELED)
        return fetch_fail(f, n, "response", NULL);
    leave_response(r);
    fetch_tell(f, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_AUTH, .status = 401});
    return 1;
}

/* Follows a redirect. Returns 1 when the next hop is prepared; 0 when the response is final; or an
 * error. */
static int follow(struct fetch *f)
{
    struct whorl_http_response *r = f->response;
    struct http_outgoing *out = &f->out;
    struct redirect redirect;
    int status = r->exchange->head.status;

    if (f->redirects_max < 0 || status < 300 || status > 399)
        return 0;
    int err = redirect_follow(&redirect, &r->url, out->method, status, r->exchange->head.headers,
                              f->error);
    if (err <= 0)
        return err;
    bool has_body = out->has_body && !redirect.drop_body;
    if (r->timing.redirects >= f->redirects_max) {
        err = fetch_fail(f, WHORL_EHTTP_REDIRECTS, "redirect", "too many redirects");
    } else if (redirect.is_downgrade && !f->session->options.allow_downgrade) {
        err = fetch_fail(f, WHORL_EHTTP_REDIRECT_DOWNGRADE, "redirect", NULL);
    } else if (has_body && !fetch_has_whole_body(f)) {
        err = fetch_fail(f, WHORL_EHTTP_REDIRECT_BODY, "redirect", NULL);
    } else if (has_body && (err = fetch_rewind_body(f))) {
        fetch_fail(f, err, "redirect", "request body cannot be sent again");
    }
    if (err < 0) {
        whorl_url_finish(&redirect.url);
        return err;
    }
    leave_response(r);
    http_auth_run_next(&f->auth);
    whorl_url_finish(&r->url);
    r->url = redirect.url;
    r->timing.redirects++;
    r->timing.downgraded |= redirect.is_downgrade;
    out->method = redirect.method;
    out->has_body = has_body;
    out->drop_body_headers |= redirect.drop_body;
    out->other_origin |= redirect.cross_origin;
    fetch_tell(f, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_REDIRECT,
                                            .method = out->method,
                                            .url = r->url.text});
    return 1;
}

/* The final response: refuses a body that is announced too large, prepares decoding. */
static int accept_final(struct fetch *f)
{
    struct whorl_http_response *r = f->response;
    const struct http_head *head = &r->exchange->head;
    int64_t length = head->has_body ? head->length : 0;

    if (f->limits.body_bytes_max > 0 && length > f->limits.body_bytes_max)
        return fetch_fail(f, WHORL_EHTTP_BODY_TOO_LARGE, "response", NULL);
    if (!f->asked->decode || r->exchange->ahead == HTTP_AHEAD_END)
        return 0;
    int err = decode_init(&r->decode, head->headers, f->decoded_bytes_max);
    if (err < 0)
        return fetch_fail(f, err, "response", NULL);
    r->decodes = err > 0;
    return 0;
}

/* Begins to watch and to limit the request. */
static void watch(struct fetch *f)
{
    const struct whorl_http_observer *asked = &f->asked->observer;

    f->response->limiters[0] = f->asked->limiters[0];
    f->response->limiters[1] = f->asked->limiters[1];
    f->response->watch = (struct http_watch){
        .observer = asked->event ? *asked : f->session->options.observer,
        .request = ++f->session->watched,
        .start_ns = f->now_ns = whorl_now(),
    };
}

static void tell_start(const struct fetch *f)
{
    if (http_watch_is_on(&f->response->watch))
        fetch_tell(f, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_START,
                                                .method = f->out.method,
                                                .url = f->response->url.text});
}

WHORL_SUSPENDS int whorl_http_do(struct whorl_http_session *session,
                                 const struct whorl_http_request *request,
                                 struct whorl_error *error, struct whorl_http_response **ret)
{
    struct whorl_error unseen;
    struct fetch f;

    unseen.code = 0;
    fetch_init(&f, session, request, error ? error : &unseen);
    int err = whorl_check_cancelled();
    if (err)
        return whorl_error_set(error, err, "queue", "%s", whorl_strerror(err));
    if (whorl_task_self())
        http_session_check(session);
    err = whorl_task_self() ? http_response_create(&session->store, &session->pool, &f.response)
                            : WHORL_ENOTASK;
    if (err)
        return whorl_error_set(error, err, "queue", "%s", whorl_strerror(err));
    watch(&f);
    err = fetch_prepare(&f);
    tell_start(&f);
    while (err == 0) {
        err = hop_run(&f);
        if (err)
            break;
        err = answer(&f);
        if (err == 0)
            err = follow(&f);
        if (err <= 0)
            break;
        err = 0;
    }
    if (f.auth.value)
        http_auth_run_finish(&f.auth);
    if (f.proxy_auth.value)
        http_proxy_auth_finish(&f.proxy_auth);
    free(f.cookies);
    if (err == 0)
        err = accept_final(&f);
    if (err) {
        http_response_end(f.response);
        http_response_tell_end(f.response, err, f.error);
        http_response_destroy(f.response);
        return err;
    }
    *ret = f.response;
    return 0;
}

WHORL_SUSPENDS int whorl_http_get(struct whorl_http_session *session, const char *url,
                                  struct whorl_http_response **ret)
{
    struct whorl_http_request request = {.url = url};
    return whorl_http_do(session, &request, NULL, ret);
}
