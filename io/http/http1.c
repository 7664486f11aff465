/* SPDX-License-Identifier: MIT */
/* The HTTP/1 response parser. A head is gathered line by line into the header list's block, with
 * every limit checked before a byte is kept; once the empty line has come, llhttp tokenises it in one
 * go, in place, so that a field never arrives in pieces. Trailers take the same path.
 *
 *     HEAD -> (1xx) PASSED -> HEAD -> BODY -> TRAILERS -> DONE
 *
 * llhttp 8.1 accepts more than RFC 9112 does. Refused before it: folded lines, line feeds without a
 * carriage return, control bytes, versions other than 1.0 and 1.1, status codes that are not three
 * digits from 100 to 599. Refused behind it: any transfer coding but a single "chunked", and all
 * that makes the end of the body doubtful. Where the body ends is decided here (body.c), for llhttp
 * waits for bodies that 204 and 304 responses never have.
 */
#include "io/http/http1.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <llhttp.h>

#include <whorl/error.h>

_Static_assert(LLHTTP_STRICT_MODE == 1, "llhttp's loose mode lets responses be smuggled");

enum state {
    STATE_HEAD,
    STATE_PASSED, /* a 1xx head was reported; its headers go with the next call */
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
    STATUS_LINE_MIN = 12, /* "HTTP/1.1 200" */
};

/* --- errors --- */

__attribute__((format(printf, 3, 4))) static int fail(struct http1 *p, int err, const char *format,
                                                      ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->error_text, sizeof p->error_text, format, args);
    va_end(args);
    p->error = err;
    return err;
}

/* Up to `len` foreign bytes as printable text. Returns `ret`. */
static const char *printable(char ret[64], const char *bytes, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 8 < 64; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x20 && c < 0x7f && c != '\\')
            ret[n++] = (char)c;
        else
            n += (size_t)snprintf(ret + n, 8, "\\x%02x", c);
    }
    ret[n] = '\0';
    return ret;
}

static const char *section_name(const struct http1 *p)
{
    return p->state == STATE_TRAILERS ? "trailer" : "header";
}

/* --- lines of a section, before llhttp --- */

/* RFC 9112 §4, as far as the first `len` bytes of the status line tell, in their order. A peer that
 * does not speak HTTP is found out by its first bytes, not by the limit of the head. */
static int check_status_line(struct http1 *p, const char *line, size_t len, bool is_whole)
{
    static const char pattern[STATUS_LINE_MIN + 1] = "HTTP/0.0 000"; /* 0 is any digit */
    char shown[64];
    const char *wrong = NULL;

    if (len > STATUS_LINE_MIN && memcmp(line, "HTTP/1.1 200 ", STATUS_LINE_MIN + 1) == 0)
        return 0;
    for (size_t i = 0; i < len && i < STATUS_LINE_MIN && !wrong; i++) {
        bool digit = line[i] >= '0' && line[i] <= '9';
        if (pattern[i] == '0' ? !digit : line[i] != pattern[i])
            wrong = i < 9 ? "not an HTTP/1 status line" : "status code is not three digits";
        else if (i == 7 && (line[5] != '1' || line[7] > '1'))
            return fail(p, WHORL_EHTTP_VERSION, "the response is in HTTP/%c.%c", line[5], line[7]);
        else if (i == 9 && (line[9] < '1' || line[9] > '5'))
            wrong = "status code is not in 100 to 599";
    }
    /* The space before an empty reason is often left out. */
    if (!wrong &&
        (len > STATUS_LINE_MIN ? line[STATUS_LINE_MIN] != ' ' : is_whole && len < STATUS_LINE_MIN))
        wrong =
            len > STATUS_LINE_MIN ? "status code is not three digits" : "status line is too short";
    if (!wrong)
        return 0;
    return fail(p, WHORL_EHTTP_STATUS_LINE, "%s: \"%s\"", wrong, printable(shown, line, len));
}

