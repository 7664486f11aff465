/* SPDX-License-Identifier: MIT */
/* Makes HTTP/2 fields of a request's head (RFC 9113 §8.3.1). */
#include "io/http/http2_request.h"

#include <string.h>

#include "io/url/ascii.h"
#include "runtime/base/check.h"

enum {
    COOKIE_SHORT = 20, /* RFC 7541 §7.1.3: such a cookie could be guessed byte by byte */
};

static bool is_name(const nghttp2_nv *field, const char *name)
{
    size_t len = strlen(name);
    return field->namelen == len && memcmp(field->name, name, len) == 0;
}

static nghttp2_nv make_field(const char *name, size_t name_len, const char *value, size_t value_len)
{
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .namelen = name_len,
        .value = (uint8_t *)(uintptr_t)value,
        .valuelen = value_len,
    };
}

/* A line of a head: "Name: value\r". */
struct line {
    char *name, *value;
    size_t name_len, value_len;
};

static struct line split(char *text, size_t len)
{
    char *end = memchr(text, '\r', len), *colon = memchr(text, ':', (size_t)(end - text));

    return (struct line){
        .name = text,
        .value = colon + 2,
        .name_len = (size_t)(colon - text),
        .value_len = (size_t)(end - colon - 2),
    };
}

static bool has_name(const struct line *line, const char *name, size_t len)
{
    return line->name_len == len && memcmp(line->name, name, len) == 0;
}

/* The lower-case name of a header that request.c adds to most requests; else NULL. */
static inline const char *usual_name(const struct line *line)
{
    return has_name(line, "User-Agent", 10)        ? "user-agent"
           : has_name(line, "Accept", 6)           ? "accept"
           : has_name(line, "Accept-Encoding", 15) ? "accept-encoding"
                                                   : NULL;
}

/* A field whose name is a literal in lower case; nghttp2 makes no copy of it. */
static nghttp2_nv make_known(const char *name, const char *value, size_t value_len)
{
    nghttp2_nv field = make_field(name, strlen(name), value, value_len);

    field.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    return field;
}

/* Makes a field of a line, whose name becomes lower case. */
static nghttp2_nv take_line(const struct line *line)
{
    for (size_t i = 0; i < line->name_len; i++)
        line->name[i] = ascii_lower(line->name[i]);
    return make_field(line->name, line->name_len, line->value, line->value_len);
}

/* RFC 9113 §8.2.2: fields that concern the connection are left out. */
static bool is_for_connection(const nghttp2_nv *field)
{
    return is_name(field, "transfer-encoding") || is_name(field, "connection");
}

/* RFC 7541 §7.1.3: secret fields never enter the table that later requests refer to. */
static bool is_secret(const nghttp2_nv *field)
{
    return is_name(field, "authorization") || is_name(field, "proxy-authorization") ||
           (is_name(field, "cookie") && field->valuelen < COOKIE_SHORT);
}

size_t http2_request_fields(const struct request_head *head, char *bytes, size_t len,
                            nghttp2_nv *fields, size_t fields_max)
{
    const char *method = head->method ? head->method : "GET";
    char *end = bytes + len, *at = (char *)memchr(bytes, '\n', len) + 1;
    size_t count = 0;

    fields[count++] = make_known(":method", method, strlen(method));
    fields[count++] =
        head->url->is_tls ? make_known(":scheme", "https", 5) : make_known(":scheme", "http", 4);
    fields[count++] = make_known(":authority", "", 0); /* the Host line comes first */
    fields[count++] = make_known(":path", head->url->target, strlen(head->url->target));
    while (*at != '\r') {
        struct line line = split(at, (size_t)(end - at));
        const char *usual = usual_name(&line);
        at = line.value + line.value_len + 2;
        whorl_check(count < fields_max);
        if (usual) {
            fields[count++] = make_known(usual, line.value, line.value_len);
            continue;
        }
        if (has_name(&line, "Host", 4)) {
            fields[2] = make_known(":authority", line.value, line.value_len);
            continue;
        }
        nghttp2_nv field = take_line(&line);
        if (is_for_connection(&field))
            continue;
        if (is_secret(&field))
            field.flags = NGHTTP2_NV_FLAG_NO_INDEX;
        fields[count++] = field;
    }
    return count;
}

size_t http2_trailer_fields(char *bytes, size_t len, nghttp2_nv *fields)
{
    size_t count = 0;

    for (char *at = bytes, *end = bytes + len; at < end;) {
        struct line line = split(at, (size_t)(end - at));
        fields[count++] = take_line(&line);
        at = line.value + line.value_len + 2;
    }
    return count;
}
