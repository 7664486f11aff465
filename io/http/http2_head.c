/* SPDX-License-Identifier: MIT */
/* Heads and trailers of HTTP/2 responses. */
#include "io/http/http2_head.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <whorl/error.h>

int http2_head_refuse(struct http2_stream *s, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(s->reason, sizeof s->reason, format, args);
    va_end(args);
    return err;
}

static const char *part_name(const struct http2_stream *s)
{
    return s->has_head ? "trailer" : "header";
}

static struct header_list *list_of(struct http2_stream *s)
{
    return s->has_head ? &s->trailers : &s->headers;
}

void http2_head_begin(struct http2_stream *s)
{
    s->has_begun = true;
    s->heads++;
    s->head_bytes = 0;
    header_list_clear(list_of(s));
    if (!s->has_head) {
        s->status = 0;
        s->length = -1;
    }
}

static bool is_name(const char *text, size_t len, const char *name)
{
    return len == strlen(name) && memcmp(text, name, len) == 0;
}

/* RFC 9113 §8.3: a response has one pseudo-header field, which comes first. */
static int take_pseudo(struct http2_stream *s, const char *name, size_t name_len, const char *value,
                       size_t value_len)
{
    char shown[HEADER_PRINTABLE];

    if (s->has_head)
        return http2_head_refuse(s, WHORL_EHTTP_HEADER, "pseudo-header field in the trailers");
    if (!is_name(name, name_len, ":status"))
        return http2_head_refuse(s, WHORL_EHTTP_HEADER, "unknown pseudo-header field \"%s\"",
                                 header_printable(shown, name, name_len));
    if (s->status > 0)
        return http2_head_refuse(s, WHORL_EHTTP_HEADER, ":status is given twice");
    if (s->headers.count > 0)
        return http2_head_refuse(s, WHORL_EHTTP_HEADER, ":status comes after a header");
    if (value_len != 3 || value[0] < '1' || value[0] > '9' || value[1] < '0' || value[1] > '9' ||
        value[2] < '0' || value[2] > '9')
        return http2_head_refuse(s, WHORL_EHTTP_STATUS_LINE, "status code is not three digits");
    s->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    /* RFC 9113 §8.6: there is no 101 in HTTP/2. */
    return s->status == 101 ? http2_head_refuse(s, WHORL_EHTTP_UPGRADE, "status 101 in HTTP/2") : 0;
}

static int read_length(struct http2_stream *s, const char *text, size_t len)
{
    int64_t n = 0;

    if (s->length >= 0)
        return http2_head_refuse(s, WHORL_EHTTP_LENGTH, "more than one Content-Length");
    if (len == 0)
        return http2_head_refuse(s, WHORL_EHTTP_LENGTH, "Content-Length is empty");
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return http2_head_refuse(s, WHORL_EHTTP_LENGTH, "Content-Length is not a number");
        if (n > (INT64_MAX - (text[i] - '0')) / 10)
            return http2_head_refuse(s, WHORL_EHTTP_LENGTH, "Content-Length is too large");
        n = n * 10 + (text[i] - '0');
    }
    s->length = n;
    return 0;
}

/* RFC 9113 §8.2.2 */
static bool is_forbidden(const char *name, size_t len)
{
    switch (len) {
    case 7:
        return memcmp(name, "upgrade", 7) == 0;
    case 10:
        return memcmp(name, "connection", 10) == 0 || memcmp(name, "keep-alive", 10) == 0;
    case 16:
        return memcmp(name, "proxy-connection", 16) == 0;
    case 17:
        return memcmp(name, "transfer-encoding", 17) == 0;
    default:
        return false;
    }
}

static int check_field(struct http2_stream *s, const char *name, size_t name_len, const char *value,
                       size_t value_len)
{
    char shown[HEADER_PRINTABLE];
    const char *wrong = NULL;

    if (!header_is_lower_token(name, name_len))
        wrong = header_is_token(name, name_len) ? "upper case" : "malformed name";
    else if (!header_is_value(value, value_len))
        wrong = "control byte in the value";
    else if (is_forbidden(name, name_len))
        wrong = "a name that HTTP/2 forbids";
    if (!wrong)
        return 0;
    return http2_head_refuse(s, WHORL_EHTTP_HEADER, "%s: %s \"%s\"", wrong, part_name(s),
                             header_printable(shown, name, name_len));
}

int http2_head_field(struct http2_stream *s, const char *name, size_t name_len, const char *value,
                     size_t value_len)
{
    struct header_list *list = list_of(s);

    /* The colon, the space and the line's end of HTTP/1.1 count too, so empty fields are not free.
     */
    s->head_bytes += name_len + value_len + 4;
    if (s->head_bytes > s->limits.head_bytes_max)
        return http2_head_refuse(s, WHORL_EHTTP_HEAD_TOO_LARGE, "%ss of more than %zu bytes",
                                 part_name(s), s->limits.head_bytes_max);
    if (name_len > 0 && name[0] == ':')
        return take_pseudo(s, name, name_len, value, value_len);
    if (list->count >= s->limits.headers_max)
        return http2_head_refuse(s, WHORL_EHTTP_HEADERS_TOO_MANY, "more than %zu %ss",
                                 s->limits.headers_max, part_name(s));
    while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
        value_len--;
    while (value_len > 0 && (*value == ' ' || *value == '\t'))
        value++, value_len--;
    int err = check_field(s, name, name_len, value, value_len);
    if (err)
        return err;
    if (is_name(name, name_len, "content-length")) {
        if (s->has_head) /* trailers do not frame the body, as in HTTP/1.1 */
            return 0;
        err = read_length(s, value, value_len);
        if (err)
            return err;
    }
    err = header_list_append_bytes(list, name, name_len, value, value_len);
    return err ? http2_head_refuse(s, err, "out of memory") : 0;
}

int http2_head_end(struct http2_stream *s)
{
    if (s->has_head)
        return 0;
    if (s->status == 0)
        return http2_head_refuse(s, WHORL_EHTTP_STATUS_LINE, "response without :status");
    if (s->status >= 200) {
        s->has_head = true;
        return 0;
    }
    s->informational = s->status;
    s->is_continued |= s->status == 100;
    if (++s->informationals > s->limits.informational_max)
        return http2_head_refuse(s, WHORL_EHTTP_INFORMATIONAL, "more than %d 1xx responses",
                                 s->limits.informational_max);
    return 0;
}
