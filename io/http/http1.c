/* SPDX-License-Identifier: MIT */
/* The HTTP/1 parser: what a head means, where its body ends, and the order of the parts.
 *
 *     HEAD -> (1xx) PASSED -> HEAD -> BODY -> TRAILERS -> DONE
 *
 * Any transfer coding except a single "chunked" is refused, and so is everything that makes the end
 * of the body ambiguous. The end is decided here and not by llhttp, which waits for a body after a
 * 204 or 304 response, where there is none.
 */
#include "io/http/http1.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <whorl/error.h>

enum state {
    STATE_HEAD,
    STATE_PASSED, /* a 1xx head was reported; the next call drops its headers */
    STATE_BODY,
    STATE_TRAILERS,
    STATE_DONE,
};

enum {
    HEAD_BYTES_DEFAULT = 64 * 1024,
    HEAD_BYTES_MIN = 64,
    HEAD_BYTES_LIMIT = 1 << 30, /* offsets into a head are 32 bits wide */
    HEADERS_DEFAULT = 128,
    INFORMATIONAL_DEFAULT = 16,
    TARGET_BYTES_DEFAULT = 8192, /* RFC 9112 §3 asks for 8000 at least */
};

/* --- errors --- */

__attribute__((format(printf, 3, 4))) static int fail(struct http1 *p, int err, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->section.error_text, sizeof p->section.error_text, format, args);
    va_end(args);
    p->error = err;
    return err;
}

/* --- what a head means --- */

static int read_length(struct http1 *p, const char *text)
{
    int64_t n = 0;

    if (p->has_length)
        return fail(p, WHORL_EHTTP_LENGTH, "more than one Content-Length");
    if (*text == '\0')
        return fail(p, WHORL_EHTTP_LENGTH, "Content-Length is empty");
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9')
            return fail(p, WHORL_EHTTP_LENGTH, "Content-Length is not a number");
        if (n > (INT64_MAX - (*c - '0')) / 10)
            return fail(p, WHORL_EHTTP_LENGTH, "Content-Length is too large");
        n = n * 10 + (*c - '0');
    }
    p->has_length = true;
    p->content_length = n;
    return 0;
}

/* Whether "chunked" follows other codings, which may be valid but are not decoded here. */
static bool is_unknown_coding(const char *text)
{
    bool is_first = true;

    for (; !header_equal(text, "chunked"); is_first = false) {
        size_t len = strcspn(text, ",");
        bool is_chunked = len == 7 && strncasecmp(text, "chunked", len) == 0;
        if (is_chunked || !header_is_token(text, len) || text[len] == '\0')
            return false;
        text += len + 1;
        text += strspn(text, " \t");
    }
    return !is_first;
}

/* RFC 9112 §6.1, §7: "chunked" is the only coding that needs no request header and that we decode.
 * A request whose last coding is not "chunked" has no reliable end (§6.3). */
static int read_coding(struct http1 *p, const char *text)
{
    char shown[HEADER_PRINTABLE];
    bool is_unknown = p->is_request && !p->has_coding && is_unknown_coding(text);

    if (!is_unknown && (p->has_coding || !header_equal(text, "chunked")))
        return fail(p, WHORL_EHTTP_TRANSFER_ENCODING,
                    "Transfer-Encoding is not just \"chunked\"%s%s", p->has_coding ? "" : ": ",
                    p->has_coding ? "" : header_printable(shown, text, strlen(text)));
    p->has_coding = true;
    p->has_unknown_coding = is_unknown;
    return 0;
}

static void note_connection(struct http1 *p, size_t index)
{
    p->connections += p->connections < 2;
    p->connection = (uint32_t)index;
}

/* Nearly all servers write it like this, and memcmp(3) is faster. */
static inline bool has_name(const struct header_list *list, const struct header_field *field,
                            const char *name, size_t len)
{
    const char *text = list->bytes + field->name;

    return memcmp(text, name, len) == 0 || header_equal(text, name);
}

/* Reads the headers that frame the message, and finds Connection. Names are compared by their
 * length first. */
