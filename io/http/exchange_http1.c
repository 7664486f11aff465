/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 as a kind of exchange: it writes request bytes to a stream, and passes response bytes to
 * the parser. */
#include "io/http/exchange_http1.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/fd.h>
#include <whorl/stream.h>

#include "io/http/request.h"
#include "io/stream/socket.h"
#include "runtime/base/check.h"

enum {
    CHUNK_FRAME = 20,     /* room for the size line of a chunk */
    TRAILERS_SIZE = 1024, /* of the memory for trailers; larger ones are allocated */
    FILE_PART = 1 << 24,  /* part of a file; any byte that moves counts for the stall limit */
    SKIP_MAX = 65536,     /* unread bytes of a body that are read only to keep the connection */
    HEADERS_KEPT = 8192,  /* bytes of header memory that an exchange keeps for the next one */
};

struct http1_exchange {
    struct http_exchange base;
    struct http_spare spare;     /* in the store's list */
    struct whorl_stream *stream; /* borrowed; NULL once ended */
    struct http1 parser;         /* keeps its memory from one exchange to the next */
    struct http_buf *in;         /* NULL when there is nothing in it */
    size_t in_start, in_end;     /* received and not yet parsed */
    struct http1_body_span span; /* parsed and not yet handed out; points into `in` */
    bool is_chunked;             /* the request body is */
    bool surplus;                /* bytes arrived after the message: the connection ends here */
    bool last;                   /* the request said "Connection: close" */
};

static struct http1_exchange *http1_of(struct http_exchange *x)
{
    return container_of(x, struct http1_exchange, base);
}

/* Receiving */

/* Reads from the stream under the limit that applies now. */
static WHORL_SUSPENDS ssize_t receive(struct http1_exchange *h, void *buf, size_t len)
{
    struct http_stage stage;
    http_clock_enter_read(&h->base.clock, &stage, h->base.head.status > 0 ? h->base.received : -1);
    ssize_t n = whorl_stream_read(h->stream, buf, len);
    return http_clock_leave_read(&h->base.clock, &stage, n);
}

static WHORL_SUSPENDS ssize_t receive_into_buffer(struct http1_exchange *h)
{
    if (!h->in && !(h->in = http_buf_acquire(h->base.store)))
        return -ENOMEM;
    ssize_t n = receive(h, h->in->data, HTTP_BUF_SIZE);
    h->in_start = 0;
    h->in_end = n > 0 ? (size_t)n : 0;
    return n;
}

static int feed(struct http1_exchange *h, const char *buf, size_t len, size_t *ret_used,
                struct http1_body_span *ret_span)
{
    int event = http1_feed(&h->parser, buf, len, ret_used, ret_span);
    if (h->base.head.status == 0)
        h->base.received_head += (int64_t)*ret_used;
    h->base.received = http1_received(&h->parser);
    h->base.has_begun = http1_has_begun(&h->parser);
    return event;
}

static int parse(struct http1_exchange *h)
{
    const char *in = h->in ? h->in->data : "";
    size_t used = 0;
    int event = feed(h, in + h->in_start, h->in_end - h->in_start, &used, &h->span);
    h->in_start += used;
    return event;
}

/* Stores what the parser found last. `surplus`: there are bytes after the message. */
static void set_ahead(struct http1_exchange *h, int event, bool surplus)
{
    struct http_exchange *x = &h->base;

    switch (event) {
    case HTTP1_BODY:
        x->ahead = HTTP_AHEAD_SPAN;
        x->buffered = h->span.len;
        break;
    case HTTP1_END:
        x->ahead = HTTP_AHEAD_END;
        h->surplus = surplus;
        break;
    case HTTP1_NEED_INPUT:
        x->ahead = HTTP_AHEAD_INPUT;
        break;
    default:
        http_exchange_latch(x, event, http1_error_text(&h->parser));
    }
}

static void look_ahead(struct http1_exchange *h)
{
    int event = parse(h);
    set_ahead(h, event, h->in_start < h->in_end);
}

