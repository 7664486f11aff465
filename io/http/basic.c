/* SPDX-License-Identifier: MIT */
/* Writes credentials of the Basic scheme. */
#include "io/http/basic.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <whorl/error.h>

#include "io/url/ascii.h"

/* The output, and the bytes of an incomplete group of three. Counts also the bytes that do not
 * fit. */
struct writer {
    char *buf;
    size_t cap, len;
    uint32_t bits;
    int count;
};

static void put(struct writer *w, char c)
{
    if (w->len < w->cap)
        w->buf[w->len] = c;
    w->len++;
}

/* Writes the four digits of a group. `missing` bytes of it are absent, and padding replaces their
 * digits (RFC 4648 §4). */
static void put_group(struct writer *w, int missing)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (int i = 0; i < 4; i++)
        put(w, i < 4 - missing ? digits[w->bits >> (18 - 6 * i) & 63] : '=');
    w->bits = 0;
    w->count = 0;
}

static void put_byte(struct writer *w, unsigned char byte)
{
    w->bits = w->bits << 8 | byte;
    if (++w->count == 3)
        put_group(w, 0);
}

static void put_end(struct writer *w)
{
    int missing = 3 - w->count;

    if (w->count == 0)
        return;
    w->bits <<= 8 * missing;
    put_group(w, missing);
}

/* The next byte of percent-encoded text that has been checked. */
static unsigned char decode_next(const char **text)
{
    const char *t = *text;
    *text += *t == '%' ? 3 : 1;
    return *t == '%' ? (unsigned char)(ascii_hex_value(t[1]) << 4 | ascii_hex_value(t[2]))
                     : (unsigned char)*t;
}

static void put_scheme(struct writer *w)
{
    for (const char *p = "Basic "; *p; p++)
        put(w, *p);
}

/* Whether the name or, without `in_name`, the password may contain the byte (RFC 7617 §2). */
static bool is_allowed(unsigned char c, bool in_name)
{
    return c >= 0x20 && c != 0x7f && !(c == ':' && in_name);
}

ssize_t basic_write(const char *userinfo, char *buf, size_t cap)
{
    struct writer w = {.buf = buf, .cap = cap};
    const char *colon = strchr(userinfo, ':');

    put_scheme(&w);
    for (const char *p = userinfo; *p;) {
        bool is_colon = p == colon, in_name = !colon || p < colon;
        unsigned char c = decode_next(&p);
        if (!is_colon && !is_allowed(c, in_name))
            return WHORL_EHTTP_REQUEST_HEADER;
        put_byte(&w, c);
    }
    if (!colon)
        put_byte(&w, ':');
    put_end(&w);
    return (ssize_t)w.len;
}

ssize_t basic_write_plain(const char *user, const char *password, char *buf, size_t cap)
{
    struct writer w = {.buf = buf, .cap = cap};

    put_scheme(&w);
    for (const char *p = user; *p; p++) {
        if (!is_allowed((unsigned char)*p, true))
            return WHORL_EHTTP_REQUEST_HEADER;
        put_byte(&w, (unsigned char)*p);
    }
    put_byte(&w, ':');
    for (const char *p = password ? password : ""; *p; p++) {
        if (!is_allowed((unsigned char)*p, false))
            return WHORL_EHTTP_REQUEST_HEADER;
        put_byte(&w, (unsigned char)*p);
    }
    put_end(&w);
    return (ssize_t)w.len;
}
