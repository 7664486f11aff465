/* SPDX-License-Identifier: MIT */
/* Bytes to be sent, in memory that grows. The first few thousand need no allocation. */
#ifndef IO_HTTP_SERVER_OUT_H
#define IO_HTTP_SERVER_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { OUT_FIRST = 4096 };

struct http_out {
    char *bytes; /* `first`, or memory of its own */
    size_t len, cap;
    char first[OUT_FIRST];
};

void out_init(struct http_out *out);
void out_finish(struct http_out *out);

/* Makes room for `len` more bytes. Returns 0 or -ENOMEM. */
int out_grow(struct http_out *out, size_t len);

static inline int out_reserve(struct http_out *out, size_t len)
{
    return out->cap - out->len >= len ? 0 : out_grow(out, len);
}

/* Appends bytes for which there is room. */
static inline void out_put(struct http_out *out, const void *bytes, size_t len)
{
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

static inline void out_put_text(struct http_out *out, const char *text)
{
    out_put(out, text, strlen(text));
}

enum { OUT_NUMBER_MAX = 20 }; /* bytes of the longest number */

/* Append a number, for which there is room. */
void out_put_decimal(struct http_out *out, uint64_t n);
void out_put_hex(struct http_out *out, uint64_t n);

#endif