/* Sending */

/* `body_len` of the bytes belong to the body. */
static WHORL_SUSPENDS int write_parts(struct http1_exchange *h, const struct iovec *parts,
                                      int count, size_t body_len)
{
    struct http_stage stage;
    http_clock_enter_write(&h->base.clock, &stage, (int64_t)body_len);
    int err = whorl_stream_writev(h->stream, parts, count);
    return (int)http_clock_leave_write(&h->base.clock, &stage, err, (int64_t)body_len);
}

/* Writes the head into the receive buffer, which nothing else uses before it is sent. */
static WHORL_SUSPENDS int send_head(struct http_exchange *x, const struct http_outgoing *out,
                                    const void *data, size_t data_len)
{
    struct http1_exchange *h = http1_of(x);
    struct request_head head = http_outgoing_head(out);
    struct iovec parts[2] = {{.iov_base = h->in->data},
                             {.iov_base = (void *)(uintptr_t)data, .iov_len = data_len}};
    char *large = NULL;

    h->is_chunked = head.body_len == REQUEST_CHUNKED;
    ssize_t len = request_head_write(&head, h->in->data, sizeof h->in->data, &x->error);
    if (len > (ssize_t)sizeof h->in->data) {
        parts[0].iov_base = large = malloc((size_t)len);
        len = large ? request_head_write(&head, large, (size_t)len, &x->error) : -ENOMEM;
    }
    if (len < 0) {
        free(large);
        return (int)len;
    }
    parts[0].iov_len = (size_t)len;
    http_exchange_note_head(x, parts[0].iov_base, (size_t)len);
    int err = write_parts(h, parts, data_len > 0 ? 2 : 1, data_len);
    free(large);
    return err;
}

static WHORL_SUSPENDS int send_body(struct http_exchange *x, const void *data, size_t len)
{
    struct http1_exchange *h = http1_of(x);
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};

    if (!h->is_chunked)
        return write_parts(h, &part, 1, len);
    char frame[CHUNK_FRAME];
    int frame_len = snprintf(frame, sizeof frame, "%zx\r\n", len);
    /* RFC 9112 §7.1: the last chunk has the size 0. send_trailers() sends trailers. */
    struct iovec parts[3] = {
        {.iov_base = frame, .iov_len = (size_t)frame_len},
        part,
        {.iov_base = "\r\n", .iov_len = 2},
    };
    return write_parts(h, parts, 3, len);
}

/* Writes the trailers to `buf`, or to new memory in `*ret_large`. Returns their length. */
static ssize_t write_trailers(struct http_exchange *x, const struct http_outgoing *out, char *buf,
                              size_t size, char **ret_large)
{
    struct request_head head = http_outgoing_head(out);

    ssize_t len = request_trailers_write(&head, buf, size, &x->error);
    if (len <= (ssize_t)size)
        return len;
    *ret_large = malloc((size_t)len);
    return *ret_large ? request_trailers_write(&head, *ret_large, (size_t)len, &x->error) : -ENOMEM;
}

/* RFC 9112 §7.1.2 */
static WHORL_SUSPENDS int send_trailers(struct http_exchange *x, const struct http_outgoing *out)
{
    char buf[TRAILERS_SIZE], *large = NULL;

    ssize_t len = write_trailers(x, out, buf, sizeof buf, &large);
    struct iovec parts[3] = {
        {.iov_base = "0\r\n", .iov_len = 3},
        {.iov_base = large ? large : buf, .iov_len = len > 0 ? (size_t)len : 0},
        {.iov_base = "\r\n", .iov_len = 2},
    };
    int err = len < 0 ? (int)len : write_parts(http1_of(x), parts, 3, 0);
    free(large);
    return err;
}

