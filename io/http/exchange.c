/* SPDX-License-Identifier: MIT */
/* One exchange on an open connection: the request out, the response head in, then the body. */
#include "io/http/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/group.h>
#include <whorl/stream.h>

#include "io/http/request.h"
#include "io/http/session.h"

enum {
    SLICE = 65536,    /* of a body from memory; progress against the stall limit is looked at after
                         each */
    CHUNK_FRAME = 20, /* room for the size line of a chunk */
};

/* Receiving */

/* Reads from the connection under the limit that holds now: for the first byte, or between two. */
static WHORL_SUSPENDS ssize_t receive(struct whorl_http_response *r, void *buf, size_t len)
{
    struct http_stage stage;

    if (r->awaits_head && r->sent_ns < 0) {
        /* The request is still being sent by another task; it moves the limit once it is out. */
        stage.code = WHORL_EHTTP_TOTAL_TIMEOUT;
        stage.entered = true;
        whorl_scope_enter(&stage.scope, r->total_deadline_ns);
        r->head_stage = &stage;
    } else if (r->awaits_head) {
        int64_t limit_ns = r->timeouts.first_byte_ns;
        http_stage_enter(&stage, limit_ns == WHORL_FOREVER ? limit_ns : r->sent_ns + limit_ns,
                         WHORL_EHTTP_FIRST_BYTE_TIMEOUT, r->total_deadline_ns);
    } else {
        http_stage_enter(&stage, http_deadline(r->timeouts.stall_ns), WHORL_EHTTP_STALL_TIMEOUT,
                         r->total_deadline_ns);
    }
    ssize_t n = whorl_stream_read(r->conn->stream, buf, len);
    r->head_stage = NULL;
    n = http_stage_leave(&stage, n);
    if (n > 0 && r->awaits_head) {
        r->awaits_head = false;
        if (r->timing.first_byte_ns < 0)
            r->timing.first_byte_ns = r->sent_ns < 0 ? 0 : whorl_now() - r->sent_ns;
    }
    return n;
}

static WHORL_SUSPENDS ssize_t receive_into_buffer(struct whorl_http_response *r)
{
    if (!r->in && !(r->in = http_buf_acquire(r->session)))
        return -ENOMEM;
    ssize_t n = receive(r, r->in->data, HTTP_BUF_SIZE);
    r->in_start = 0;
    r->in_end = n > 0 ? (size_t)n : 0;
    return n;
}

static int parse(struct whorl_http_response *r)
{
    size_t used = 0;
    int event =
        http1_feed(&r->parser, r->in->data + r->in_start, r->in_end - r->in_start, &used, &r->span);
    r->in_start += used;
    return event;
}

/* Reads up to the end of the final head. */
static WHORL_SUSPENDS int read_head(struct whorl_http_response *r)
{
    for (;;) {
        int event = parse(r);
        if (event < 0)
            return event;
        if (event == HTTP1_HEAD)
            return 0;
        if (event == HTTP1_INFORMATIONAL) {
            r->awaits_head = r->in_start == r->in_end;
            if (r->sent_ns >= 0)
                r->sent_ns = whorl_now();
            continue;
        }
        ssize_t n = receive_into_buffer(r);
        /* Without a byte of response, a rude close of TLS is a close. */
        if (n == WHORL_ETLS_TRUNCATED && !http1_has_begun(&r->parser))
            n = 0;
        if (n == 0)
            return http1_eof(&r->parser);
        if (n < 0)
            return (int)n;
    }
}

/* Sending */

static WHORL_SUSPENDS int write_parts(struct whorl_http_response *r, const struct iovec *parts,
                                      int count)
{
    struct http_stage stage;
    http_stage_enter(&stage, http_deadline(r->timeouts.stall_ns), WHORL_EHTTP_STALL_TIMEOUT,
                     r->total_deadline_ns);
    int err = whorl_stream_writev(r->conn->stream, parts, count);
    return (int)http_stage_leave(&stage, err);
}

static int64_t framed_len(const struct http_outgoing *out)
{
    const struct whorl_http_body *body = &out->request->body;
    if (!out->has_body)
        return REQUEST_NO_BODY;
    return body->read && body->len < 0 ? REQUEST_CHUNKED : body->len;
}