static int read_framing(struct http1 *p)
{
    const struct header_list *list = &p->headers;
    int err = 0;
    const struct header_field *field = list->fields, *end = field + list->count;

    for (; field < end && err == 0; field++)
        switch (field->name_len) {
        case 10:
            if (has_name(list, field, "Connection", 10))
                note_connection(p, (size_t)(field - list->fields));
            break;
        case 14:
            if (has_name(list, field, "Content-Length", 14))
                err = read_length(p, list->bytes + field->value);
            break;
        case 17:
            if (has_name(list, field, "Transfer-Encoding", 17))
                err = read_coding(p, list->bytes + field->value);
            break;
        }
    if (err)
        return err;
    /* RFC 9112 §6.1: such a message "ought to be handled as an error". */
    if (p->has_coding && p->has_length)
        return fail(p, WHORL_EHTTP_TRANSFER_ENCODING, "both Transfer-Encoding and Content-Length");
    if (p->has_coding && p->version_minor == 0)
        return fail(p, WHORL_EHTTP_TRANSFER_ENCODING, "Transfer-Encoding in HTTP/1.0");
    /* RFC 9112 §6.1 */
    if (p->has_unknown_coding)
        return fail(p, WHORL_EHTTP_TRANSFER_CODING, "Transfer-Encoding has other codings");
    return 0;
}

/* --- what a request says beyond that --- */

/* Appends a copy of a part of the head, with a NUL. */
static int copy_part(struct http1 *p, uint32_t from, uint32_t len, uint32_t *ret)
{
    struct header_list *list = &p->headers;
    uint32_t at = (uint32_t)list->bytes_len;

    /* Makes room first, because that may move the block, and then copies the bytes. */
    int err = header_list_reserve(list, (size_t)len + 1);
    if (err)
        return fail(p, err, "out of memory");
    memcpy(list->bytes + at, list->bytes + from, len);
    list->bytes[at + len] = '\0';
    list->bytes_len += (size_t)len + 1;
    *ret = at;
    return 0;
}

/* RFC 9112 §3.2: exactly one Host. */
static int read_host(struct http1 *p)
{
    const struct header_list *list = &p->headers;
    bool has_host = false;

    for (size_t i = 0; i < list->count; i++) {
        const struct header_field *field = &list->fields[i];
        if (field->name_len != 4 || !header_equal(list->bytes + field->name, "Host"))
            continue;
        if (has_host)
            return fail(p, WHORL_EHTTP_HOST, "more than one Host");
        if (!request_is_host(list->bytes + field->value, field->value_len))
            return fail(p, WHORL_EHTTP_HOST, "Host is not a host");
        has_host = true;
        /* RFC 9112 §3.2.2: the host of the target replaces the Host header. */
        if (!p->has_host)
            p->host = field->value;
    }
    if (!has_host && p->version_minor > 0)
        return fail(p, WHORL_EHTTP_HOST, "no Host");
    p->has_host |= has_host;
    return 0;
}

/* Stores the parts of a target. The path of "/a" is the target itself. */
static int read_target(struct http1 *p)
{
    struct request_target parts;
    const struct request_line *line = &p->section.request_line;
    const char *why;

    p->headers.bytes[line->method_len] = '\0';
    p->headers.bytes[line->target + line->target_len] = '\0';
    p->target = p->path = line->target;
    int err = request_target_read(line, p->headers.bytes, &parts, &why);
    if (err)
        return fail(p, err, "%s", why);
    p->has_query = parts.has_query;
    p->query = parts.query;
    if (parts.authority_len > 0) {
        err = copy_part(p, parts.authority, parts.authority_len, &p->host);
        p->has_host = true;
    }
    if (err || (!parts.has_query && parts.authority_len == 0))
        return err;
    if (parts.path_len > 0)
        return copy_part(p, parts.path, parts.path_len, &p->path);
    p->path = (uint32_t)p->headers.bytes_len; /* of "http://host" */
    err = header_list_append_raw(&p->headers, "/", sizeof "/");
    return err ? fail(p, err, "out of memory") : 0;
}

