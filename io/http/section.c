/* SPDX-License-Identifier: MIT */
/* Reads a section. Its lines are collected in the block of the header list. Every limit is checked
 * before a byte is stored. After the empty line, one call of llhttp tokenises the whole section in
 * place, so a field never arrives in pieces.
 *
 * llhttp 8.1 accepts input that RFC 9112 forbids. This file refuses it:
 *
 *     before llhttp runs     line feeds without a carriage return; control bytes; versions other
 *                            than 1.0 and 1.1; status codes that are not three digits from 100 to
 *                            999; folded lines of fields for which decides() is true
 *     in llhttp's callbacks  empty names
 *
 * llhttp never sees request lines, because it knows a fixed list of methods and accepts invalid
 * targets. request_line.c reads the request lines. Requests with folded lines are refused (RFC 9112
 * §5.2).
 *
 * llhttp also refuses input that the RFCs allow. This file changes such input before llhttp runs:
 * it unfolds other folded lines, replaces a tab at the end of a line by a space, and removes
 * framing fields from trailers.
 */
#include "io/http/section.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <llhttp.h>

#include <whorl/error.h>

/* Version 9 has no such macro: it is strict unless a program sets its lenient flags. */
#if LLHTTP_VERSION_MAJOR < 9
_Static_assert(LLHTTP_STRICT_MODE == 1, "llhttp's loose mode lets responses be smuggled");
#endif

__attribute__((format(printf, 3, 4))) static int fail(struct section *s, int err,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->error_text, sizeof s->error_text, format, args);
    va_end(args);
    return err;
}

/* The word for the section's fields in error texts. */
static const char *field_name(const struct section *s)
{
    return s->is_trailers ? "trailer" : "header";
}

/* --- lines of a section, before llhttp --- */

enum { FRAME_HEADER = 9 };

/* RFC 9113 §3.4, §4.1: an HTTP/2 server begins with a SETTINGS frame of stream 0. How many of the
 * first `len` bytes, at most FRAME_HEADER, could be its header. */
static size_t match_settings(const char *bytes, size_t len)
{
    static const char header[FRAME_HEADER] = {0, 0, 0, 4}; /* [2] is the length */
    size_t n = 0;

    while (n < FRAME_HEADER && n < len && (n == 2 || bytes[n] == header[n]))
        n++;
    return n;
}

/* RFC 9112 §4: checks the first `len` bytes of the status line in their order. So the first bytes
 * show that a peer does not speak HTTP, and not the limit of the head. */
static int check_status_line(struct section *s, const char *line, size_t len, bool is_whole)
{
    static const char pattern[SECTION_STATUS_LINE_MIN + 1] = "HTTP/0.0 000"; /* 0 is any digit */
    char shown[HEADER_PRINTABLE];
    const char *wrong = NULL;

    if (len > SECTION_STATUS_LINE_MIN &&
        memcmp(line, "HTTP/1.1 200 ", SECTION_STATUS_LINE_MIN + 1) == 0)
        return 0;
    if (len > 0 && line[0] == '\0') {
        size_t n = match_settings(line, len);
        if (n == FRAME_HEADER)
            return fail(s, WHORL_EHTTP_VERSION, "the server speaks HTTP/2 only");
        if (n == len && !is_whole)
            return 0; /* the next bytes tell */
    }
    for (size_t i = 0; i < len && i < SECTION_STATUS_LINE_MIN && !wrong; i++) {
        bool digit = line[i] >= '0' && line[i] <= '9';
        if (pattern[i] == '0' ? !digit : line[i] != pattern[i])
            wrong = i < 9 ? "not an HTTP/1 status line" : "status code is not three digits";
        else if (i == 7 && (line[5] != '1' || line[7] > '1'))
            return fail(s, WHORL_EHTTP_VERSION, "the response is in HTTP/%c.%c", line[5], line[7]);
        else if (i == 9 && line[9] == '0') /* RFC 9110 §15: 600 to 999 are treated like 5xx */
            wrong = "status code is not in 100 to 999";
    }
    /* The space before an empty reason is often left out. */
    if (!wrong && (len > SECTION_STATUS_LINE_MIN ? line[SECTION_STATUS_LINE_MIN] != ' '
                                                 : is_whole && len < SECTION_STATUS_LINE_MIN))
        wrong = len > SECTION_STATUS_LINE_MIN ? "status code is not three digits"
                                              : "status line is too short";
    if (!wrong)
        return 0;
    return fail(s, WHORL_EHTTP_STATUS_LINE, "%s: \"%s\"", wrong,
                header_printable(shown, line, len));
}

