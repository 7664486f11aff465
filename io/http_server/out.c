/* SPDX-License-Identifier: MIT */
/* Bytes to be sent. */
#include "io/http_server/out.h"

#include <errno.h>
#include <stdlib.h>

void out_init(struct http_out *out)
{
    out->bytes = out->first;
    out->len = 0;
    out->cap = sizeof out->first;
}

void out_finish(struct http_out *out)
{
    if (out->bytes != out->first)
        free(out->bytes);
    out_init(out);
}

int out_grow(struct http_out *out, size_t len)
{
    size_t cap = out->cap;
    bool was_first = out->bytes == out->first;

    if (len > SIZE_MAX / 4)
        return -ENOMEM;
    while (cap - out->len < len)
        cap *= 2;
    char *bytes = realloc(was_first ? NULL : out->bytes, cap);
    if (!bytes)
        return -ENOMEM;
    if (was_first)
        memcpy(bytes, out->first, out->len);
    out->bytes = bytes;
    out->cap = cap;
    return 0;
}

void out_put_decimal(struct http_out *out, uint64_t n)
{
    char digits[OUT_NUMBER_MAX];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    out_put(out, digits + at, sizeof digits - at);
}

void out_put_hex(struct http_out *out, uint64_t n)
{
    char digits[OUT_NUMBER_MAX];
    size_t at = sizeof digits;

    do {
        digits[--at] = "0123456789abcdef"[n & 15];
        n >>= 4;
    } while (n > 0);
    out_put(out, digits + at, sizeof digits - at);
}
