/* SPDX-License-Identifier: MIT */
/* Compression of replies with zlib. */
#include "io/http_server/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <zlib.h>

#include <whorl/task.h>

struct gzip {
    z_stream stream;
};

/* RFC 9110 §12.4.2: returns the weight of a member such as "gzip;q=0.5" in thousandths, and the
 * length of its name. A malformed weight counts as 0, so that the coding is not used. */
static int weight(const char *member, size_t len, size_t *ret_name_len)
{
    const char *semicolon = memchr(member, ';', len), *end = member + len, *p;
    int value = 0, digit = 1000;

    *ret_name_len = semicolon ? (size_t)(semicolon - member) : len;
    while (*ret_name_len > 0 && strchr(" \t", member[*ret_name_len - 1]))
        --*ret_name_len;
    if (!semicolon)
        return 1000;
    for (p = semicolon + 1; p < end && strchr(" \t", *p); p++)
        ;
    if (end - p < 3 || (*p | 0x20) != 'q' || p[1] != '=' || p[2] < '0' || p[2] > '1')
        return 0;
    for (p += 2; p < end && digit > 0; p++) {
        if (*p == '.' && digit == 100)
            continue;
        if (*p < '0' || *p > '9')
            return 0;
        value += (*p - '0') * digit;
        digit /= 10;
    }
    return value > 1000 ? 1000 : value;
}

bool gzip_is_accepted(const struct header_list *headers)
{
    size_t index = 0, len, name_len;
    const char *cursor, *member;
    int gzip = -1, any = -1;

    while ((cursor = header_list_next(headers, "Accept-Encoding", &index)) != NULL) {
        while (header_next_member(&cursor, &member, &len)) {
            int value = weight(member, len, &name_len);
            if (name_len == 4 && strncasecmp(member, "gzip", 4) == 0)
                gzip = value;
            else if (name_len == 1 && *member == '*')
                any = value;
        }
    }
    return gzip >= 0 ? gzip > 0 : any > 0;
}

bool gzip_is_text(const char *content_type)
{
    static const char *const types[] = {
        "application/json",
        "application/javascript",
        "application/xml",
        "application/wasm",
        "image/svg+xml",
        "application/x-ndjson",
        NULL,
    };
    size_t len = strcspn(content_type, "; \t");

    if (strncasecmp(content_type, "text/", 5) == 0)
        return strncasecmp(content_type, "text/event-stream", len) != 0 || len != 17;
    if (len > 5 && strncasecmp(content_type + len - 5, "+json", 5) == 0)
        return true;
    for (const char *const *type = types; *type; type++)
        if (strlen(*type) == len && strncasecmp(content_type, *type, len) == 0)
            return true;
    return false;
}

int gzip_create(struct gzip **ret)
{
    enum { GZIP_FORMAT = 16, WINDOW_BITS = 15, MEMORY = 8 };
    struct gzip *gzip = calloc(1, sizeof *gzip);

    if (!gzip)
        return -ENOMEM;
    if (deflateInit2(&gzip->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS + GZIP_FORMAT,
                     MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(gzip);
        return -ENOMEM;
    }
    *ret = gzip;
    return 0;
}

void gzip_destroy(struct gzip *gzip)
{
    if (!gzip)
        return;
    deflateEnd(&gzip->stream);
    free(gzip);
}

/* Compresses one part. If zlib leaves room in the output, it has taken all input. */
static int add_part(struct gzip *gzip, const void *data, size_t len, int flush,
                    struct http_out *out)
{
    z_stream *z = &gzip->stream;
    int result;

    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    do {
        int err = out_reserve(out, len / 2 + 64);
        if (err)
            return err;
        size_t room = out->cap - out->len;
        z->next_out = (Bytef *)out->bytes + out->len;
        z->avail_out = (uInt)(room < INT32_MAX ? room : INT32_MAX);
        size_t before = z->avail_out;
        result = deflate(z, flush);
        out->len += before - z->avail_out;
    } while (z->avail_out == 0 || (flush == Z_FINISH && result == Z_OK));
    return 0;
}

WHORL_SUSPENDS int gzip_add(struct gzip *gzip, const void *data, size_t len, bool is_last,
                            struct http_out *out)
{
    const char *at = data;
    int err = 0;

    for (; len > GZIP_PART && err == 0; at += GZIP_PART, len -= GZIP_PART) {
        err = add_part(gzip, at, GZIP_PART, Z_NO_FLUSH, out);
        if (err == 0)
            err = whorl_yield();
    }
    return err ? err : add_part(gzip, at, len, is_last ? Z_FINISH : Z_SYNC_FLUSH, out);
}