static WHORL_SUSPENDS int64_t send_file(struct http_exchange *x, int fd, int64_t offset,
                                        int64_t len)
{
    struct http1_exchange *h = http1_of(x);
    struct http_stage stage;

    if (h->is_chunked || !stream_is_socket(h->stream))
        return -EOPNOTSUPP;
    http_clock_enter_write(&h->base.clock, &stage, len);
    int64_t n = whorl_sendfile(fd, whorl_stream_option_fd(h->stream), offset,
                               len < FILE_PART ? len : FILE_PART);
    return http_clock_leave_write(&h->base.clock, &stage, n, n);
}

/* The head */

static WHORL_SUSPENDS int read_final_head(struct http1_exchange *h)
{
    for (;;) {
        int event = parse(h);
        if (event < 0)
            return event;
        if (event == HTTP1_HEAD)
            return 0;
        if (event == HTTP1_INFORMATIONAL) {
            http_exchange_note_informational(&h->base, http1_status(&h->parser));
            if (http1_status(&h->parser) == 100)
                http_exchange_continue(&h->base);
            http_clock_mark_informational(&h->base.clock, h->in_start < h->in_end);
            continue;
        }
        ssize_t n = receive_into_buffer(h);
        /* Before the first byte of a response, an unannounced end of TLS is an ordinary close. */
        if (n == WHORL_ETLS_TRUNCATED && !http1_has_begun(&h->parser))
            n = 0;
        if (n == 0)
            return http1_eof(&h->parser);
        if (n < 0)
            return (int)n;
    }
}

static WHORL_SUSPENDS int read_head(struct http_exchange *x)
{
    struct http1_exchange *h = http1_of(x);
    const struct http1 *parser = &h->parser;

    int err = read_final_head(h);
    if (err) {
        x->reason = parser->error == err ? http1_error_text(parser) : NULL;
        return err;
    }
    x->head = (struct http_head){
        .status = http1_status(parser),
        .protocol = http1_version_minor(parser) ? "HTTP/1.1" : "HTTP/1.0",
        .reason = http1_reason(parser),
        .headers = http1_headers(parser),
        .trailers = http1_trailers(parser),
        .length = http1_content_length(parser),
        .has_body = http1_has_body(parser),
    };
    look_ahead(h);
    return 0;
}

/* The body */

/* Handles a read that returned no bytes. A negative code, or 0 to look at `ahead` again. */
static int no_bytes(struct http1_exchange *h, ssize_t n)
{
    if (n == -ECANCELED) /* not permanent: a later call can continue to read */
        return (int)n;
    if (n < 0)
        http_exchange_latch(&h->base, (int)n, NULL);
    else if (h->base.has_broken && http1_is_close_delimited(&h->parser))
        /* RFC 9112 §8: complete "unless an error was indicated by the underlying connection" */
        http_exchange_latch(&h->base, WHORL_EHTTP_TRUNCATED,
                            "the connection broke, so the body may be incomplete");
    else
        set_ahead(h, http1_eof(&h->parser), false);
    return 0;
}

/* The buffer is empty, and another exchange may need one. */
static void release_buffer(struct http1_exchange *h)
{
    http_buf_release(h->base.store, h->in);
    h->in = NULL;
    h->in_start = h->in_end = 0;
}

/* Receives into the caller's memory and parses there. The framing between body bytes is removed by
 * moving the bytes that follow it; without framing nothing moves. The parser sees every byte, so
 * its state stays right; bytes after the message end the connection anyway. */
static WHORL_SUSPENDS ssize_t receive_direct(struct http1_exchange *h, char *buf, size_t len)
{
    size_t out_len = 0, used;
    int event;

    release_buffer(h);
    ssize_t n = receive(h, buf, len);
    if (n <= 0)
        return no_bytes(h, n);
    const char *at = buf, *end = buf + n;
    do {
        struct http1_body_span span;
        event = feed(h, at, (size_t)(end - at), &used, &span);
        at += used;
        if (event == HTTP1_BODY) {
            if (span.data != buf + out_len)
                memmove(buf + out_len, span.data, span.len);
            out_len += span.len;
        }
    } while (event == HTTP1_BODY);
    set_ahead(h, event, at < end);
    return (ssize_t)out_len;
}

