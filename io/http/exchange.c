/* SPDX-License-Identifier: MIT */
/* Runs an exchange of any HTTP version: sends the request, and reads the head of the response. */
#include "io/http/exchange.h"

#include <whorl/fd.h>
#include <whorl/group.h>
#include <whorl/scope.h>

enum {
    FILE_PART_MAX = 1 << 18, /* of a file: one write while there is an observer */
    SLICE = 65536, /* of a body from memory: one write, which must finish within the stall limit */
    CONTINUE_NS = 1000 * 1000 * 1000, /* the longest wait for a 100 (Continue) */
};

void http_exchange_init(struct http_exchange *x, const struct http_exchange_ops *ops,
                        struct http_store *store, const struct http_exchange_setup *setup)
{
    const struct http_outgoing *out = setup->out;

    x->ops = ops;
    x->store = store;
    x->url = out->url;
    x->watch = out->watch;
    x->conn = out->conn;
    x->head = (struct http_head){.length = -1};
    x->ahead = HTTP_AHEAD_INPUT;
    x->buffered = 0;
    x->err = 0;
    x->received = x->sent_head = x->received_head = 0;
    x->why = WHORL_HTTP_NEW_FAILED;
    x->is_unprocessed = false;
    x->has_begun = x->unsent = x->has_broken = x->is_body_used = false;
    x->go_ahead = NULL;
    x->reason = NULL;
    x->error.code = 0;
    http_clock_start(&x->clock, setup->timeouts, setup->total_deadline_ns, setup->now_ns);
}

int64_t http_outgoing_body_len(const struct http_outgoing *out)
{
    if (!out->has_body)
        return REQUEST_NO_BODY;
    return out->body_len < 0 ? REQUEST_CHUNKED : out->body_len;
}

struct request_head http_outgoing_head(const struct http_outgoing *out)
{
    const struct whorl_http_request *request = out->request;

    return (struct request_head){
        .method = out->method,
        .url = out->url,
        .headers = request->headers,
        .headers_count = request->headers_count,
        .user_agent = out->user_agent,
        .cookies = out->cookies,
        .content_type = request->body.content_type,
        .body_len = http_outgoing_body_len(out),
        .decode = request->decode,
        .expects = out->expects,
        .trailers = request->body.trailers,
        .trailers_count = out->has_body ? request->body.trailers_count : 0,
        .other_origin = out->other_origin,
        .trust_redirects = request->trust_redirects,
        .drop_body_headers = out->drop_body_headers,
        .authorization = out->authorization,
        .is_forwarded = out->is_forwarded,
        .proxy_authorization = out->proxy_authorization,
    };
}

int http_exchange_fail(struct http_exchange *x, int err, const char *step, const char *text)
{
    char timeout[HTTP_TIMEOUT_TEXT_SIZE], alert[TLS_ALERT_TEXT_SIZE];
    bool in_body = x->head.status > 0;

    if (!text && err == WHORL_ETLS_ALERT && x->ops->explain)
        text = x->ops->explain(x, alert);
    if (!text)
        text = http_timeout_text(timeout, err, &x->clock.limits, in_body ? x->received : -1,
                                 in_body ? x->head.length : -1);
    return whorl_error_set(&x->error, err, step, "%s:%u: %s", x->url->host, x->url->port,
                           text ? text : whorl_strerror(err));
}

void http_exchange_latch(struct http_exchange *x, int err, const char *text)
{
    x->ahead = HTTP_AHEAD_ERROR;
    x->err = err;
    http_exchange_fail(x, err, "body", text);
}

/* Events for the watch */

static inline void tell(const struct http_exchange *x, struct whorl_http_event event)
{
    http_watch_tell(x->watch, x->conn, event);
}

void http_exchange_note_head(struct http_exchange *x, const char *head, size_t len)
{
    x->sent_head = (int64_t)len;
    if (http_watch_is_on(x->watch))
        http_watch_tell_request(x->watch, x->conn,
                                (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_REQUEST_HEAD},
                                head, len, x->ops->name);
}

void http_exchange_note_informational(struct http_exchange *x, int status)
{
    if (http_watch_is_on(x->watch))
        tell(x,
             (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_INFORMATIONAL, .status = status});
}

static void tell_response(const struct http_exchange *x)
{
    const struct http_head *head = &x->head;
    const struct whorl_http_event event = {.kind = WHORL_HTTP_EVENT_RESPONSE_HEAD,
                                           .status = head->status};

    http_watch_tell_response(x->watch, x->conn, event, head->protocol, head->reason, head->headers);
}