/* The head of a request is complete. Returns an event. */
static int enter_request_body(struct http1 *p)
{
    p->version_minor = p->section.request_line.version_minor;
    p->content_length = -1;
    int err = read_target(p);
    if (err == 0)
        err = read_framing(p);
    if (err == 0)
        err = read_host(p);
    if (err)
        return err;
    /* RFC 9112 §6.3: a request without framing headers has no body. */
    enum body_kind kind = p->has_coding ? BODY_CHUNKED : p->has_length ? BODY_LENGTH : BODY_NONE;
    body_start(&p->body, kind, p->content_length, p->limits.body_bytes_max);
    p->state = STATE_BODY;
    return HTTP1_HEAD;
}

/* --- the body of a response --- */

/* RFC 9112 §6.3 */
static enum body_kind judge_body(const struct http1 *p)
{
    if (p->is_head || p->status < 200 || p->status == 204 || p->status == 304)
        return BODY_NONE;
    if (p->has_coding)
        return BODY_CHUNKED;
    return p->has_length ? BODY_LENGTH : BODY_UNTIL_CLOSE;
}

/* The head of a response is complete. Returns an event. */
static int enter_body(struct http1 *p)
{
    const char *line = p->headers.bytes;
    const char *line_end = memchr(line, '\r', p->headers.bytes_len); /* not NULL: checked */

    p->version_minor = (uint8_t)(line[7] - '0');
    p->status = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
    p->reason = SECTION_STATUS_LINE_MIN + (line[SECTION_STATUS_LINE_MIN] == ' ');
    p->reason_len = (uint32_t)(line_end - line) - p->reason;
    p->headers.bytes[p->reason + p->reason_len] = '\0';
    p->has_length = p->has_coding = p->has_unknown_coding = false;
    p->connections = 0;
    p->content_length = -1;
    int err = read_framing(p);
    if (err)
        return err;
    if (p->status == 101)
        return fail(p, WHORL_EHTTP_UPGRADE, "status 101 without a request to upgrade");
    if (p->status < 200) {
        if (++p->informationals > p->limits.informational_max)
            return fail(p, WHORL_EHTTP_INFORMATIONAL, "more than %d informational responses",
                        p->limits.informational_max);
        p->state = STATE_PASSED;
        return HTTP1_INFORMATIONAL;
    }
    body_start(&p->body, judge_body(p), p->content_length, p->limits.body_bytes_max);
    p->state = STATE_BODY;
    return HTTP1_HEAD;
}

/* --- the pull interface --- */

static void enter_section(struct http1 *p, enum state state, struct header_list *list)
{
    header_list_clear(list);
    section_start(&p->section, state == STATE_TRAILERS);
    p->state = (uint8_t)state;
}

/* Feeds the section of the state. Returns 1 when it is complete, 0 when it needs more, or an
 * error. */
static int feed_section(struct http1 *p, struct header_list *list, const char *buf, size_t len,
                        size_t *ret_used)
{
    int result = section_feed(&p->section, list, buf, len, ret_used);

    if (result == -ENOMEM)
        return fail(p, result, "out of memory");
    if (result < 0)
        p->error = result;
    return result;
}

/* RFC 9112 §2.2: some clients send an empty line after a body. Skips an empty line before a request
 * line. Returns the number of skipped bytes. */
static size_t skip_line_end(struct http1 *p, const char *buf, size_t len)
{
    size_t n = 0;

    while (p->headers.bytes_len == 0 && n < len && p->line_ends < 2 &&
           buf[n] == "\r\n"[p->line_ends]) {
        p->line_ends++;
        n++;
    }
    return n;
}

static int feed_head(struct http1 *p, const char *buf, size_t len, size_t *ret_used)
{
    size_t skipped = p->is_request ? skip_line_end(p, buf, len) : 0;

    p->begun |= len > 0;
    if (skipped < len && p->line_ends == 1)
        return fail(p, WHORL_EHTTP_REQUEST_LINE, "carriage return without line feed");
    int result = feed_section(p, &p->headers, buf + skipped, len - skipped, ret_used);
    *ret_used += skipped;
    if (result != 1)
        return result;
    return p->is_request ? enter_request_body(p) : enter_body(p);
}

static int feed_trailers(struct http1 *p, const char *buf, size_t len, size_t *ret_used)
{
    int result = feed_section(p, &p->trailers, buf, len, ret_used);
    if (result != 1)
        return result;
    p->state = STATE_DONE;
    return HTTP1_END;
}

