/* SPDX-License-Identifier: MIT */
/* Finds the end of a message body (RFC 9112 §6, §7.1): after a given length, after the last chunk,
 * or at the end of the connection. It takes bytes and returns spans of the body in them, without
 * copying.
 */
#ifndef IO_HTTP_BODY_H
#define IO_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum body_kind {
    BODY_NONE,
    BODY_LENGTH,
    BODY_CHUNKED,
    BODY_UNTIL_CLOSE,
};

enum body_event {
    BODY_NEED_INPUT, /* everything was used */
    BODY_DATA,       /* a span; call again */
    BODY_TRAILERS,   /* the last chunk has ended; the trailer section follows */
    BODY_DONE,
};

struct body {
    enum body_kind kind;
    uint8_t state;     /* enum chunk_state, in body.c */
    uint8_t size_len;  /* hexadecimal digits of the current chunk's size so far */
    uint32_t line_len; /* bytes of the current chunk-size line after the size */
    int64_t left;     /* BODY_LENGTH: of the body; BODY_CHUNKED: of the chunk, or its size so far */
    int64_t received; /* body bytes handed out */
    int64_t bytes_max;  /* a longer body is WHORL_EHTTP_BODY_TOO_LARGE */
    int64_t excess;     /* bytes of chunk-size lines beyond the fair share, see body.c */
    const char *reason; /* what is wrong; valid after an error */
};

/** Begins a body. `length` is used with BODY_LENGTH only. */
void body_start(struct body *body, enum body_kind kind, int64_t length, int64_t bytes_max);

/**
 * Takes bytes from the front of `buf`.
 *
 * @ret_used  how many were taken
 * @ret       with BODY_DATA: a part of `buf`
 * @ret_len   its length, at least 1
 *
 * Returns: an event; WHORL_EHTTP_CHUNK; WHORL_EHTTP_BODY_TOO_LARGE.
 */
int body_feed(struct body *body, const char *buf, size_t len, size_t *ret_used, const char **ret,
              size_t *ret_len);

#endif
