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

static nghttp2_nv make_pseudo(const char *name, const char *value, size_t value_len)
{
    return make_field(name, strlen(name), value, value_len);
}

/* Makes the name at the beginning of a line lower case. Returns its colon. */
static char *lower_name(char *line)
{
    for (; *line != ':'; line++)
        *line = ascii_lower(*line);
    return line;
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
    char *end = bytes + len, *line = (char *)memchr(bytes, '\n', len) + 1;
    size_t count = 0;

    fields[count++] = make_pseudo(":method", method, strlen(method));
    fields[count++] =
        head->url->is_tls ? make_pseudo(":scheme", "https", 5) : make_pseudo(":scheme", "http", 4);
    fields[count++] = make_pseudo(":authority", "", 0); /* the Host line comes first */
    fields[count++] = make_pseudo(":path", head->url->target, strlen(head->url->target));
    while (*line != '\r') {
        char *line_end = memchr(line, '\r', (size_t)(end - line));
        char *colon = lower_name(line);
        nghttp2_nv field =
            make_field(line, (size_t)(colon - line), colon + 2, (size_t)(line_end - colon - 2));
        if (is_name(&field, "host")) {
            fields[2].value = field.value;
            fields[2].valuelen = field.valuelen;
        } else if (!is_for_connection(&field)) {
            if (is_secret(&field))
                field.flags = NGHTTP2_NV_FLAG_NO_INDEX;
            whorl_check(count < fields_max);
            fields[count++] = field;
        }
        line = line_end + 2;
    }
    return count;
}

size_t http2_trailer_fields(char *bytes, size_t len, nghttp2_nv *fields)
{
    char *line = bytes, *end = bytes + len;
    size_t count = 0;

    while (line < end) {
        char *line_end = memchr(line, '\r', (size_t)(end - line));
        char *colon = lower_name(line);
        fields[count++] =
            make_field(line, (size_t)(colon - line), colon + 2, (size_t)(line_end - colon - 2));
        line = line_end + 2;
    }
    return count;
}
