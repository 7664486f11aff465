/* SPDX-License-Identifier: MIT */
/* Requests: heads, bodies, and "100 Continue". */
#include "io/http_server/incoming.h"

#include <stdlib.h>
#include <string.h>

#include <whorl/task.h>

#include "io/fd/to_end.h"

enum {
    READ_FIRST_MAX = 1 << 16, /* memory that is reserved at most because of an announced length */
};

void incoming_begin(struct whorl_http_incoming *incoming, struct http_wire *wire,
                    const struct http1_limits *limits, int64_t rate_min)
{
    incoming->wire = wire;
    incoming->span.len = 0;
    incoming->has_head = incoming->has_ended = incoming->expects = false;
    incoming->err = 0;
    incoming->rate_min = rate_min;
    incoming->waited_ns = 0;
    wire->takes_turns = false;
    http1_reset_request(&incoming->parser, limits);
}

static int parse(struct whorl_http_incoming *incoming)
{
    struct http_wire *wire = incoming->wire;
    size_t used;

    int event = http1_feed(&incoming->parser, wire->in + wire->in_start, wire_unread(wire), &used,
                           &incoming->span);
    wire->in_start += used;
    if (event == HTTP1_END)
        incoming->has_ended = true;
    if (event < 0)
        incoming->err = event;
    return event;
}

/* --- the head --- */

/* RFC 9110 §10.1.1: the only expectation is "100-continue". HTTP/1.0 has no expectations. */
static int read_expect(struct whorl_http_incoming *incoming)
{
    const struct http1 *parser = &incoming->parser;
    const char *value = header_list_get(http1_headers(parser), "Expect");

    if (!value || http1_version_minor(parser) == 0)
        return 0;
    if (!header_equal(value, "100-continue"))
        return incoming->err = WHORL_EHTTP_EXPECT;
    incoming->expects = incoming->wire->takes_turns = !incoming->has_ended;
    return 0;
}

/* The parser has read the head. Returns 1 or an error. */
static int enter_body(struct whorl_http_incoming *incoming)
{
    const struct http1 *parser = &incoming->parser;

    incoming->has_head = true;
    if (http1_content_length(parser) > parser->limits.body_bytes_max)
        return incoming->err = WHORL_EHTTP_BODY_TOO_LARGE;
    if (!http1_has_body(parser))
        parse(incoming); /* HTTP1_END; takes no byte */
    int err = read_expect(incoming);
    return err ? err : 1;
}

/* The next bytes of a head. The count, 0 at the end, or a code. */
static WHORL_SUSPENDS ssize_t receive_head(struct whorl_http_incoming *incoming,
                                           int64_t deadline_ns)
{
    struct http_stage stage;

    http_stage_enter(&stage, deadline_ns, WHORL_EHTTP_HEAD_TIMEOUT, WHORL_FOREVER);
    ssize_t n = wire_receive(incoming->wire);
    return http_stage_leave(&stage, n);
}

WHORL_SUSPENDS int incoming_read_head(struct whorl_http_incoming *incoming, int64_t limit_ns)
{
    int64_t deadline_ns = 0; /* set only when a part is missing */

    for (;;) {
        int event = parse(incoming);
        if (event == HTTP1_HEAD)
            return enter_body(incoming);
        if (event < 0)
            return event;
        if (deadline_ns == 0)
            deadline_ns = http_deadline(limit_ns);
        ssize_t n = receive_head(incoming, deadline_ns);
        if (n <= 0)
            return incoming->err = n < 0 ? (int)n : http1_eof(&incoming->parser);
    }
}

/* --- the body --- */

static WHORL_SUSPENDS int send_continue(struct whorl_http_incoming *incoming)
{
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec part = {text, sizeof text - 1};

    incoming->expects = false;
    return wire_write(incoming->wire, &part, 1);
}

/* Whether bytes may be received directly into the memory of the caller, because they can only
 * belong to the body. */
static bool is_direct(const struct whorl_http_incoming *incoming, const char *buf, size_t len)
{
    return buf && len >= WIRE_SMALL && incoming->parser.body.kind == BODY_LENGTH;
}

