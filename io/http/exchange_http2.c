/* SPDX-License-Identifier: MIT */
/* HTTP/2 as a kind of exchange: it opens a stream, and waits for what the connection's reader
 * receives on it. */
#include "io/http/exchange_http2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/http/http2_conn.h"
#include "io/http/http2_conn_stream.h"
#include "io/http/http2_request.h"
#include "io/http/request.h"
#include "runtime/base/check.h"

enum {
    HEAD_SIZE = 4096,    /* of the memory for a request's head; a larger one is allocated */
    FEW_FIELDS = 32,     /* of the memory for a request's fields; more are allocated */
    HEADERS_KEPT = 8192, /* bytes of header memory that an exchange keeps for the next one */
};

struct http2_exchange {
    struct http_exchange base;
    struct http_spare spare;         /* in the store's list */
    struct http2_conn *conn;         /* borrowed; NULL once ended */
    struct http2_conn_stream stream; /* keeps its memory from one exchange to the next */
    struct http2_chunk *chunk;       /* whose bytes are handed out; NULL: none */
    int informationals;              /* 1xx heads that were reported to the clock */
    int64_t body_left;               /* of the request's body; -1: unknown */
    nghttp2_nv *trailers;            /* owned; of the request; NULL: none */
};

static struct http2_exchange *http2_of(struct http_exchange *x)
{
    return container_of(x, struct http2_exchange, base);
}

/* Sending */

static WHORL_SUSPENDS int send_part(struct http2_exchange *h, const void *data, size_t len)
{
    struct http_stage stage;

    if (h->body_left > 0)
        h->body_left -= (int64_t)len;
    bool last = h->body_left < 0 ? len == 0 : h->body_left == 0;
    http_clock_enter_write(&h->base.clock, &stage, (int64_t)len);
    int err = http2_conn_send(&h->stream, data, len, last);
    return (int)http_clock_leave_write(&h->base.clock, &stage, err, (int64_t)len);
}

/* Writes the head as HTTP/1.1 does, so the same checks apply, and makes fields of it. */
static int open_stream(struct http2_exchange *h, const struct request_head *head, char *buf,
                       size_t size)
{
    nghttp2_nv few[FEW_FIELDS], *fields = few;
    size_t count = HTTP2_REQUEST_FIELDS + head->headers_count;
    char *large = NULL;

    ssize_t len = request_head_write(head, buf, size, &h->base.error);
    if (len > (ssize_t)size) {
        buf = large = malloc((size_t)len);
        len = large ? request_head_write(head, large, (size_t)len, &h->base.error) : -ENOMEM;
    }
    int err = len < 0 ? (int)len : 0;
    if (err == 0 && count > FEW_FIELDS && !(fields = malloc(count * sizeof *fields)))
        err = -ENOMEM;
    if (err == 0) {
        http_exchange_note_head(&h->base, buf, (size_t)len);
        count = http2_request_fields(head, buf, (size_t)len, fields, count);
        err =
            http2_conn_open(h->conn, &h->stream, fields, count, head->body_len != REQUEST_NO_BODY);
    }
    if (fields != few)
        free(fields);
    free(large);
    return err;
}

static WHORL_SUSPENDS int send_head(struct http_exchange *x, const struct http_outgoing *out,
                                    const void *data, size_t len)
{
    struct http2_exchange *h = http2_of(x);
    struct request_head head = http_outgoing_head(out);
    char buf[HEAD_SIZE];

    h->body_left = head.body_len == REQUEST_CHUNKED ? -1 : head.body_len;
    int err = open_stream(h, &head, buf, sizeof buf);
    if (err) {
        x->is_unprocessed = h->stream.base.is_unprocessed;
        return err;
    }
    if (len > 0 || head.body_len == 0)
        err = send_part(h, data, len);
    return err;
}

static WHORL_SUSPENDS int send_body(struct http_exchange *x, const void *data, size_t len)
{
    return send_part(http2_of(x), data, len);
}

