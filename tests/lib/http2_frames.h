/* SPDX-License-Identifier: MIT */
/* Makes the bytes of an HTTP/2 server, frame by frame, valid or not.
 *
 *     struct frames f = {0};
 *     frames_settings(&f);
 *     frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", "content-length", "2", NULL);
 *     frames_add(&f, FRAMES_DATA, FRAMES_END_STREAM, 1, "hi", 2);
 *     ... send f.bytes, f.len ...
 */
#ifndef TEST_HTTP2_FRAMES_H
#define TEST_HTTP2_FRAMES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "test.h"

enum {
    FRAMES_DATA = 0,
    FRAMES_HEADERS = 1,
    FRAMES_PRIORITY = 2,
    FRAMES_RST_STREAM = 3,
    FRAMES_SETTINGS = 4,
    FRAMES_PUSH_PROMISE = 5,
    FRAMES_PING = 6,
    FRAMES_GOAWAY = 7,
    FRAMES_WINDOW_UPDATE = 8,
    FRAMES_CONTINUATION = 9,

    FRAMES_END_STREAM = 1, /* and ACK */
    FRAMES_END_HEADERS = 4,
};

struct frames {
    char bytes[1 << 18];
    size_t len;
};

static inline void frames_raw(struct frames *f, const void *bytes, size_t len)
{
    CHECK(len <= sizeof f->bytes - f->len);
    if (len > 0)
        memcpy(f->bytes + f->len, bytes, len);
    f->len += len;
}

static inline void frames_u32(struct frames *f, uint32_t n)
{
    unsigned char bytes[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                              (unsigned char)(n >> 8), (unsigned char)n};
    frames_raw(f, bytes, 4);
}

static inline void frames_add(struct frames *f, int type, int flags, uint32_t id,
                              const void *payload, size_t len)
{
    unsigned char head[5] = {(unsigned char)(len >> 16), (unsigned char)(len >> 8),
                             (unsigned char)len, (unsigned char)type, (unsigned char)flags};
    frames_raw(f, head, 5);
    frames_u32(f, id);
    frames_raw(f, payload, len);
}

/* One header field, a literal that enters no table (RFC 7541 §6.2.2). Appends to `to`. */
static inline size_t frames_field(char *to, size_t len, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);

    CHECK(name_len < 127 && value_len < 127);
    to[len++] = 0;
    to[len++] = (char)name_len;
    memcpy(to + len, name, name_len);
    len += name_len;
    to[len++] = (char)value_len;
    memcpy(to + len, value, value_len);
    return len + value_len;
}

/* HEADERS with pairs of name and value, up to a NULL. */
static inline void frames_head(struct frames *f, uint32_t id, int flags, ...)
{
    char block[8192];
    size_t len = 0;
    va_list args;
    const char *name;

    va_start(args, flags);
    while ((name = va_arg(args, const char *)) != NULL)
        len = frames_field(block, len, name, va_arg(args, const char *));
    va_end(args);
    frames_add(f, FRAMES_HEADERS, flags, id, block, len);
}

/* The SETTINGS that a server sends first, and the acknowledgement of the client's. */
static inline void frames_settings(struct frames *f)
{
    frames_add(f, FRAMES_SETTINGS, 0, 0, NULL, 0);
    frames_add(f, FRAMES_SETTINGS, FRAMES_END_STREAM, 0, NULL, 0);
}

/* SETTINGS with one value. */
static inline void frames_setting(struct frames *f, uint16_t name, uint32_t value)
{
    unsigned char payload[6] = {(unsigned char)(name >> 8),   (unsigned char)name,
                                (unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                (unsigned char)(value >> 8),  (unsigned char)value};
    frames_add(f, FRAMES_SETTINGS, 0, 0, payload, sizeof payload);
}

/* RST_STREAM, or WINDOW_UPDATE, whose payload is one number. */
static inline void frames_number(struct frames *f, int type, uint32_t id, uint32_t number)
{
    unsigned char payload[4] = {(unsigned char)(number >> 24), (unsigned char)(number >> 16),
                                (unsigned char)(number >> 8), (unsigned char)number};
    frames_add(f, type, 0, id, payload, sizeof payload);
}

static inline void frames_goaway(struct frames *f, uint32_t last_id, uint32_t code)
{
    unsigned char payload[8] = {0, 0, (unsigned char)(last_id >> 8), (unsigned char)last_id,
                                0, 0, (unsigned char)(code >> 8),    (unsigned char)code};
    frames_add(f, FRAMES_GOAWAY, 0, 0, payload, sizeof payload);
}

#endif