/* Receives at most the rest of the body into `buf`. */
static WHORL_SUSPENDS ssize_t receive_direct(struct whorl_http_incoming *incoming, char *buf,
                                             size_t len)
{
    struct body *body = &incoming->parser.body;
    size_t used;

    if ((uint64_t)body->left < len)
        len = (size_t)body->left;
    ssize_t n = whorl_stream_read(incoming->wire->stream, buf, len);
    if (n > 0) {
        http1_feed(&incoming->parser, buf, (size_t)n, &used, &incoming->span);
        incoming->span.len = 0; /* it is handed out */
        if (body->left == 0)
            parse(incoming); /* HTTP1_END */
    }
    return n;
}

/* How long the bytes that have arrived allow to wait for further ones. */
static int64_t rate_left_ns(const struct whorl_http_incoming *incoming)
{
    int64_t grace_ns = incoming->wire->timeouts->body_grace_ns, rate = incoming->rate_min;
    int64_t received = http1_received(&incoming->parser);

    if (grace_ns == WHORL_FOREVER || received / rate >= (WHORL_FOREVER - grace_ns) / WHORL_SECOND)
        return WHORL_FOREVER;
    return grace_ns + received / rate * WHORL_SECOND + received % rate * WHORL_SECOND / rate -
           incoming->waited_ns;
}

/* Enters the limit that ends first: for a wait, or for the rate of the whole body. */
static void enter_read(const struct whorl_http_incoming *incoming, struct http_stage *stage)
{
    int64_t stall_ns = incoming->wire->timeouts->read_stall_ns;
    int64_t left_ns = rate_left_ns(incoming);
    bool is_rate = left_ns < stall_ns;

    http_stage_enter(stage, http_deadline(is_rate ? left_ns : stall_ns),
                     is_rate ? WHORL_EHTTP_BODY_RATE : WHORL_EHTTP_STALL_TIMEOUT, WHORL_FOREVER);
}

/* Receives more of the body, into `buf` if possible; else into the connection's buffer. */
static WHORL_SUSPENDS ssize_t receive_body(struct whorl_http_incoming *incoming, char *buf,
                                           size_t len, bool *ret_is_direct)
{
    struct http_stage stage;
    int err = incoming->expects ? send_continue(incoming) : 0;
    ssize_t n;

    *ret_is_direct = is_direct(incoming, buf, len);
    if (err == 0 && !*ret_is_direct)
        err = wire_enlarge(incoming->wire);
    if (err)
        return err;
    enter_read(incoming, &stage);
    int64_t start_ns = whorl_now();
    n = *ret_is_direct ? receive_direct(incoming, buf, len) : wire_receive(incoming->wire);
    incoming->waited_ns += whorl_now() - start_ns;
    return http_stage_leave(&stage, n);
}

/* Hands out parsed bytes. */
static ssize_t take_span(struct whorl_http_incoming *incoming, char *buf, size_t len)
{
    struct http1_body_span *span = &incoming->span;
    size_t n = len < span->len ? len : span->len;

    if (buf)
        memcpy(buf, span->data, n);
    span->data += n;
    span->len -= n;
    return (ssize_t)n;
}

/* As whorl_http_incoming_read(); with `buf` NULL the bytes are dropped. */
static WHORL_SUSPENDS ssize_t read_body(struct whorl_http_incoming *incoming, char *buf, size_t len)
{
    bool direct;

    for (;;) {
        if (incoming->span.len > 0)
            return take_span(incoming, buf, len);
        if (incoming->err)
            return incoming->err;
        if (incoming->has_ended)
            return 0;
        int event = parse(incoming);
        if (event != HTTP1_NEED_INPUT)
            continue;
        ssize_t n = receive_body(incoming, buf, len, &direct);
        if (n > 0 && direct)
            return n;
        if (n == -ECANCELED)
            return n;
        if (n <= 0)
            incoming->err = n < 0 ? (int)n : http1_eof(&incoming->parser);
    }
}