/* Returns an event, or -1 when the trailers come next. */
static int feed_body(struct http1 *p, const char *buf, size_t len, size_t *ret_used,
                     struct http1_body_span *ret_span)
{
    int event = body_feed(&p->body, buf, len, ret_used, &ret_span->data, &ret_span->len);

    switch (event) {
    case BODY_NEED_INPUT:
        return HTTP1_NEED_INPUT;
    case BODY_DATA:
        return HTTP1_BODY;
    case BODY_TRAILERS:
        enter_section(p, STATE_TRAILERS, &p->trailers);
        return -1;
    case BODY_DONE:
        p->state = STATE_DONE;
        return HTTP1_END;
    default:
        return fail(p, event, "%s, after %lld bytes of body", p->body.reason,
                    (long long)p->body.received);
    }
}

int http1_feed(struct http1 *p, const char *buf, size_t len, size_t *ret_used,
               struct http1_body_span *ret_span)
{
    *ret_used = 0;
    if (p->error)
        return p->error;
    if (p->state == STATE_PASSED)
        enter_section(p, STATE_HEAD, &p->headers);
    if (p->state == STATE_HEAD)
        return feed_head(p, buf, len, ret_used);
    if (p->state == STATE_BODY) {
        int event = feed_body(p, buf, len, ret_used, ret_span);
        if (p->state != STATE_TRAILERS)
            return event;
        buf += *ret_used;
        len -= *ret_used;
    }
    if (p->state == STATE_TRAILERS) {
        size_t used = 0;
        int event = feed_trailers(p, buf, len, &used);
        *ret_used += used;
        return event;
    }
    return HTTP1_END;
}

int64_t http1_rest(const struct http1 *p)
{
    const struct body *body = &p->body;

    if (p->error || p->state != STATE_BODY || body->kind != BODY_LENGTH ||
        body->left > body->bytes_max - body->received)
        return 0;
    return body->left;
}

int http1_pass(struct http1 *p, int64_t n)
{
    p->body.left -= n;
    p->body.received += n;
    if (p->body.left > 0)
        return HTTP1_NEED_INPUT;
    p->state = STATE_DONE;
    return HTTP1_END;
}

int http1_eof(struct http1 *p)
{
    if (p->error)
        return p->error;
    switch ((enum state)p->state) {
    case STATE_HEAD:
    case STATE_PASSED:
        if (!p->begun)
            return fail(p, WHORL_EHTTP_NO_RESPONSE, "closed before the first byte of a %s",
                        p->is_request ? "request" : "response");
        return fail(p, WHORL_EHTTP_TRUNCATED, "closed within the head, after %zu bytes",
                    p->headers.bytes_len);
    case STATE_BODY:
        if (p->body.kind == BODY_LENGTH && p->body.left > 0)
            return fail(p, WHORL_EHTTP_TRUNCATED, "closed after %lld of %lld bytes of body",
                        (long long)p->body.received, (long long)p->content_length);
        if (p->body.kind == BODY_CHUNKED)
            return fail(p, WHORL_EHTTP_TRUNCATED,
                        "closed after %lld bytes of body, before its last chunk",
                        (long long)p->body.received);
        p->state = STATE_DONE;
        return HTTP1_END;
    case STATE_TRAILERS:
        return fail(p, WHORL_EHTTP_TRUNCATED, "closed within the trailers");
    case STATE_DONE:
        break;
    }
    return HTTP1_END;
}

void http1_init(struct http1 *p, const struct http1_limits *limits, bool is_head)
{
    *p = (struct http1){0};
    http1_reset(p, limits, is_head);
}