static int check_request_line(struct section *s, const char *line, size_t len, bool is_whole)
{
    char shown[HEADER_PRINTABLE];
    const char *why;

    int err = request_line_check(&s->request_line, line, len, is_whole, &why);
    return err ? fail(s, err, "%s: \"%s\"", why, header_printable(shown, line, len)) : 0;
}

static int check_first_line(struct section *s, const char *line, size_t len, bool is_whole)
{
    return s->is_request ? check_request_line(s, line, len, is_whole)
                         : check_status_line(s, line, len, is_whole);
}

/* The code for a malformed line. */
static int line_error(const struct section *s, bool is_first)
{
    if (!is_first)
        return WHORL_EHTTP_HEADER;
    return s->is_request ? WHORL_EHTTP_REQUEST_LINE : WHORL_EHTTP_STATUS_LINE;
}

/* Checks a line, given with its line feed. Returns 1 when the line is empty, else 0 or an error. */
static int check_line(struct section *s, const char *line, size_t len)
{
    bool is_first = s->lines++ == 0 && !s->is_trailers;
    int err = 0;

    if (len < 2 || line[len - 2] != '\r')
        return fail(s, line_error(s, is_first),
                    "line %zu of the %ss ends in a line feed without a carriage return", s->lines,
                    field_name(s));
    len -= 2;
    if (is_first)
        err = check_first_line(s, line, len, true);
    else if (len == 0)
        return 1;
    else if ((line[0] == ' ' || line[0] == '\t') && s->lines == 1U + !s->is_trailers)
        return fail(s, WHORL_EHTTP_HEADER, "the first of the %ss begins with a space",
                    field_name(s));
    else if (line[0] == ' ' || line[0] == '\t')
        s->is_folded = true;
    else if (s->lines - !s->is_trailers > s->fields_max)
        return fail(s, WHORL_EHTTP_HEADERS_TOO_MANY, "more than %zu %ss", s->fields_max,
                    field_name(s));
    return err;
}

/* The length of the received part of a line, without the received part of its CR LF. */
static size_t without_end(const char *line, size_t len)
{
    len -= len > 0 && line[len - 1] == '\n';
    return len - (len > 0 && line[len - 1] == '\r');
}

static int keep(struct section *s, struct header_list *list, const char *bytes, size_t len)
{
    int err = header_list_append_raw(list, bytes, len);
    return err ? fail(s, err, "out of memory") : 0;
}

/* Appends lines to the list's bytes, up to the empty line. Returns 1 after the empty line, 0 when
 * all bytes were used, or an error. */
static int gather(struct section *s, struct header_list *list, const char *buf, size_t len,
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
        if (s->line_start < gathered && pos == 0) { /* its beginning arrived earlier */
            size_t room = s->bytes_max - gathered;
            err = keep(s, list, buf, end < room ? end : room);
            if (err)
                return err;
            kept = end;
            line = list->bytes + s->line_start;
            line_len = list->bytes_len - s->line_start;
        }
        /* Checked before the limit, so neither result depends on how the input is cut. */
        if (s->lines == 0 && !s->is_trailers) {
            size_t n = line_len < s->bytes_max ? line_len : s->bytes_max;
            err = check_first_line(s, line, without_end(line, n), false);
            if (err)
                return err;
        }
        if (gathered + end > s->bytes_max)
            return fail(s, WHORL_EHTTP_HEAD_TOO_LARGE, "%ss take more than %zu bytes",
                        field_name(s), s->bytes_max);
        if (lf) {
            is_end = check_line(s, line, line_len);
            if (is_end < 0)
                return is_end;
            s->line_start = gathered + end;
        }
        pos = end;
    }
    err = keep(s, list, buf + kept, pos - kept);
    return err ? err : is_end;
}

/* --- a whole section, through llhttp --- */

/* Each line ends in two control bytes, and a section may have no other. llhttp checks most values,
 * but not the reason phrase and not the value of Connection. */