/* The head, and as much of a body from memory as goes along with it. The head is written into the
 * receive buffer, which nothing else uses before it is sent. */
static WHORL_SUSPENDS int send_head(struct whorl_http_response *r, const struct http_outgoing *out,
                                    size_t *ret_body_sent)
{
    const struct whorl_http_request *request = out->request;
    struct request_head head = {
        .method = out->method,
        .url = &r->url,
        .headers = request->headers,
        .headers_count = request->headers_count,
        .user_agent = r->session->user_agent,
        .body_len = framed_len(out),
        .decode = request->decode,
        .drop_credentials = out->drop_credentials,
        .drop_body_headers = out->drop_body_headers,
    };
    struct iovec parts[2] = {{.iov_base = r->in->data}};
    char *large = NULL;

    ssize_t len = request_head_write(&head, r->in->data, sizeof r->in->data, r->error);
    if (len > (ssize_t)sizeof r->in->data) {
        parts[0].iov_base = large = malloc((size_t)len);
        len = large ? request_head_write(&head, large, (size_t)len, r->error) : -ENOMEM;
    }
    if (len < 0) {
        free(large);
        r->step = len == -ENOMEM ? "send" : NULL;
        return (int)len;
    }
    parts[0].iov_len = (size_t)len;
    if (out->has_body && !request->body.read) {
        parts[1].iov_base = (void *)(uintptr_t)request->body.data;
        parts[1].iov_len = request->body.len < SLICE ? (size_t)request->body.len : SLICE;
    }
    *ret_body_sent = parts[1].iov_len;
    int err = write_parts(r, parts, parts[1].iov_len > 0 ? 2 : 1);
    free(large);
    return err;
}

static WHORL_SUSPENDS int send_memory(struct whorl_http_response *r,
                                      const struct whorl_http_body *body, size_t sent)
{
    size_t len = (size_t)body->len;
    int err = 0;
    while (err == 0 && sent < len) {
        size_t n = len - sent < SLICE ? len - sent : SLICE;
        struct iovec part = {.iov_base = (char *)(uintptr_t)body->data + sent, .iov_len = n};
        err = write_parts(r, &part, 1);
        sent += n;
    }
    return err;
}

/* Asks the callback, which may take its time: only the limit of the whole exchange counts. */
static WHORL_SUSPENDS ssize_t ask_body(struct whorl_http_response *r,
                                       const struct whorl_http_body *body, char *buf, size_t len)
{
    struct http_stage stage;
    http_stage_enter(&stage, WHORL_FOREVER, 0, r->total_deadline_ns);
    ssize_t n = http_stage_leave(&stage, body->read(body->ctx, buf, len));
    return n > (ssize_t)len ? WHORL_EHTTP_REQUEST_BODY : n;
}

static WHORL_SUSPENDS int send_sized(struct whorl_http_response *r,
                                     const struct whorl_http_body *body, char *buf, size_t cap,
                                     bool *ret_callers)
{
    int64_t left = body->len;
    while (left > 0) {
        ssize_t n = ask_body(r, body, buf, left < (int64_t)cap ? (size_t)left : cap);
        if (n <= 0) {
            *ret_callers = true;
            return n < 0 ? (int)n : WHORL_EHTTP_REQUEST_BODY;
        }
        struct iovec part = {.iov_base = buf, .iov_len = (size_t)n};
        int err = write_parts(r, &part, 1);
        if (err)
            return err;
        left -= n;
    }
    return 0;
}

static WHORL_SUSPENDS int send_chunked(struct whorl_http_response *r,
                                       const struct whorl_http_body *body, char *buf, size_t cap,
                                       bool *ret_callers)
{
    for (;;) {
        ssize_t n = ask_body(r, body, buf, cap);
        if (n < 0) {
            *ret_callers = true;
            return (int)n;
        }
        char frame[CHUNK_FRAME];
        int frame_len = snprintf(frame, sizeof frame, "%zx\r\n", (size_t)n);
        /* RFC 9112 §7.1: the last chunk is of size 0; no trailers are sent. */
        struct iovec parts[3] = {
            {.iov_base = frame, .iov_len = (size_t)frame_len},
            {.iov_base = buf, .iov_len = (size_t)n},
            {.iov_base = "\r\n", .iov_len = 2},
        };
        int err = write_parts(r, parts, 3);
        if (err || n == 0)
            return err;
    }
}