/* Makes fields of the trailers, in memory that is kept until the end of the exchange. */
static int make_trailers(struct http2_exchange *h, const struct http_outgoing *out)
{
    struct request_head head = http_outgoing_head(out);
    struct http2_stream *s = &h->stream.base;

    ssize_t len = request_trailers_write(&head, NULL, 0, &h->base.error);
    if (len < 0)
        return (int)len;
    nghttp2_nv *fields = malloc(head.trailers_count * sizeof *fields + (size_t)len);
    if (!fields)
        return -ENOMEM;
    char *bytes = (char *)(fields + head.trailers_count);
    free(h->trailers);
    h->trailers = fields;
    request_trailers_write(&head, bytes, (size_t)len, NULL);
    s->trailers_out = fields;
    s->trailers_out_count = http2_trailer_fields(bytes, (size_t)len, fields);
    return 0;
}

static WHORL_SUSPENDS int send_trailers(struct http_exchange *x, const struct http_outgoing *out)
{
    struct http2_exchange *h = http2_of(x);
    int err = make_trailers(h, out);

    return err ? err : send_part(h, NULL, 0);
}

/* Receiving */

static WHORL_SUSPENDS int wait_news(struct http2_exchange *h)
{
    struct http_stage stage;

    http_clock_enter_read(&h->base.clock, &stage,
                          h->base.head.status > 0 ? h->stream.base.received : -1);
    int err = http2_conn_wait_news(&h->stream);
    bool has_begun = h->stream.base.heads > h->informationals;
    /* For the clock, a count means that bytes of the next head have arrived. */
    ssize_t n = http_clock_leave_read(&h->base.clock, &stage, err ? err : has_begun);
    return n < 0 ? (int)n : 0;
}

static size_t span_len(const struct http2_exchange *h)
{
    return h->chunk ? h->chunk->end - h->chunk->start : 0;
}

/* Stores the next bytes of the body. */
static void look_ahead(struct http2_exchange *h)
{
    struct http_exchange *x = &h->base;
    struct http2_stream *s = &h->stream.base;

    if (span_len(h) == 0 && s->chunks.first) {
        http2_chunk_release(x->store, h->chunk);
        h->chunk = http2_stream_take(s);
        x->received += (int64_t)span_len(h);
        if (h->conn)
            http2_conn_flush(h->conn);
    }
    x->buffered = span_len(h);
    if (x->buffered > 0)
        x->ahead = HTTP_AHEAD_SPAN;
    else if (s->is_over)
        x->ahead = HTTP_AHEAD_END;
    else if (s->err)
        http_exchange_latch(x, s->err, s->reason);
    else
        x->ahead = HTTP_AHEAD_INPUT;
}

/* Several heads may have arrived since the last look, also the final one. */
static void take_informationals(struct http2_exchange *h)
{
    struct http_exchange *x = &h->base;
    const struct http2_stream *s = &h->stream.base;

    h->informationals = s->informationals;
    if (s->is_continued)
        http_exchange_continue(x);
    http_clock_mark_informational(&x->clock, s->heads > s->informationals);
    http_exchange_note_informational(x, s->informational);
}

static WHORL_SUSPENDS int read_head(struct http_exchange *x)
{
    struct http2_exchange *h = http2_of(x);
    struct http2_stream *s = &h->stream.base;
    int err = 0;

    for (;;) {
        if (h->informationals < s->informationals)
            take_informationals(h);
        if (s->has_head || s->err || err)
            break;
        err = wait_news(h);
    }
    x->has_begun = s->has_begun;
    if (!s->has_head && s->err) {
        x->reason = s->reason;
        x->is_unprocessed = s->is_unprocessed;
        err = s->err;
    }
    if (err)
        return err;
    bool has_body = !s->is_head && s->status != 204 && s->status != 304 && s->length != 0 &&
                    !(s->is_over && s->received == 0);
    x->received_head = (int64_t)s->head_bytes;
    x->head = (struct http_head){
        .status = s->status,
        .protocol = "HTTP/2",
        .reason = "",
        .headers = &s->headers,
        .trailers = &s->trailers,
        .length = s->length,
        .has_body = has_body,
    };
    look_ahead(h);
    return 0;
}

/* The body */