static int check_controls(struct section *s, const struct header_list *list)
{
    size_t line = 1;

    if (header_count_controls(list->bytes, list->bytes_len) == 2 * s->lines)
        return 0;
    for (const char *at = list->bytes;; line++) {
        size_t len =
            (size_t)((const char *)memchr(at, '\n', list->bytes_len - (size_t)(at - list->bytes)) -
                     at) -
            1;
        if (!header_is_value(at, len))
            break;
        at += len + 2;
    }
    return fail(s, line_error(s, line == 1 && !s->is_trailers),
                "control byte in line %zu of the %ss", line, field_name(s));
}

/* --- what llhttp does not accept and RFC 9110 and 9112 do --- */

static bool is_named(const char *line, const char *end, const char *name)
{
    size_t len = strlen(name);

    return (size_t)(end - line) > len && line[len] == ':' && strncasecmp(line, name, len) == 0;
}

static bool is_one_of(const char *line, const char *end, const char *const *names)
{
    for (; *names; names++)
        if (is_named(line, end, *names))
            return true;
    return false;
}

/* RFC 9110 §6.5.1: fields that frame a message mean nothing in trailers, and are ignored. */
static bool is_framing(const char *line, const char *end)
{
    static const char *const names[] = {"Content-Length", "Transfer-Encoding", NULL};
    return is_one_of(line, end, names);
}

/* Fields that must not be folded. Another recipient may ignore the folded part, and then understand
 * the field in another way than this client. Attacks such as smuggling and session fixation need
 * that. */
static bool decides(const char *line, const char *end)
{
    static const char *const names[] = {
        "Content-Length",   "Transfer-Encoding", "Connection", "Upgrade",    "Trailer",
        "Content-Encoding", "Content-Range",     "Location",   "Set-Cookie", NULL,
    };
    return is_one_of(line, end, names);
}

/* RFC 9112 §5.2: appends each folded line to the line before it. The line end between them becomes
 * two spaces. */