/* A line with its line feed. Returns 1 when it is the empty one, else 0 or an error. */
static int check_line(struct http1 *p, const char *line, size_t len)
{
    bool is_first = p->lines++ == 0 && p->state == STATE_HEAD;
    int err = 0;

    if (len < 2 || line[len - 2] != '\r')
        return fail(p, is_first ? WHORL_EHTTP_STATUS_LINE : WHORL_EHTTP_HEADER,
                    "line %zu of the %ss ends in a line feed without a carriage return", p->lines,
                    section_name(p));
    len -= 2;
    if (is_first)
        err = check_status_line(p, line, len, true);
    else if (len == 0)
        return 1;
    else if (line[0] == ' ' || line[0] == '\t') /* RFC 9112 §5.2 */
        return fail(p, WHORL_EHTTP_HEADER, "line %zu of the %ss is folded", p->lines,
                    section_name(p));
    else if (p->lines - (p->state == STATE_HEAD) > p->limits.headers_max)
        return fail(p, WHORL_EHTTP_HEADERS_TOO_MANY, "more than %zu %ss", p->limits.headers_max,
                    section_name(p));
    return err;
}

/* The length of what has come of a line, without as much of its CR LF as has come. */
static size_t without_end(const char *line, size_t len)
{
    len -= len > 0 && line[len - 1] == '\n';
    return len - (len > 0 && line[len - 1] == '\r');
}

static int keep(struct http1 *p, struct header_list *list, const char *bytes, size_t len)
{
    int err = header_list_append_raw(list, bytes, len);
    return err ? fail(p, err, "out of memory") : 0;
}

/* Appends lines to the list's bytes up to the empty one. Returns 1 when that has come, 0 when all
 * bytes were used, or an error. */
static int gather(struct http1 *p, struct header_list *list, const char *buf, size_t len,
                  size_t *ret_used)
{
    size_t kept = 0, pos = 0; /* of buf: bytes in the list already; start of the current line */
    size_t gathered = list->bytes_len;
    int is_end = 0, err;

    while (!is_end && pos < len) {
        const char *lf = memchr(buf + pos, '\n', len - pos);
        size_t end = lf ? (size_t)(lf - buf) + 1 : len;
        const char *line = buf + pos;
        size_t line_len = end - pos;

        *ret_used = end;
        if (p->line_start < gathered && pos == 0) { /* its beginning came earlier */
            size_t room = p->limits.head_bytes_max - gathered;
            err = keep(p, list, buf, end < room ? end : room);
            if (err)
                return err;
            kept = end;
            line = list->bytes + p->line_start;
            line_len = list->bytes_len - p->line_start;
        }
        /* Before the limit, so that neither depends on how the input is cut. */
        if (p->lines == 0 && p->state == STATE_HEAD) {
            err = check_status_line(p, line, without_end(line, line_len), false);
            if (err)
                return err;
        }
        if (gathered + end > p->limits.head_bytes_max)
            return fail(p, WHORL_EHTTP_HEAD_TOO_LARGE, "%ss take more than %zu bytes",
                        section_name(p), p->limits.head_bytes_max);
        if (lf) {
            is_end = check_line(p, line, line_len);
            if (is_end < 0)
                return is_end;
            p->line_start = gathered + end;
        }
        pos = end;
    }
    err = keep(p, list, buf + kept, pos - kept);
    return err ? err : is_end;
}

/* --- a whole section, through llhttp --- */

static size_t count_controls(const char *text, size_t len)
{
    size_t total = 0;

    while (len > 0) { /* blocks whose count fits a byte become vector code */
        size_t block = len < 128 ? len : 128;
        uint8_t n = 0;
        for (size_t i = 0; i < block; i++) {
            uint8_t c = (uint8_t)text[i];
            n += (uint8_t)(((c < 0x20) & (c != '\t')) | (c == 0x7f));
        }
        total += n;
        text += block;
        len -= block;
    }
    return total;
}

/* Each line ends in two control bytes, and no other may be in a section. llhttp looks at most values
 * but not at the reason nor at what Connection says. */
