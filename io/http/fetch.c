/* SPDX-License-Identifier: MIT */
/* The state of one whorl_http_do(): checks what is asked for, fills in the limits, and knows
 * whether the body can be sent again. */
#include "io/http/fetch.h"

#include <errno.h>
#include <sys/stat.h>

#include <whorl/dial.h>

#include "io/url/cache.h"

int fetch_fail(const struct fetch *f, int err, const char *step, const char *text)
{
    const struct whorl_url *url = &f->response->url;
    char timeout[HTTP_TIMEOUT_TEXT_SIZE];
    if (!text)
        text = http_timeout_text(timeout, err, &f->timeouts, -1, -1);
    return whorl_error_set(f->error, err, step, "%s:%u: %s", url->host, url->port,
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
    else if (body->trailers_count > 0 && !body->trailers)
        text = "body.trailers is NULL";
    else if (body->use_fd ? body->offset < 0 : body->offset != 0)
        text = "body.offset is negative, or set without body.use_fd";
    return text ? whorl_error_set(error, -EINVAL, "request", "%s", text) : 0;
}

/* Finds out how a body from a file is read, and how long it is. */
static int prepare_file(struct fetch *f)
{
    const struct whorl_http_body *body = &f->asked->body;
    struct stat st;

    if (fstat(body->fd, &st) < 0) {
        int err = -errno;
        return whorl_error_set(f->error, err, "request", "body.fd: %s", whorl_strerror(err));
    }
    bool is_regular = S_ISREG(st.st_mode);
    if (is_regular ? body->offset > st.st_size : body->offset != 0)
        return whorl_error_set(f->error, -EINVAL, "request",
                               is_regular ? "body.offset is behind the end of the file"
                                          : "body.offset is set for a file that is not regular");
    if (is_regular && body->len < 0)
        f->out.body_len = st.st_size - body->offset;
    f->out.file_offset = is_regular ? body->offset : -1;
    return 0;
}

static int check_headers(const struct fetch *f)
{
    return f->asked->headers_count > 0 && !f->asked->headers
               ? whorl_error_set(f->error, -EINVAL, "request", "headers is NULL")
               : 0;
}

static int check_dial(const struct fetch *f)
{
    if (!f->asked->dial)
        return 0;
    if (!f->session->dial)
        return whorl_error_set(f->error, -EINVAL, "request", "%s",
                               "dial is set, but the session has a dialer of its own");
    return whorl_dial_options_check(f->asked->dial, f->error);
}

static int prepare_body(struct fetch *f)
{
    const struct whorl_http_body *body = &f->asked->body;
    int err = check_body(body, f->error);

    f->out.has_body = body->data || body->read || body->use_fd;
    f->out.body_len = body->len;
    if (err == 0 && body->use_fd)
        err = prepare_file(f);
    if (err == 0 && body->trailers_count > 0 && (!f->out.has_body || f->out.body_len >= 0))
        err = whorl_error_set(f->error, -EINVAL, "request",
                              "body.trailers are only for a body of unknown length");
    return err;
}

int fetch_prepare(struct fetch *f)
{
    const struct whorl_http_session_options *o = &f->session->options;
    const struct whorl_http_request *asked = f->asked;
    const struct whorl_http_timeouts *t = &asked->timeouts, *d = &o->timeouts;

    f->response->timing = (struct whorl_http_timing){
        .queue_ns = -1, .connect_ns = -1, .tls_ns = -1, .first_byte_ns = -1};
    f->out = (struct http_outgoing){
        .request = asked,
        .url = &f->response->url,
        .method = asked->method ? asked->method : "GET",
        .user_agent = o->user_agent,
        .watch = &f->response->watch,
    };
    f->redirects_max = asked->redirects_max ? asked->redirects_max : o->redirects_max;
    f->limits = (struct http1_limits){
        .head_bytes_max = o->head_bytes_max,
        .headers_max = o->headers_max,
        .informational_max = o->informational_max,
        .body_bytes_max = http_session_limit(asked->body_bytes_max, o->body_bytes_max),
    };
    f->version = asked->version ? asked->version : o->version;
    f->decoded_bytes_max = http_session_limit(asked->decoded_bytes_max, o->decoded_bytes_max);
    f->timeouts = (struct whorl_http_timeouts){
        .queue_ns = http_session_limit(t->queue_ns, d->queue_ns),
        .connect_ns = http_session_limit(t->connect_ns, d->connect_ns),
        .tls_ns = http_session_limit(t->tls_ns, d->tls_ns),
        .first_byte_ns = http_session_limit(t->first_byte_ns, d->first_byte_ns),
        .stall_ns = http_session_limit(t->stall_ns, d->stall_ns),
        .total_ns = http_session_limit(t->total_ns, d->total_ns),
        .speed_min = http_session_limit(t->speed_min, d->speed_min),
        .speed_ns = http_session_limit(t->speed_ns, d->speed_ns),
    };
    f->total_deadline_ns = http_deadline(f->timeouts.total_ns);
    int err = asked->credentials ? http_auth_check(asked->credentials, f->error) : 0;
    if (err == 0 && asked->credentials && asked->credentials->origin)
        err = whorl_error_set(f->error, -EINVAL, "request",
                              "credentials of a request have an origin");
    if (err == 0)
        err = check_headers(f);
    if (err == 0)
        err = check_dial(f);
    if (err == 0)
        err = prepare_body(f);
    return err ? err : url_cache_parse(&f->session->urls, asked->url, f->error, &f->response->url);
}

bool fetch_can_send_again(const struct fetch *f)
{
    const struct http_outgoing *out = &f->out;
    const struct whorl_http_body *body = &out->request->body;
    if (!out->has_body)
        return true;
    return body->use_fd ? out->file_offset >= 0 : !body->read || body->rewind;
}

bool fetch_has_whole_body(const struct fetch *f)
{
    const struct http_exchange *x = f->response->exchange;
    return (x && !x->is_body_used) || fetch_can_send_again(f);
}

int fetch_rewind_body(const struct fetch *f)
{
    const struct whorl_http_body *body = &f->asked->body;
    const struct http_exchange *x = f->response->exchange;
    return f->out.has_body && body->read && x->is_body_used ? body->rewind(body->arg) : 0;
}