static void tell_sent(const struct http_exchange *x)
{
    tell(x, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_SENT, .bytes = x->clock.body_sent});
}

/* A part of the body has been sent. What the first write contained has no event of its own. */
static void tell_sending(const struct http_exchange *x)
{
    if (http_watch_is_on(x->watch))
        tell(x, (struct whorl_http_event){.kind = WHORL_HTTP_EVENT_SENDING,
                                          .bytes = x->clock.body_sent,
                                          .length = x->body_len});
}

static WHORL_SUSPENDS int read_head(struct http_exchange *x)
{
    int err = x->ops->read_head(x);

    if (err == 0 && http_watch_is_on(x->watch))
        tell_response(x);
    return err;
}

/* Sending the body */

/* Sends bytes in as many writes as the limits of time need. */
static WHORL_SUSPENDS int send_bytes(struct http_exchange *x, const char *data, size_t len)
{
    int err = 0;
    while (err == 0 && len > 0) {
        int64_t max = http_clock_write_max(&x->clock);
        size_t n = (int64_t)len < max ? len : (size_t)max;
        err = x->ops->send_body(x, data, n);
        data += n;
        len -= n;
        if (err == 0)
            tell_sending(x);
    }
    return err;
}

static WHORL_SUSPENDS int send_memory(struct http_exchange *x, const struct whorl_http_body *body,
                                      size_t sent)
{
    size_t len = (size_t)body->len;
    int err = 0;
    while (err == 0 && sent < len) {
        size_t n = len - sent < SLICE ? len - sent : SLICE;
        err = send_bytes(x, (const char *)body->data + sent, n);
        sent += n;
    }
    return err;
}

/* Calls the callback, which may take long, so only the total limit applies. */
static WHORL_SUSPENDS ssize_t ask_body(struct http_exchange *x, const struct whorl_http_body *body,
                                       char *buf, size_t len)
{
    struct http_stage stage;
    x->clock.now_ns = 0; /* time passes */
    http_stage_enter(&stage, WHORL_FOREVER, 0, x->clock.total_deadline_ns);
    ssize_t n = http_stage_leave(&stage, body->read(body->arg, buf, len));
    return n > (ssize_t)len ? WHORL_EHTTP_REQUEST_BODY : n;
}

static WHORL_SUSPENDS int send_sized(struct http_exchange *x, const struct whorl_http_body *body,
                                     char *buf, size_t cap, bool *ret_callers)
{
    int64_t left = body->len;
    while (left > 0) {
        ssize_t n = ask_body(x, body, buf, left < (int64_t)cap ? (size_t)left : cap);
        if (n <= 0) {
            *ret_callers = true;
            return n < 0 ? (int)n : WHORL_EHTTP_REQUEST_BODY;
        }
        int err = send_bytes(x, buf, (size_t)n);
        if (err)
            return err;
        left -= n;
    }
    return 0;
}

static WHORL_SUSPENDS int end_unsized(struct http_exchange *x, const struct http_outgoing *out)
{
    return out->request->body.trailers_count > 0 ? x->ops->send_trailers(x, out)
                                                 : x->ops->send_body(x, NULL, 0);
}

static WHORL_SUSPENDS int send_unsized(struct http_exchange *x, const struct http_outgoing *out,
                                       const struct whorl_http_body *body, char *buf, size_t cap,
                                       bool *ret_callers)
{
    for (;;) {
        ssize_t n = ask_body(x, body, buf, cap);
        if (n < 0) {
            *ret_callers = true;
            return (int)n;
        }
        int err = n > 0 ? send_bytes(x, buf, (size_t)n) : end_unsized(x, out);
        *ret_callers = err == WHORL_EHTTP_REQUEST_HEADER;
        if (err || n == 0)
            return err;
    }
}

/* The file of a body as a callback. */
struct file_source {
    int fd;
    int64_t at; /* -1: at its position */
};

static WHORL_SUSPENDS ssize_t read_file(void *arg, void *buf, size_t len)
{
    struct file_source *file = arg;
    ssize_t n =
        file->at < 0 ? whorl_read(file->fd, buf, len) : whorl_pread(file->fd, buf, len, file->at);
    if (n > 0 && file->at >= 0)
        file->at += n;
    return n;
}

/* How much of a file to give to one write, so that the observer is called about ten times per
 * second. Without an observer there is no limit. */
struct file_part {
    int64_t len, started_ns;
};

static void begin_part(struct file_part *part, const struct http_exchange *x)
{
    if (part->len == 0)
        part->len = http_watch_is_on(x->watch) ? SLICE : INT64_MAX;
    part->started_ns = part->len == INT64_MAX ? 0 : whorl_now();
}

