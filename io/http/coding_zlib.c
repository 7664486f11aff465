/* SPDX-License-Identifier: MIT */
/* gzip (RFC 1952) and deflate (RFC 1950, RFC 1951) with zlib. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <zlib.h>

#include "io/http/coding.h"

enum {
    WINDOW_RAW = -15,
    WINDOW_ZLIB = 15,
    WINDOW_GZIP = 15 + 16,

    GZIP_FIRST = 0x1f, /* the first byte of a gzip member */
};

struct zlib_coding {
    struct coding coding;
    bool is_ready;      /* `zs` was initialised; deflate: two bytes tell how */
    uint8_t sniffed[2]; /* deflate */
    uint8_t sniffed_len;
    z_stream zs;
};

/* zlib allocates with the same functions as the rest of the library. */
static void *allocate(void *opaque, uInt items, uInt size)
{
    (void)opaque;
    return calloc(items, size);
}

static void release(void *opaque, void *memory)
{
    (void)opaque;
    free(memory);
}

static int open_window(struct zlib_coding *self, int window)
{
    self->zs.zalloc = allocate;
    self->zs.zfree = release;
    self->is_ready = inflateInit2(&self->zs, window) == Z_OK;
    return self->is_ready ? 0 : -ENOMEM;
}

static uInt clip(size_t len)
{
    return len > UINT_MAX ? UINT_MAX : (uInt)len;
}

static int run_inflate(struct coding *coding, struct coding_span *span)
{
    struct zlib_coding *self = (struct zlib_coding *)coding;
    z_stream *zs = &self->zs;

    zs->next_in = (z_const Bytef *)span->in;
    zs->avail_in = clip(span->in_len);
    zs->next_out = span->out;
    zs->avail_out = clip(span->out_len);
    int err = inflate(zs, Z_NO_FLUSH);
    span->used = clip(span->in_len) - zs->avail_in;
    span->made = clip(span->out_len) - zs->avail_out;
    switch (err) {
    case Z_OK:
    case Z_BUF_ERROR: /* no progress without more input or room */
        return 0;
    case Z_STREAM_END:
        return 1;
    case Z_MEM_ERROR:
        return -ENOMEM;
    case Z_NEED_DICT:
        return coding_fail(coding, "compressed with a preset dictionary");
    default:
        return coding_fail(coding, zs->msg ? zs->msg : "compressed data is damaged");
    }
}

/* RFC 9110 §8.4.1.2: "deflate" is zlib's format, but some servers send raw deflate. A stream is raw
 * when its first two bytes are no zlib header (RFC 1950 §2.2). */
static int run_deflate(struct coding *coding, struct coding_span *span)
{
    struct zlib_coding *self = (struct zlib_coding *)coding;

    if (self->is_ready)
        return run_inflate(coding, span);
    if (span->in_len == 0)
        return 0;
    self->sniffed[self->sniffed_len++] = span->in[0];
    span->used = 1;
    if (self->sniffed_len < 2)
        return 0;
    unsigned first = self->sniffed[0], second = self->sniffed[1];
    bool zlib = (first & 0x0f) == 8 && first >> 4 <= 7 && (first << 8 | second) % 31 == 0;
    if (open_window(self, zlib ? WINDOW_ZLIB : WINDOW_RAW))
        return -ENOMEM;
    /* Two bytes can be a whole raw stream ("\3\0"), but they decode to nothing. */
    uint8_t none;
    struct coding_span both = {.in = self->sniffed, .in_len = 2, .out = &none};
    return run_inflate(coding, &both);
}

/* RFC 1952 §2.2: members follow one another; the rest of the header is zlib's to check. */
static bool next_member(struct coding *coding, uint8_t first)
{
    return first == GZIP_FIRST && inflateReset(&((struct zlib_coding *)coding)->zs) == Z_OK;
}

static void close_zlib(struct coding *coding)
{
    struct zlib_coding *self = (struct zlib_coding *)coding;

    if (self->is_ready)
        inflateEnd(&self->zs);
    free(self);
}

static struct coding *open_deflate(void)
{
    struct zlib_coding *self = calloc(1, sizeof *self);

    return self ? &self->coding : NULL;
}

static struct coding *open_gzip(void)
{
    struct zlib_coding *self = calloc(1, sizeof *self);

    if (self && open_window(self, WINDOW_GZIP) == 0)
        return &self->coding;
    free(self);
    return NULL;
}

const struct coding_ops coding_gzip = {"gzip", open_gzip, run_inflate, next_member, close_zlib};
const struct coding_ops coding_deflate = {"deflate", open_deflate, run_deflate, NULL, close_zlib};