static int check_controls(struct http1 *p, const struct header_list *list)
{
    size_t line = 1;

    if (count_controls(list->bytes, list->bytes_len) == 2 * p->lines)
        return 0;
    for (const char *at = list->bytes;; line++) {
        const char *end = (const char *)memchr(at, '\n', list->bytes_len) - 1;
        if (!header_is_value(at, (size_t)(end - at)))
            break;
        at = end + 2;
    }
    return fail(p,
                line == 1 && p->state == STATE_HEAD ? WHORL_EHTTP_STATUS_LINE : WHORL_EHTTP_HEADER,
                "control byte in line %zu of the %ss", line, section_name(p));
}

struct section {
    struct http1 *p;
    struct header_list *list;
    size_t name, name_len; /* of the field being read */
    size_t value, value_len;
    bool has_value, is_complete;
    const char *reason; /* of a callback that refuses; llhttp forgets its own */
    int err;
};

static size_t offset(const struct section *s, const char *at)
{
    return (size_t)(at - s->list->bytes);
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct section *s = parser->data;
    s->name = offset(s, at);
    s->name_len = len;
    s->has_value = false;
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct section *s = parser->data;
    if (len == 0) /* `at` is then on the next line */
        return 0;
    if (s->has_value) /* only a folded line comes in two pieces, and those are refused before */
        return -1;
    s->value = offset(s, at);
    s->value_len = len;
    s->has_value = true;
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    struct section *s = parser->data;
    const char *bytes = s->list->bytes;

    if (s->name_len == 0) {
        s->reason = "Empty header name";
        return -1;
    }
    if (!s->has_value) {
        s->value = s->name + s->name_len + 1;
        s->value_len = 0;
    }
    while (s->value_len > 0 && (bytes[s->value + s->value_len - 1] == ' ' ||
                                bytes[s->value + s->value_len - 1] == '\t'))
        s->value_len--;
    s->err = header_list_mark(s->list, s->name, s->name_len, s->value, s->value_len);
    return s->err ? -1 : 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct section *s = parser->data;
    s->is_complete = true;
    return 1; /* the body is none of llhttp's business */
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
};

static int refuse(const struct section *s, const llhttp_t *parser, llhttp_errno_t code)
{
    const char *end = llhttp_get_error_pos(parser),
               *reason = s->reason ? s->reason : llhttp_get_error_reason(parser);
    size_t line = 1;
    int err = WHORL_EHTTP_HEADER;

    if (s->err)
        return fail(s->p, s->err, "out of memory");
    if (code == HPE_INVALID_TRANSFER_ENCODING ||
        (code == HPE_UNEXPECTED_CONTENT_LENGTH && (parser->flags & F_TRANSFER_ENCODING)))
        err = WHORL_EHTTP_TRANSFER_ENCODING;
    else if (code == HPE_INVALID_CONTENT_LENGTH || code == HPE_UNEXPECTED_CONTENT_LENGTH)
        err = WHORL_EHTTP_LENGTH;
    for (const char *at = s->list->bytes; end && at < end; at++)
        line += *at == '\n';
    return fail(s->p, err, "line %zu of the %ss: %s", line, section_name(s->p),
                reason ? reason : "malformed");
}

/* Tokenises the section gathered in `list`. A trailer section is a head without a status line, so
 * llhttp is given one. */