static void end_part(struct file_part *part)
{
    if (part->len == INT64_MAX)
        return;
    int64_t took_ns = whorl_now() - part->started_ns;
    if (took_ns < 50 * WHORL_MILLISECOND && part->len < FILE_PART_MAX)
        part->len *= 2;
    else if (took_ns > 200 * WHORL_MILLISECOND && part->len > SLICE)
        part->len /= 2;
}

/* Sends what remains of a regular file inside the kernel. 0 when everything is sent; -EOPNOTSUPP
 * when the rest, from `*sent` on, must be copied; another code. */
static WHORL_SUSPENDS int send_inside(struct http_exchange *x, const struct http_outgoing *out,
                                      int64_t *sent)
{
    struct file_part part = {0};

    if (!x->ops->send_file || out->file_offset < 0)
        return -EOPNOTSUPP;
    while (*sent < out->body_len) {
        int64_t left = out->body_len - *sent, max = http_clock_write_max(&x->clock);
        begin_part(&part, x);
        max = max < part.len ? max : part.len;
        int64_t n = x->ops->send_file(x, out->request->body.fd, out->file_offset + *sent,
                                      left < max ? left : max);
        if (n == -EINVAL) /* a file system without splice */
            return -EOPNOTSUPP;
        if (n <= 0)
            return n < 0 ? (int)n : WHORL_EHTTP_REQUEST_BODY;
        *sent += n;
        end_part(&part);
        tell_sending(x);
    }
    return 0;
}

/* Sends the rest of the body. Sets `*ret_callers` when the callback failed, not the connection. */
static WHORL_SUSPENDS int send_rest(struct http_exchange *x, const struct http_outgoing *out,
                                    size_t sent, bool *ret_callers)
{
    const struct whorl_http_body *body = &out->request->body;
    struct file_source file = {.fd = body->fd, .at = out->file_offset};
    struct whorl_http_body from_file = {.read = read_file, .arg = &file, .len = out->body_len};

    if (body->data)
        return send_memory(x, body, sent);
    if (body->use_fd) {
        int64_t sent_inside = 0;
        int err = send_inside(x, out, &sent_inside);
        if (err != -EOPNOTSUPP)
            return err;
        from_file.len -= sent_inside;
        file.at += sent_inside;
        body = &from_file;
    }
    struct http_buf *buf = http_buf_acquire(x->store);
    if (!buf)
        return -ENOMEM;
    int err = body->len < 0 ? send_unsized(x, out, body, buf->data, sizeof buf->data, ret_callers)
                            : send_sized(x, body, buf->data, sizeof buf->data, ret_callers);
    http_buf_release(x->store, buf);
    return err;
}

/* Results */

/* Whether a write failed because the peer has closed the connection. A response may have arrived
 * before that. */
static bool peer_left(int err)
{
    return err == -EPIPE || err == -ECONNRESET;
}

/* Notes how sending the request has ended. The kernel reports a reset once. If the write gets that
 * report, reads return the received bytes and then an ordinary end. */
static void note_sent(struct http_exchange *x, int err)
{
    x->unsent = err != 0;
    x->has_broken = peer_left(err);
    if (err == 0 && http_watch_is_on(x->watch))
        tell_sent(x);
}

/* Fills the error unless that has been done. */
static int fail_sending(struct http_exchange *x, int err)
{
    return err && x->error.code == err ? err : http_exchange_fail(x, err, "send", NULL);
}

/* Combines the results of sending the request (`sent`) and of reading the response head (`head`)
 * into the exchange's result. */
static int judge(struct http_exchange *x, int sent, int head)
{
    if (peer_left(sent) && (head == WHORL_EHTTP_NO_RESPONSE || peer_left(head)))
        return fail_sending(x, sent);
    return head ? http_exchange_fail(x, head, "response", x->reason) : 0;
}

/* Expect: 100-continue */

void http_exchange_continue(struct http_exchange *x)
{
    if (x->go_ahead)
        whorl_event_set(x->go_ahead);
}

/* Waits for a 100, or until servers that send none have had their time. The total limit is kept by
 * the task that reads the head. 0; -ECANCELED: a final head or the end of the connection came
 * first, or the task is cancelled. */
static WHORL_SUSPENDS int wait_go_ahead(struct http_exchange *x)
{
    struct whorl_event event = {0};
    struct whorl_scope scope;

    x->go_ahead = &event;
    whorl_scope_enter(&scope, whorl_after(CONTINUE_NS));
    int err = whorl_scope_leave(&scope, whorl_event_wait(&event));
    x->go_ahead = NULL;
    return err == -ETIMEDOUT ? 0 : err;
}