void http1_reset(struct http1 *p, const struct http1_limits *limits, bool is_head)
{
    struct header_list headers = p->headers, trailers = p->trailers;

    memset(p, 0, offsetof(struct http1, section.error_text) + 1);
    p->headers = headers;
    p->trailers = trailers;
    p->is_head = is_head;
    if (limits)
        p->limits = *limits;
    if (p->limits.head_bytes_max == 0)
        p->limits.head_bytes_max = HEAD_BYTES_DEFAULT;
    if (p->limits.head_bytes_max < HEAD_BYTES_MIN)
        p->limits.head_bytes_max = HEAD_BYTES_MIN;
    if (p->limits.head_bytes_max > HEAD_BYTES_LIMIT)
        p->limits.head_bytes_max = HEAD_BYTES_LIMIT;
    if (p->limits.headers_max == 0)
        p->limits.headers_max = HEADERS_DEFAULT;
    if (p->limits.informational_max == 0)
        p->limits.informational_max = INFORMATIONAL_DEFAULT;
    if (p->limits.body_bytes_max <= 0)
        p->limits.body_bytes_max = INT64_MAX;
    if (p->limits.target_bytes_max == 0)
        p->limits.target_bytes_max = TARGET_BYTES_DEFAULT;
    p->content_length = -1;
    p->section.bytes_max = p->limits.head_bytes_max;
    p->section.fields_max = p->limits.headers_max;
    header_list_clear(&p->headers);
    header_list_clear(&p->trailers);
}

void http1_reset_request(struct http1 *p, const struct http1_limits *limits)
{
    http1_reset(p, limits, false);
    p->is_request = p->section.is_request = true;
    p->section.request_line.target_max = p->limits.target_bytes_max;
}

void http1_finish(struct http1 *p)
{
    header_list_finish(&p->headers);
    header_list_finish(&p->trailers);
}

/* --- accessors --- */

int http1_status(const struct http1 *p)
{
    return p->status;
}

const char *http1_reason(const struct http1 *p)
{
    return p->headers.bytes_len > 0 ? p->headers.bytes + p->reason : "";
}

const struct header_list *http1_headers(const struct http1 *p)
{
    return &p->headers;
}

const struct header_list *http1_trailers(const struct http1 *p)
{
    return &p->trailers;
}

int64_t http1_content_length(const struct http1 *p)
{
    return p->content_length;
}

bool http1_is_chunked(const struct http1 *p)
{
    return p->body.kind == BODY_CHUNKED;
}

bool http1_is_close_delimited(const struct http1 *p)
{
    return p->body.kind == BODY_UNTIL_CLOSE;
}

bool http1_has_body(const struct http1 *p)
{
    return p->body.kind != BODY_NONE && !(p->body.kind == BODY_LENGTH && p->content_length == 0);
}

int64_t http1_received(const struct http1 *p)
{
    return p->body.received;
}

bool http1_keep_alive(const struct http1 *p)
{
    if (p->error || p->state != STATE_DONE || p->body.kind == BODY_UNTIL_CLOSE)
        return false;
    /* RFC 9112 §6.3: no body follows, but a server that announces one may send it. */
    if (p->status == 204 && (p->has_coding || p->content_length > 0))
        return false;
    return http1_says_keep_alive(p);
}

/* Whether the message has the one Connection header that nearly all servers send. */
static bool is_just_keep_alive(const struct http1 *p)
{
    const struct header_field *field = &p->headers.fields[p->connection];

    return p->connections == 1 && p->connection < p->headers.count && field->value_len == 10 &&
           memcmp(p->headers.bytes + field->value, "keep-alive", 10) == 0;
}

bool http1_says_keep_alive(const struct http1 *p)
{
    if (p->connections == 0)
        return p->version_minor > 0;
    if (is_just_keep_alive(p))
        return true;
    if (header_list_has_token(&p->headers, "Connection", "close"))
        return false;
    return p->version_minor > 0 || header_list_has_token(&p->headers, "Connection", "keep-alive");
}

const char *http1_method(const struct http1 *p)
{
    return p->headers.bytes;
}

const char *http1_target(const struct http1 *p)
{
    return p->headers.bytes + p->target;
}

const char *http1_path(const struct http1 *p)
{
    return p->headers.bytes + p->path;
}

const char *http1_query(const struct http1 *p)
{
    return p->has_query ? p->headers.bytes + p->query : NULL;
}

const char *http1_host(const struct http1 *p)
{
    return p->has_host ? p->headers.bytes + p->host : NULL;
}

int http1_version_minor(const struct http1 *p)
{
    return p->version_minor;
}

bool http1_has_begun(const struct http1 *p)
{
    return p->begun;
}

const char *http1_error_text(const struct http1 *p)
{
    return p->section.error_text;
}