/* The rest of the body. `*ret_callers` is set when the failure is the callback's, not the
 * connection's. */
static WHORL_SUSPENDS int send_rest(struct whorl_http_response *r, const struct http_outgoing *out,
                                    size_t sent, bool *ret_callers)
{
    const struct whorl_http_body *body = &out->request->body;
    if (!body->read)
        return send_memory(r, body, sent);
    struct http_buf *buf = http_buf_acquire(r->session);
    if (!buf)
        return -ENOMEM;
    int err = body->len < 0 ? send_chunked(r, body, buf->data, sizeof buf->data, ret_callers)
                            : send_sized(r, body, buf->data, sizeof buf->data, ret_callers);
    http_buf_release(r->session, buf);
    return err;
}

/* From here on the server's time counts. */
static void mark_sent(struct whorl_http_response *r)
{
    r->sent_ns = whorl_now();
    if (r->head_stage)
        http_stage_move(r->head_stage, http_deadline(r->timeouts.first_byte_ns),
                        WHORL_EHTTP_FIRST_BYTE_TIMEOUT, r->total_deadline_ns);
}

/* The connection died under a write; an answer may have come before it did. */
static bool peer_left(int err)
{
    return err == -EPIPE || err == -ECONNRESET;
}

/* What an exchange came to whose sending ended with `sent` and whose head with `head`. */
static int judge(struct whorl_http_response *r, int sent, int head)
{
    r->step = "response";
    if (peer_left(sent) && (head == WHORL_EHTTP_NO_RESPONSE || peer_left(head))) {
        r->step = "send";
        return sent;
    }
    return head;
}

/* Sending and waiting for the head at once */

struct watch {
    struct whorl_http_response *r;
    struct whorl_scope *sending; /* NULL once the sending has ended */
    int err;                     /* of the head */
    bool done;
};

static int watch_head(void *arg)
{
    struct watch *watch = arg;
    watch->err = read_head(watch->r);
    watch->done = true;
    /* RFC 9112 §9.5: an error status while the body goes out means it is not wanted. */
    if (watch->sending && (watch->err || http1_status(&watch->r->parser) >= 300))
        whorl_scope_cancel(watch->sending);
    return 0;
}

static WHORL_SUSPENDS int send_watched(struct whorl_http_response *r,
                                       const struct http_outgoing *out, size_t sent)
{
    struct watch watch = {.r = r};
    struct whorl_scope sending;
    WHORL_AUTO(group) group = {0};
    bool callers = false;

    int err = whorl_spawn(&group, watch_head, &watch);
    if (err)
        return err;
    whorl_scope_enter(&sending, WHORL_FOREVER);
    watch.sending = &sending;
    err = send_rest(r, out, sent, &callers);
    watch.sending = NULL;
    whorl_scope_leave(&sending, 0);

    r->unsent = err != 0;
    if (err && !watch.done && (callers || !peer_left(err))) {
        r->step = "send";
        return err; /* the group ends the watcher */
    }
    mark_sent(r);
    int waited = whorl_group_wait(&group);
    if (!watch.done)
        return waited ? waited : -ECANCELED;
    return judge(r, err, watch.err);
}

static bool says_close(const struct whorl_http_request *request)
{
    for (size_t i = 0; i < request->headers_count; i++)
        if (header_equal(request->headers[i].name, "Connection") &&
            header_equal(request->headers[i].value, "close"))
            return true;
    return false;
}

/* Prepares the response for what comes over its connection. */
static int begin(struct whorl_http_response *r, const struct http_outgoing *out)
{
    if (!r->in && !(r->in = http_buf_acquire(r->session)))
        return -ENOMEM;
    http1_reset(&r->parser, &r->limits, strcmp(out->method, "HEAD") == 0);
    r->in_start = r->in_end = 0;
    r->span.len = 0;
    r->ahead = HTTP_AHEAD_INPUT;
    r->surplus = r->unsent = false;
    r->last = says_close(out->request);
    r->awaits_head = true;
    r->sent_ns = -1;
    r->timing.first_byte_ns = -1;
    r->session->requests++;
    return 0;
}

static void look_ahead(struct whorl_http_response *r);