WHORL_SUSPENDS ssize_t whorl_http_incoming_read(struct whorl_http_incoming *incoming, void *buf,
                                                size_t len)
{
    int err = whorl_check_cancelled();

    if (err || len == 0)
        return err;
    return read_body(incoming, buf, len);
}

static WHORL_SUSPENDS ssize_t read_incoming(void *incoming, void *buf, size_t len)
{
    return whorl_http_incoming_read(incoming, buf, len);
}

WHORL_SUSPENDS int whorl_http_incoming_read_to_end(struct whorl_http_incoming *incoming,
                                                   size_t len_max, char **ret, size_t *ret_len)
{
    int64_t length = whorl_http_incoming_length(incoming);
    size_t size_first = TO_END_SIZE;

    if (length > 0 && (uint64_t)length > len_max)
        return incoming->err = WHORL_EHTTP_BODY_TOO_LARGE;
    if (length >= 0)
        size_first = length < READ_FIRST_MAX ? (size_t)length : READ_FIRST_MAX;
    int err = to_end_read(read_incoming, incoming, size_first, len_max, ret, ret_len);
    if (err == -EFBIG && !incoming->err)
        err = incoming->err = WHORL_EHTTP_BODY_TOO_LARGE;
    return err;
}

bool incoming_can_drain(const struct whorl_http_incoming *incoming)
{
    const struct http1 *parser = &incoming->parser;

    if (incoming->err || !incoming->has_head)
        return false;
    /* A client that waits for "100 Continue" may or may not send its body. */
    return incoming->has_ended || (!incoming->expects && (http1_is_chunked(parser) ||
                                                          parser->body.left <= INCOMING_DRAIN_MAX));
}

WHORL_SUSPENDS int incoming_drain(struct whorl_http_incoming *incoming)
{
    ssize_t n = 0;

    for (int64_t dropped = 0; !incoming->has_ended || incoming->span.len > 0; dropped += n) {
        if (dropped > INCOMING_DRAIN_MAX)
            return WHORL_EHTTP_BODY_TOO_LARGE;
        n = read_body(incoming, NULL, SIZE_MAX);
        if (n < 0)
            return (int)n;
    }
    return 0;
}

/* --- what a handler asks for --- */

const char *whorl_http_incoming_method(const struct whorl_http_incoming *incoming)
{
    return http1_method(&incoming->parser);
}

const char *whorl_http_incoming_target(const struct whorl_http_incoming *incoming)
{
    return http1_target(&incoming->parser);
}

const char *whorl_http_incoming_path(const struct whorl_http_incoming *incoming)
{
    return http1_path(&incoming->parser);
}

const char *whorl_http_incoming_query(const struct whorl_http_incoming *incoming)
{
    return http1_query(&incoming->parser);
}

const char *whorl_http_incoming_host(const struct whorl_http_incoming *incoming)
{
    return http1_host(&incoming->parser);
}

int whorl_http_incoming_version_minor(const struct whorl_http_incoming *incoming)
{
    return http1_version_minor(&incoming->parser);
}

const char *whorl_http_incoming_header(const struct whorl_http_incoming *incoming, const char *name)
{
    return header_list_get(http1_headers(&incoming->parser), name);
}

bool whorl_http_incoming_header_at(const struct whorl_http_incoming *incoming, size_t index,
                                   struct whorl_http_header *ret)
{
    return header_list_at(http1_headers(&incoming->parser), index, ret);
}

const char *whorl_http_incoming_trailer(const struct whorl_http_incoming *incoming,
                                        const char *name)
{
    return header_list_get(http1_trailers(&incoming->parser), name);
}

int64_t whorl_http_incoming_length(const struct whorl_http_incoming *incoming)
{
    if (http1_is_chunked(&incoming->parser))
        return -1;
    int64_t length = http1_content_length(&incoming->parser);
    return length < 0 ? 0 : length;
}

const struct whorl_addr *whorl_http_incoming_peer(struct whorl_http_incoming *incoming)
{
    return wire_peer(incoming->wire);
}