/* Sending the body and reading the head at the same time */

/* Reads the head early, in a task of its own, while the request is still being sent. */
struct early_head {
    struct http_exchange *x;
    struct whorl_scope *sending; /* of the task that sends; NULL once the sending has ended */
    int err;                     /* result of reading the head; valid with `done` */
    bool done;
};

static int read_head_early(void *arg)
{
    struct early_head *early = arg;
    early->err = read_head(early->x);
    early->done = true;
    /* RFC 9112 §9.5: an error status while the body is being sent means that it is not wanted. So
     * does any final status instead of a 100 (RFC 9110 §10.1.1). */
    if (early->sending && (early->err || early->x->head.status >= 300 || early->x->go_ahead))
        whorl_scope_cancel(early->sending);
    return 0;
}

static WHORL_SUSPENDS int send_and_read_head(struct http_exchange *x,
                                             const struct http_outgoing *out, size_t sent)
{
    struct early_head early = {.x = x};
    struct whorl_scope sending;
    WHORL_AUTO(group) group = {0};
    bool callers = false;

    x->clock.now_ns = 0; /* time passes */
    int err = whorl_spawn(&group, read_head_early, &early);
    if (err)
        return fail_sending(x, err);
    whorl_scope_enter(&sending, WHORL_FOREVER);
    early.sending = &sending;
    err = out->expects ? wait_go_ahead(x) : 0;
    if (err == 0) {
        x->is_body_used = true;
        err = send_rest(x, out, sent, &callers);
    }
    early.sending = NULL;
    whorl_scope_leave(&sending, 0);

    note_sent(x, err);
    if (err && !early.done && (callers || !peer_left(err)))
        return fail_sending(x, err); /* the end of the group cancels the reading task */
    http_clock_mark_sent(&x->clock);
    int waited = whorl_group_wait(&group);
    if (!early.done)
        return fail_sending(x, waited ? waited : -ECANCELED);
    return judge(x, err, early.err);
}

/* Sends the head and the first `len` bytes of the body, then the rest, and reads the head of the
 * response. */
static WHORL_SUSPENDS int run_with(struct http_exchange *x, const struct http_outgoing *out,
                                   const void *first, size_t len)
{
    int err = x->ops->send_head(x, out, first, len);
    if (err && !peer_left(err))
        return fail_sending(x, err);
    if (err == 0 && out->has_body && (out->body_len < 0 || (int64_t)len < out->body_len))
        return send_and_read_head(x, out, len);
    note_sent(x, err);
    http_clock_mark_sent(&x->clock);
    return judge(x, err, read_head(x));
}

/* Reads a small file first, so that it is sent together with the head. */
static WHORL_SUSPENDS int run_with_small_file(struct http_exchange *x,
                                              const struct http_outgoing *out)
{
    struct file_source file = {.fd = out->request->body.fd, .at = out->file_offset};
    struct whorl_http_body body = {.read = read_file, .arg = &file};
    struct http_buf *buf = http_buf_acquire(x->store);
    size_t len = (size_t)out->body_len, got = 0;
    ssize_t n = 1;

    if (!buf)
        return fail_sending(x, -ENOMEM);
    while (got < len && n > 0) {
        n = ask_body(x, &body, buf->data + got, len - got);
        got += n > 0 ? (size_t)n : 0;
    }
    int err = got == len ? run_with(x, out, buf->data, len)
                         : fail_sending(x, n < 0 ? (int)n : WHORL_EHTTP_REQUEST_BODY);
    http_buf_release(x->store, buf);
    return err;
}

WHORL_SUSPENDS int http_exchange_run(struct http_exchange *x, const struct http_outgoing *out)
{
    const struct whorl_http_body *body = &out->request->body;
    int64_t max = http_clock_write_max(&x->clock);

    x->body_len = out->has_body ? out->body_len : 0;
    if (out->expects)
        return run_with(x, out, NULL, 0);
    x->is_body_used = out->has_body;

    max = max < SLICE ? max : SLICE;
    if (out->has_body && body->data)
        return run_with(x, out, body->data, (size_t)(body->len < max ? body->len : max));
    if (out->has_body && body->use_fd && out->file_offset >= 0 && out->body_len > 0 &&
        out->body_len <= HTTP_BUF_SIZE && out->body_len <= max)
        return run_with_small_file(x, out);
    return run_with(x, out, NULL, 0);
}