WHORL_SUSPENDS int http_exchange(struct whorl_http_response *r, const struct http_outgoing *out)
{
    const struct whorl_http_body *body = &out->request->body;
    size_t sent = 0;

    r->step = "send";
    int err = begin(r, out);
    if (err)
        return err;
    err = send_head(r, out, &sent);
    if (err && !peer_left(err))
        return err;
    if (err == 0 && out->has_body && (body->read || sent < (size_t)body->len)) {
        err = send_watched(r, out, sent);
    } else {
        r->unsent = err != 0;
        mark_sent(r);
        err = judge(r, err, read_head(r));
    }
    if (err == 0)
        look_ahead(r);
    return err;
}

/* The body */

/* Takes note of what the parser has said last; `surplus`: bytes it did not want. */
static void set_ahead(struct whorl_http_response *r, int event, bool surplus)
{
    switch (event) {
    case HTTP1_BODY:
        r->ahead = HTTP_AHEAD_SPAN;
        break;
    case HTTP1_END:
        r->ahead = HTTP_AHEAD_END;
        r->surplus = surplus;
        http_exchange_end(r);
        break;
    case HTTP1_NEED_INPUT:
        r->ahead = HTTP_AHEAD_INPUT;
        break;
    default:
        http_response_latch(r, event, http1_error_text(&r->parser));
    }
}

static void look_ahead(struct whorl_http_response *r)
{
    int event = parse(r);
    set_ahead(r, event, r->in_start < r->in_end);
}

/* What a read that gave no bytes means; the negative code, or 0 to look at `ahead` again. */
static int no_bytes(struct whorl_http_response *r, ssize_t n)
{
    if (n == -ECANCELED) /* not for good: a later call may go on */
        return (int)n;
    if (n < 0)
        http_response_latch(r, (int)n, NULL);
    else
        set_ahead(r, http1_eof(&r->parser), false);
    return 0;
}

/* Receives into the caller's memory and parses there: body bytes are moved up over the framing
 * between them, and not at all when there is none. The parser sees every byte as always, so its
 * state needs no care; bytes behind the message end the connection anyway. */
static WHORL_SUSPENDS ssize_t receive_direct(struct whorl_http_response *r, char *buf, size_t len)
{
    size_t out_len = 0, used;
    int event;

    ssize_t n = receive(r, buf, len);
    if (n <= 0)
        return no_bytes(r, n);
    const char *at = buf, *end = buf + n;
    do {
        struct http1_body_span span;
        event = http1_feed(&r->parser, at, (size_t)(end - at), &used, &span);
        at += used;
        if (event == HTTP1_BODY) {
            if (span.data != buf + out_len)
                memmove(buf + out_len, span.data, span.len);
            out_len += span.len;
        }
    } while (event == HTTP1_BODY);
    set_ahead(r, event, at < end);
    return (ssize_t)out_len;
}

WHORL_SUSPENDS ssize_t http_body_next(struct whorl_http_response *r, char *buf, size_t len,
                                      const char **ret)
{
    ssize_t n;
    for (;;) {
        switch (r->ahead) {
        case HTTP_AHEAD_END:
            return 0;
        case HTTP_AHEAD_ERROR:
            return r->err;
        case HTTP_AHEAD_SPAN:
            n = (ssize_t)(buf && len < r->span.len ? len : r->span.len);
            *ret = r->span.data;
            r->span.data += n;
            r->span.len -= (size_t)n;
            if (r->span.len == 0)
                look_ahead(r);
            return n;
        case HTTP_AHEAD_INPUT:
            if (buf && len >= HTTP_BUF_SIZE) {
                *ret = buf;
                n = receive_direct(r, buf, len);
                if (n)
                    return n;
                break;
            }
            n = receive_into_buffer(r);
            if (n > 0)
                look_ahead(r);
            else if ((n = no_bytes(r, n)) < 0)
                return n;
            break;
        }
    }
}

void http_body_skip(struct whorl_http_response *r)
{
    while (r->ahead == HTTP_AHEAD_SPAN)
        look_ahead(r);
}

void http_exchange_end(struct whorl_http_response *r)
{
    if (!r->conn)
        return;
    bool reusable = r->ahead == HTTP_AHEAD_END && !r->surplus && !r->unsent && !r->last &&
                    http1_keep_alive(&r->parser);
    http_pool_release(&r->session->pool, r->conn, reusable);
    r->conn = NULL;
}