/* Hands out received bytes and looks for the next ones. */
static ssize_t take_span(struct http1_exchange *h, size_t len, const char **ret)
{
    size_t n = len < h->span.len ? len : h->span.len;

    *ret = h->span.data;
    h->span.data += n;
    h->span.len -= n;
    h->base.buffered = h->span.len;
    if (h->span.len == 0)
        look_ahead(h);
    return (ssize_t)n;
}

static WHORL_SUSPENDS ssize_t read_body(struct http_exchange *x, char *buf, size_t len,
                                        const char **ret)
{
    struct http1_exchange *h = http1_of(x);
    ssize_t n;

    for (;;) {
        switch (x->ahead) {
        case HTTP_AHEAD_END:
            return 0;
        case HTTP_AHEAD_ERROR:
            return x->err;
        case HTTP_AHEAD_SPAN:
            return take_span(h, buf ? len : SIZE_MAX, ret);
        case HTTP_AHEAD_INPUT:
            if (buf && len >= HTTP_BUF_SIZE) {
                *ret = buf;
                n = receive_direct(h, buf, len);
                if (n)
                    return n;
                break;
            }
            n = receive_into_buffer(h);
            if (n > 0)
                look_ahead(h);
            else if ((n = no_bytes(h, n)) < 0)
                return n;
            break;
        }
    }
}

static bool can_splice(const struct http_exchange *x)
{
    const struct http1_exchange *h = container_of(x, struct http1_exchange, base);

    return x->ahead == HTTP_AHEAD_INPUT && h->stream && http1_rest(&h->parser) > 0 &&
           socket_stream_is_in_bulk(h->stream);
}

/* Bytes behind the message stay in the socket. */
static WHORL_SUSPENDS ssize_t splice_body(struct http_exchange *x, int pipe_fd, size_t len)
{
    struct http1_exchange *h = http1_of(x);
    int64_t rest = http1_rest(&h->parser);
    struct http_stage stage;

    release_buffer(h);
    http_clock_enter_read(&x->clock, &stage, x->received);
    ssize_t n = socket_stream_to_pipe(h->stream, pipe_fd, rest < (int64_t)len ? (size_t)rest : len);
    n = http_clock_leave_read(&x->clock, &stage, n);
    if (n == -EINVAL)
        return n;
    if (n <= 0) {
        n = no_bytes(h, n);
        return n < 0 ? n : x->ahead == HTTP_AHEAD_ERROR ? x->err : 0;
    }
    whorl_check(n <= rest);
    set_ahead(h, http1_pass(&h->parser, n), false);
    x->received = http1_received(&h->parser);
    return n;
}

/* The least number of body bytes that are still to be received. */
static int64_t rest_min(const struct http1_exchange *h)
{
    return h->base.head.length < 0 ? 1 : h->base.head.length - h->base.received;
}

/* The body's rest is often in the socket already, because servers send it right after the head. */
static void skip(struct http_exchange *x)
{
    struct http1_exchange *h = http1_of(x);
    int64_t room = SKIP_MAX;

    for (;;) {
        while (x->ahead == HTTP_AHEAD_SPAN)
            look_ahead(h);
        if (x->ahead != HTTP_AHEAD_INPUT || !h->stream || rest_min(h) > room)
            return;
        if (!h->in && !(h->in = http_buf_acquire(x->store)))
            return;
        ssize_t n = whorl_stream_try_read(h->stream, h->in->data, HTTP_BUF_SIZE);
        h->in_start = 0;
        h->in_end = n > 0 ? (size_t)n : 0;
        if (n <= 0)
            return;
        room -= n;
        look_ahead(h);
    }
}

/* The end */

static enum whorl_http_reuse why_not(const struct http1_exchange *h)
{
    const struct http_exchange *x = &h->base;

