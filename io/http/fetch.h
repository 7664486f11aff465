/* SPDX-License-Identifier: MIT */
/* The state of one whorl_http_do(), which its steps share (do.c, hop.c, fetch_conn.c). */
#ifndef IO_HTTP_FETCH_H
#define IO_HTTP_FETCH_H

#include <whorl/http.h>

#include "io/http/auth.h"
#include "io/http/exchange.h"
#include "io/http/http1.h"
#include "io/http/proxy.h"
#include "io/http/proxy_auth.h"
#include "io/http/response.h"
#include "io/http/session.h"
#include "io/http/watch.h"

struct fetch {
    struct whorl_http_session *session;
    const struct whorl_http_request *asked;
    struct whorl_http_response *response;
    struct http_outgoing out; /* changes from hop to hop */
    struct http_auth_run auth;
    struct http1_limits limits;
    struct whorl_http_timeouts timeouts; /* defaults filled in */
    int64_t now_ns;                      /* while no other task has run since the start; then 0 */
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

/* Sets what fetch_prepare() and the first hop do not set. Nothing else is cleared, because every
 * request would pay for it. */
static inline void fetch_init(struct fetch *f, struct whorl_http_session *session,
                              const struct whorl_http_request *asked, struct whorl_error *error)
{
    f->session = session;
    f->asked = asked;
    f->response = NULL;
    f->auth = (struct http_auth_run){0};
    f->proxy = NULL;
    f->proxy_auth.value = NULL;
    f->cookies = NULL;
    f->refusals = 0;
    f->has_no_expect = false;
    f->error = error;
}

/* Checks what is asked for, fills in the limits, and parses the URL. `response` is set.
 *
 * 0; -EINVAL and the errors of URLs, with `error` filled; -ENOMEM; the errno of fstat() on
 * `body.fd`. */
int fetch_prepare(struct fetch *f);

/* Tells the observer about the request. */
static inline void fetch_tell(const struct fetch *f, struct whorl_http_event event)
{
    http_watch_tell(&f->response->watch, f->response->conn_info, event);
}

/* Fills the caller's error with "HOST:PORT: text". If `text` is NULL, it is the text of `err`.
 * Returns `err`. */
int fetch_fail(const struct fetch *f, int err, const char *step, const char *text);

/* Whether the body can be sent a second time. */
bool fetch_can_send_again(const struct fetch *f);

/* Whether the body can be sent after this exchange: again, or because the exchange did not begin
 * with it. */
bool fetch_has_whole_body(const struct fetch *f);

/* Goes back to the beginning of the body. 0 or the caller's error. */
int fetch_rewind_body(const struct fetch *f);

#endif