static WHORL_SUSPENDS ssize_t read_body(struct http_exchange *x, char *buf, size_t len,
                                        const char **ret)
{
    struct http2_exchange *h = http2_of(x);

    look_ahead(h);
    while (x->ahead == HTTP_AHEAD_INPUT) {
        int err = wait_news(h);
        if (err == -ECANCELED) /* not permanent: a later call can continue to read */
            return err;
        if (err)
            http_exchange_latch(x, err, NULL);
        else
            look_ahead(h);
    }
    if (x->ahead == HTTP_AHEAD_END)
        return 0;
    if (x->ahead == HTTP_AHEAD_ERROR)
        return x->err;
    size_t n = buf && len < x->buffered ? len : x->buffered;
    *ret = h->chunk->data + h->chunk->start;
    h->chunk->start += n;
    x->buffered -= n;
    /* The chunk stays, because its bytes are valid until the next call. */
    if (x->buffered == 0 && !h->stream.base.chunks.first)
        look_ahead(h);
    return (ssize_t)n;
}

static void skip(struct http_exchange *x)
{
    struct http2_exchange *h = http2_of(x);

    while (x->ahead == HTTP_AHEAD_SPAN) {
        h->chunk->start = h->chunk->end;
        look_ahead(h);
    }
}

/* The end */

static bool end(struct http_exchange *x)
{
    struct http2_exchange *h = http2_of(x);
    struct http2_conn *conn = h->conn;

    if (!conn)
        return false;
    bool has_timed_out = x->error.code == WHORL_EHTTP_FIRST_BYTE_TIMEOUT ||
                         x->error.code == WHORL_EHTTP_STALL_TIMEOUT ||
                         x->error.code == WHORL_EHTTP_SPEED_TIMEOUT;
    /* If nothing at all has arrived since the request was sent, the peer may be gone. */
    if (has_timed_out && http2_conn_received_ns(conn) <= x->clock.sent_ns)
        http2_conn_drain(conn);
    http2_conn_close(&h->stream);
    h->conn = NULL;
    x->why = x->err || x->error.code ? WHORL_HTTP_NEW_FAILED : WHORL_HTTP_NEW_REFUSED;
    free(h->trailers); /* nghttp2 has a copy, or never asks for them */
    h->trailers = NULL;
    return http2_conn_is_usable(conn);
}

static void free_exchange(struct http2_exchange *h)
{
    http2_stream_finish(&h->stream.base);
    free(h);
}

static void destroy(struct http_exchange *x)
{
    struct http2_exchange *h = http2_of(x);
    const struct http2_stream *s = &h->stream.base;
    bool is_large = s->headers.bytes_cap > HEADERS_KEPT || s->trailers.bytes_cap > HEADERS_KEPT;

    http2_chunk_release(x->store, h->chunk);
    h->chunk = NULL;
    if (!http_spares_put(&x->store->http2_exchanges, &h->spare, !is_large))
        free_exchange(h);
}

static const struct http_exchange_ops http2_exchange_ops = {
    .name = "HTTP/2",
    .send_head = send_head,
    .send_body = send_body,
    .send_trailers = send_trailers,
    .read_head = read_head,
    .read_body = read_body,
    .skip = skip,
    .end = end,
    .destroy = destroy,
};

static struct http2_exchange *acquire(struct http_store *store)
{
    struct http_spare *spare = http_spares_take(&store->http2_exchanges, true);
    if (spare)
        return container_of(spare, struct http2_exchange, spare);
    struct http2_exchange *h = calloc(1, sizeof *h);
    if (!h)
        store->http2_exchanges.out--;
    return h;
}

int http2_exchange_create(struct http_store *store, const struct http_exchange_setup *setup,
                          struct http_exchange **ret)
{
    struct http2_exchange *h = acquire(store);
    if (!h)
        return -ENOMEM;
    struct http_exchange *x = &h->base;
    http_exchange_init(x, &http2_exchange_ops, store, setup);
    h->conn = setup->conn;
    h->informationals = 0;
    h->stream.base.limits = *setup->limits;
    h->stream.base.is_head = strcmp(setup->out->method, "HEAD") == 0;
    h->stream.base.store = store;
    *ret = x;
    return 0;
}

void http2_exchanges_drain(struct http_store *store)
{
    struct http_spare *spare;
    while ((spare = http_spares_drain(&store->http2_exchanges)))
        free_exchange(container_of(spare, struct http2_exchange, spare));
    http2_chunks_drain(store);
}