static int unfold(struct section *s, struct header_list *list)
{
    char *field = list->bytes, *end = list->bytes + list->bytes_len;
    size_t number = 1;

    for (char *lf = field; (lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL; number++) {
        char *next = lf + 1;
        bool is_last = next == end;
        if (!is_last && (*next == ' ' || *next == '\t')) {
            if (s->is_request || decides(field, lf))
                return fail(s, WHORL_EHTTP_HEADER, "line %zu of the %ss is folded", number + 1,
                            field_name(s));
            lf[-1] = *lf = ' ';
            s->lines--;
        } else {
            field = next;
        }
        if (is_last)
            break;
        lf = next;
    }
    return 0;
}

/* RFC 9112 §5: white space at the end of a value does not belong to the value. llhttp accepts only
 * spaces there. */
static void replace_tabs(struct header_list *list)
{
    char *end = list->bytes + list->bytes_len;

    for (char *cr = list->bytes; (cr = memchr(cr, '\r', (size_t)(end - cr))) != NULL; cr++)
        for (char *at = cr; at > list->bytes && (at[-1] == ' ' || at[-1] == '\t'); at--)
            at[-1] = ' ';
}

static void drop_framing(struct section *s, struct header_list *list)
{
    char *to = list->bytes, *end = list->bytes + list->bytes_len;

    for (char *line = list->bytes; line < end;) {
        char *next = (char *)memchr(line, '\n', (size_t)(end - line)) + 1;
        if (is_framing(line, next)) {
            s->lines--;
        } else {
            memmove(to, line, (size_t)(next - line));
            to += next - line;
        }
        line = next;
    }
    list->bytes_len = (size_t)(to - list->bytes);
}

/* Changes the section so that llhttp accepts it. All three changes are rare. */
static int rewrite(struct section *s, struct header_list *list)
{
    int err = s->is_folded ? unfold(s, list) : 0;

    if (err == 0 && memchr(list->bytes, '\t', list->bytes_len))
        replace_tabs(list);
    if (err == 0 && s->is_trailers)
        drop_framing(s, list);
    return err;
}

/* What llhttp's callbacks collect. */
struct tokens {
    struct header_list *list;
    size_t name, name_len; /* of the field being read */
    size_t value, value_len;
    bool has_value, is_complete;
    const char *reason; /* why a callback refused; llhttp does not keep it */
    int err;
};

static size_t offset(const struct tokens *t, const char *at)
{
    return (size_t)(at - t->list->bytes);
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct tokens *t = parser->data;
    t->name = offset(t, at);
    t->name_len = len;
    t->has_value = false;
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct tokens *t = parser->data;
    if (len == 0) /* `at` is then on the next line */
        return 0;
    if (t->has_value) /* only a folded line has two pieces, and those are refused earlier */
        return -1;
    t->value = offset(t, at);
    t->value_len = len;
    t->has_value = true;
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    struct tokens *t = parser->data;
    const char *bytes = t->list->bytes;

    if (t->name_len == 0) {
        t->reason = "Empty header name";
        return -1;
    }
    if (!t->has_value) {
        t->value = t->name + t->name_len + 1;
        t->value_len = 0;
    }
    while (t->value_len > 0 && (bytes[t->value + t->value_len - 1] == ' ' ||
                                bytes[t->value + t->value_len - 1] == '\t'))
        t->value_len--;
    t->err = header_list_mark(t->list, t->name, t->name_len, t->value, t->value_len);
    return t->err ? -1 : 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct tokens *t = parser->data;
    t->is_complete = true;
    return 1; /* llhttp must not read the body */
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
};

static int refuse(struct section *s, const struct tokens *t, const llhttp_t *parser,
                  llhttp_errno_t code)
{
    const char *end = llhttp_get_error_pos(parser),
               *reason = t->reason ? t->reason : llhttp_get_error_reason(parser);
    size_t line = 1;
    int err = WHORL_EHTTP_HEADER;

    if (t->err)
        return fail(s, t->err, "out of memory");
    if (code == HPE_INVALID_TRANSFER_ENCODING ||
        (code == HPE_UNEXPECTED_CONTENT_LENGTH && (parser->flags & F_TRANSFER_ENCODING)))
        err = WHORL_EHTTP_TRANSFER_ENCODING;
    else if (code == HPE_INVALID_CONTENT_LENGTH || code == HPE_UNEXPECTED_CONTENT_LENGTH)
        err = WHORL_EHTTP_LENGTH;
    for (const char *at = t->list->bytes; end && at < end; at++)
        line += *at == '\n';
    return fail(s, err, "line %zu of the %ss: %s", line, field_name(s),
                reason ? reason : "malformed");
}

/* The state of llhttp after the status line of a response. Sections without a status line begin
 * with a copy of this state. */
static llhttp_t begun_parser;

static void begin_parser(void)
{
    static const char status_line[] = "HTTP/1.1 200 OK\r\n";

    llhttp_init(&begun_parser, HTTP_RESPONSE, &settings);
    llhttp_execute(&begun_parser, status_line, sizeof status_line - 1);
}

/* Tokenises the section in `list`. */
static int tokenise(struct section *s, struct header_list *list)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tokens t = {.list = list};
    llhttp_t parser;
    const char *from = list->bytes, *end = list->bytes + list->bytes_len;
    int err = check_controls(s, list);

    if (err)
        return err;
    if (s->is_request || s->is_trailers) {
        pthread_once(&once, begin_parser);
        parser = begun_parser;
    } else {
        llhttp_init(&parser, HTTP_RESPONSE, &settings);
    }
    parser.data = &t;
    if (s->is_request && !s->is_trailers)
        from = (const char *)memchr(from, '\n', list->bytes_len) + 1;
    llhttp_errno_t code = llhttp_execute(&parser, from, (size_t)(end - from));
    if (!t.is_complete)
        return refuse(s, &t, &parser, code);
    return 0;
}

int section_feed(struct section *s, struct header_list *list, const char *buf, size_t len,
                 size_t *ret_used)
{
    int result = gather(s, list, buf, len, ret_used);

    if (result <= 0)
        return result;
    if (s->is_trailers && s->lines == 1) /* only the empty line */
        return 1;
    result = rewrite(s, list);
    if (result == 0)
        result = tokenise(s, list);
    return result ? result : 1;
}

void section_start(struct section *s, bool is_trailers)
{
    s->is_trailers = is_trailers;
    s->line_start = 0;
    s->lines = 0;
    s->is_folded = false;
    s->request_line = (struct request_line){.target_max = s->request_line.target_max};
}
