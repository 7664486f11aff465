/* SPDX-License-Identifier: MIT */
/* Decodes a Content-Encoding while the body streams: gzip, x-gzip, deflate (zlib-wrapped or raw),
 * identity, where the libraries are there also br and zstd, and up to five of them on top of each
 * other (RFC 9110 §8.4).
 *
 *     struct decode d = {0};
 *     err = decode_init(&d, headers, decoded_max);    // 1: decodes, 0: nothing to decode
 *     for each part of the body, and at the end of the body once more with no input:
 *         do {
 *             err = decode_run(&d, in, in_len, &in_used, out, sizeof out, &out_len);
 *             in += in_used; in_len -= in_used;
 *             ... use out_len bytes; let other tasks run if decode_has_paused(&d) ...
 *         } while (err == 0 && (in_len > 0 || out_len > 0 || decode_has_paused(&d)));
 *     err = decode_end(&d);    // was the stream whole?
 *     decode_finish(&d);
 */
#ifndef IO_HTTP_DECODE_H
#define IO_HTTP_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/http/header.h"

enum {
    DECODE_LAYERS_MAX = 5,

    /* The number of bytes that one call of decode_run() reads and writes in all layers before it
     * pauses. Without a pause, one call could run for long without any output: three layers of gzip
     * around empty blocks turn 16 KiB into gigabytes between the layers. */
    DECODE_PAUSE_BYTES = 256 * 1024,

    /* The bytes that all layers except the last may write are limited to a fixed part, and a
     * multiple of the bytes received. Real bodies stay below this: only compressed data passes
     * between layers, and compressing it again saves little. */
    DECODE_BETWEEN_MAX = 16 * 1024 * 1024,
    DECODE_BETWEEN_RATIO = 64,
};

struct decode_layer;

/* Zero-initialised: nothing to decode; bytes pass unchanged. */
struct decode {
    struct decode_layer *layers[DECODE_LAYERS_MAX]; /* owned; [0] sees the bytes from the network */
    int count;
    int error;           /* returned by every later call; 0: none */
    bool paused;         /* the last call stopped early, see decode_has_paused() */
    size_t budget;       /* of the current call: bytes until it pauses */
    int64_t coded;       /* bytes received and used */
    int64_t between;     /* bytes that all layers but the last have written */
    int64_t decoded;     /* bytes handed out */
    int64_t decoded_max; /* 0: no limit */
    const char *reason;  /* what is wrong; valid after an error */
};

/** The codings that decode_init() knows, as the value of Accept-Encoding. */
const char *decode_accepted(void);

/**
 * Prepares to decode what the Content-Encoding headers say.
 *
 * @decoded_max  more output is WHORL_EHTTP_BODY_TOO_LARGE; 0 or less: no limit
 *
 * Returns: 1 when there is something to decode, 0 when not; WHORL_EHTTP_ENCODING_UNKNOWN (also more
 *          than five layers); -ENOMEM.
 */
int decode_init(struct decode *d, const struct header_list *headers, int64_t decoded_max);

/**
 * Decodes from `in` into `out`, until one of them is used up or it pauses. When no input is left,
 * `*ret_out_len` is 0 and it has not paused, it needs more input.
 *
 * Returns: 0; WHORL_EHTTP_ENCODING (also for bytes after the end); WHORL_EHTTP_BODY_TOO_LARGE (also
 *          for too many bytes between the layers); -ENOMEM. The counts are valid in any case, and
 *          errors repeat.
 */
int decode_run(struct decode *d, const void *in, size_t in_len, size_t *ret_in_used, void *out,
               size_t out_len, size_t *ret_out_len);

/** Whether the last decode_run() stopped after DECODE_PAUSE_BYTES of work, so that other tasks can
 *  run before it is called again. */
static inline bool decode_has_paused(const struct decode *d)
{
    return d->paused;
}

/** Checks that the stream ended where the body did: 0, or WHORL_EHTTP_ENCODING. A body without a
 *  byte is valid and empty. Call it when decode_run() without input returns no more bytes and has
 *  not paused. */
int decode_end(struct decode *d);

/** What is wrong, after an error; never NULL. */
const char *decode_reason(const struct decode *d);

/** Frees. Accepts a zeroed struct. */
void decode_finish(struct decode *d);

#endif