static int tokenise(struct http1 *p, struct header_list *list)
{
    static const char status_line[] = "HTTP/1.1 200 OK\r\n";
    struct section s = {.p = p, .list = list};
    llhttp_t parser;
    llhttp_errno_t code = HPE_OK;
    int err = check_controls(p, list);

    if (err)
        return err;
    llhttp_init(&parser, HTTP_RESPONSE, &settings);
    parser.data = &s;
    if (p->state == STATE_TRAILERS)
        code = llhttp_execute(&parser, status_line, sizeof status_line - 1);
    if (code == HPE_OK)
        code = llhttp_execute(&parser, list->bytes, list->bytes_len);
    if (!s.is_complete)
        return refuse(&s, &parser, code);
    return 0;
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

/* RFC 9112 §6.1, §7: the one coding we can undo, and did not have to ask for, is "chunked". */
static int read_coding(struct http1 *p, const char *text)
{
    char shown[64];

    if (p->has_coding || !header_equal(text, "chunked"))
        return fail(p, WHORL_EHTTP_TRANSFER_ENCODING,
                    "Transfer-Encoding is not just \"chunked\"%s%s", p->has_coding ? "" : ": ",
                    p->has_coding ? "" : printable(shown, text, strlen(text)));
    p->has_coding = true;
    return 0;
}

/* Reads what frames the message. Names are told apart by their length first. */
static int read_framing(struct http1 *p)
{
    const struct header_list *list = &p->headers;
    int err = 0;

    for (size_t i = 0; i < list->count && err == 0; i++) {
        const char *name = list->bytes + list->fields[i].name;
        const char *value = list->bytes + list->fields[i].value;
        if (list->fields[i].name_len == 14 && header_equal(name, "Content-Length"))
            err = read_length(p, value);
        else if (list->fields[i].name_len == 17 && header_equal(name, "Transfer-Encoding"))
            err = read_coding(p, value);
    }
    if (err)
        return err;
    /* RFC 9112 §6.1: such a message "ought to be handled as an error" by the careful. */
    if (p->has_coding && p->has_length)
        return fail(p, WHORL_EHTTP_TRANSFER_ENCODING, "both Transfer-Encoding and Content-Length");
    if (p->has_coding && p->version_minor == 0)
        return fail(p, WHORL_EHTTP_TRANSFER_ENCODING, "Transfer-Encoding in HTTP/1.0");
    return 0;
}

/* RFC 9112 §6.3 */
static enum body_kind judge_body(const struct http1 *p)
{
    if (p->is_head || p->status < 200 || p->status == 204 || p->status == 304)
        return BODY_NONE;
    if (p->has_coding)
        return BODY_CHUNKED;
    return p->has_length ? BODY_LENGTH : BODY_UNTIL_CLOSE;
}

/* The head is whole. Returns an event. */
static int enter_body(struct http1 *p)
{
    const char *line = p->headers.bytes;
    const char *line_end = memchr(line, '\r', p->headers.bytes_len); /* not NULL: checked */

    p->version_minor = (uint8_t)(line[7] - '0');
    p->status = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
    p->reason = STATUS_LINE_MIN + (line[STATUS_LINE_MIN] == ' ');
    p->reason_len = (uint32_t)(line_end - line) - p->reason;
    p->headers.bytes[p->reason + p->reason_len] = '\0';
    p->has_length = p->has_coding = false;
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
    p->line_start = 0;
    p->lines = 0;
    p->state = (uint8_t)state;
}

static int feed_head(struct http1 *p, const char *buf, size_t len, size_t *ret_used)
{
    p->begun |= len > 0;
    int err = gather(p, &p->headers, buf, len, ret_used);
    if (err <= 0)
        return err;
    err = tokenise(p, &p->headers);
    return err ? err : enter_body(p);
}

static int feed_trailers(struct http1 *p, const char *buf, size_t len, size_t *ret_used)
{
    int err = gather(p, &p->trailers, buf, len, ret_used);
    if (err <= 0)
        return err;
    if (p->lines > 1) /* more than the empty line */
        err = tokenise(p, &p->trailers);
    else
        err = 0;
    if (err < 0)
        return err;
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

int http1_eof(struct http1 *p)
{
    if (p->error)
        return p->error;
    switch ((enum state)p->state) {
    case STATE_HEAD:
    case STATE_PASSED:
        if (!p->begun)
            return fail(p, WHORL_EHTTP_NO_RESPONSE, "closed before the first byte of a response");
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

    memset(p, 0, offsetof(struct http1, error_text) + 1);
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
    p->content_length = -1;
    header_list_clear(&p->headers);
    header_list_clear(&p->trailers);
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
    if (header_list_has_token(&p->headers, "Connection", "close"))
        return false;
    return p->version_minor > 0 || header_list_has_token(&p->headers, "Connection", "keep-alive");
}

bool http1_has_begun(const struct http1 *p)
{
    return p->begun;
}

const char *http1_error_text(const struct http1 *p)
{
    return p->error_text;
}