    if (x->ahead == HTTP_AHEAD_ERROR || x->head.status == 0 || h->surplus)
        return WHORL_HTTP_NEW_FAILED;
    if (x->unsent)
        return WHORL_HTTP_NEW_UNSENT;
    if (h->last)
        return WHORL_HTTP_NEW_ASKED;
    if (!http1_says_keep_alive(&h->parser))
        return WHORL_HTTP_NEW_REFUSED;
    return x->ahead == HTTP_AHEAD_END ? WHORL_HTTP_NEW_REFUSED : WHORL_HTTP_NEW_UNREAD;
}

static bool end(struct http_exchange *x)
{
    struct http1_exchange *h = http1_of(x);

    bool reusable = x->ahead == HTTP_AHEAD_END && !h->surplus && !x->unsent && !h->last &&
                    http1_keep_alive(&h->parser);
    if (h->stream && !reusable)
        x->why = why_not(h);
    h->stream = NULL;
    return reusable;
}

static void free_exchange(struct http1_exchange *h)
{
    http1_finish(&h->parser);
    free(h);
}

static void destroy(struct http_exchange *x)
{
    struct http1_exchange *h = http1_of(x);
    bool is_large =
        h->parser.headers.bytes_cap > HEADERS_KEPT || h->parser.trailers.bytes_cap > HEADERS_KEPT;

    http_buf_release(x->store, h->in);
    h->in = NULL;
    if (!http_spares_put(&x->store->http1_exchanges, &h->spare, !is_large))
        free_exchange(h);
}

static const char *explain(const struct http_exchange *x, char text[TLS_ALERT_TEXT_SIZE])
{
    const struct http1_exchange *h = container_of(x, struct http1_exchange, base);

    return h->stream ? tls_alert_text(h->stream, text) : NULL;
}

static const struct http_exchange_ops http1_exchange_ops = {
    .name = "HTTP/1.1",
    .send_head = send_head,
    .send_body = send_body,
    .send_trailers = send_trailers,
    .send_file = send_file,
    .read_head = read_head,
    .read_body = read_body,
    .can_splice = can_splice,
    .splice_body = splice_body,
    .explain = explain,
    .skip = skip,
    .end = end,
    .destroy = destroy,
};

static bool says_close(const struct whorl_http_request *request)
{
    for (size_t i = 0; i < request->headers_count; i++)
        /* They are not checked yet, so they may be NULL. */
        if (request->headers[i].name && request->headers[i].value &&
            header_equal(request->headers[i].name, "Connection") &&
            header_equal(request->headers[i].value, "close"))
            return true;
    return false;
}

static struct http1_exchange *acquire(struct http_store *store)
{
    struct http_spare *spare = http_spares_take(&store->http1_exchanges, true);
    if (spare)
        return container_of(spare, struct http1_exchange, spare);
    struct http1_exchange *h = calloc(1, sizeof *h);
    if (h)
        http1_init(&h->parser, NULL, false);
    else
        store->http1_exchanges.out--;
    return h;
}

int http1_exchange_create(struct http_store *store, const struct http_exchange_setup *setup,
                          struct http_exchange **ret)
{
    struct http1_exchange *h = acquire(store);
    if (!h)
        return -ENOMEM;
    struct http_exchange *x = &h->base;
    http_exchange_init(x, &http1_exchange_ops, store, setup);
    h->in = http_buf_acquire(store);
    if (!h->in) {
        destroy(x);
        return -ENOMEM;
    }
    h->stream = setup->stream;
    http1_reset(&h->parser, setup->limits, strcmp(setup->out->method, "HEAD") == 0);
    h->in_start = h->in_end = 0;
    h->span.len = 0;
    h->is_chunked = h->surplus = false;
    h->last = says_close(setup->out->request);
    *ret = x;
    return 0;
}

void http1_exchanges_drain(struct http_store *store)
{
    struct http_spare *spare;
    while ((spare = http_spares_drain(&store->http1_exchanges)))
        free_exchange(container_of(spare, struct http1_exchange, spare));
}
