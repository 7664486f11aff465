/* SPDX-License-Identifier: MIT */
/* Content decoding with zlib. Each coding is a layer. Bytes are pulled from the last layer, and
 * every other layer writes into the buffer of the next, so memory does not depend on how far a
 * stream expands. Work is bounded by DECODE_PAUSE_BYTES and DECODE_BETWEEN_MAX.
 */
#include "io/http/decode.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <whorl/error.h>

enum layer_kind {
    LAYER_GZIP,
    LAYER_DEFLATE,
};

enum layer_state {
    LAYER_SNIFF, /* deflate: two bytes tell whether there is a zlib header */
    LAYER_INFLATE,
    LAYER_END, /* a whole stream has ended; gzip may begin another member */
};

enum {
    LAYER_BUF = 16 * 1024,
    WINDOW_RAW = -15,
    WINDOW_ZLIB = 15,
    WINDOW_GZIP = 15 + 16,
};

struct decode_layer {
    enum layer_kind kind;
    enum layer_state state;
    bool begun;    /* a byte has arrived */
    bool is_ready; /* `zs` was initialised */
    uint8_t sniffed[2];
    uint8_t sniffed_len;
    z_stream zs;
    size_t buf_pos, buf_len; /* decoded by the previous layer, not yet used; not in layer 0 */
    uint8_t buf[LAYER_BUF];
};

static int fail(struct decode *d, int err, const char *reason)
{
    d->error = err;
    d->reason = reason;
    return err;
}

/* --- setting up --- */

static bool is_coding(const char *text, size_t len, const char *name)
{
    char copy[16];
    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return header_equal(copy, name);
}

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

static int open_window(struct decode_layer *layer, int window)
{
    layer->zs.zalloc = allocate;
    layer->zs.zfree = release;
    int err = inflateInit2(&layer->zs, window);
    layer->is_ready = err == Z_OK;
    return err == Z_OK ? 0 : -ENOMEM;
}

static int add_layer(struct decode *d, enum layer_kind kind)
{
    if (d->count == DECODE_LAYERS_MAX)
        return fail(d, WHORL_EHTTP_ENCODING_UNKNOWN, "more than three content codings");
    struct decode_layer *layer = malloc(sizeof *layer);
    if (!layer)
        return fail(d, -ENOMEM, "out of memory");
    memset(layer, 0, offsetof(struct decode_layer, buf));
    layer->kind = kind;
    /* Listed in the order in which they were applied (RFC 9110 §8.4): the last one is decoded
     * first. */
    memmove(d->layers + 1, d->layers, (size_t)d->count * sizeof d->layers[0]);
    d->layers[0] = layer;
    d->count++;
    if (kind == LAYER_GZIP) {
        layer->state = LAYER_INFLATE;
        if (open_window(layer, WINDOW_GZIP))
            return fail(d, -ENOMEM, "out of memory");
    }
    return 0;
}

static void free_layers(struct decode *d)
{
    for (int i = 0; i < d->count; i++) {
        if (d->layers[i]->is_ready)
            inflateEnd(&d->layers[i]->zs);
        free(d->layers[i]);
    }
    d->count = 0;
}

int decode_init(struct decode *d, const struct header_list *headers, int64_t decoded_max)
{
    const char *cursor, *member;
    size_t index = 0, len;
    int err = 0;

    *d = (struct decode){.decoded_max = decoded_max};
    while (err == 0 && (cursor = header_list_next(headers, "Content-Encoding", &index)) != NULL) {
        while (err == 0 && header_next_member(&cursor, &member, &len)) {
            if (is_coding(member, len, "gzip") || is_coding(member, len, "x-gzip"))
                err = add_layer(d, LAYER_GZIP);
            else if (is_coding(member, len, "deflate"))
                err = add_layer(d, LAYER_DEFLATE);
            else if (!is_coding(member, len, "identity"))
                err = fail(d, WHORL_EHTTP_ENCODING_UNKNOWN, "unknown content coding");
        }
    }
    if (err)
        free_layers(d);
    return err ? err : d->count > 0;
}

void decode_finish(struct decode *d)
{
    free_layers(d);
    *d = (struct decode){0};
}

/* --- running --- */

static uInt clip(size_t len)
{
    return len > UINT_MAX ? UINT_MAX : (uInt)len;
}

static int inflate_layer(struct decode *d, struct decode_layer *layer, const uint8_t *in,
                         size_t in_len, size_t *used, uint8_t *out, size_t out_len, size_t *made)
{
    z_stream *zs = &layer->zs;

    zs->next_in = (z_const Bytef *)in;
    zs->avail_in = clip(in_len);
    zs->next_out = out;
    zs->avail_out = clip(out_len);
    int err = inflate(zs, Z_NO_FLUSH);
    *used += clip(in_len) - zs->avail_in;
    *made += clip(out_len) - zs->avail_out;
    switch (err) {
    case Z_OK:
    case Z_BUF_ERROR: /* no progress without more input or room */
        return 0;
    case Z_STREAM_END:
        layer->state = LAYER_END;
        return 0;
    case Z_MEM_ERROR:
        return fail(d, -ENOMEM, "out of memory");
    case Z_NEED_DICT:
        return fail(d, WHORL_EHTTP_ENCODING, "compressed with a preset dictionary");
    default:
        return fail(d, WHORL_EHTTP_ENCODING, zs->msg ? zs->msg : "compressed data is damaged");
    }
}

/* RFC 9110 §8.4.1.2: "deflate" is zlib's format, but some servers send raw deflate. A stream is raw
 * when its first two bytes are no zlib header (RFC 1950 §2.2). */
static int sniff(struct decode *d, struct decode_layer *layer, uint8_t byte)
{
    layer->sniffed[layer->sniffed_len++] = byte;
    if (layer->sniffed_len < 2)
        return 0;
    unsigned first = layer->sniffed[0], second = layer->sniffed[1];
    bool zlib = (first & 0x0f) == 8 && first >> 4 <= 7 && (first << 8 | second) % 31 == 0;
    if (open_window(layer, zlib ? WINDOW_ZLIB : WINDOW_RAW))
        return fail(d, -ENOMEM, "out of memory");
    size_t used = 0, made = 0;
    uint8_t none;
    layer->state = LAYER_INFLATE;
    /* Two bytes can be a whole raw stream ("\3\0"), but they decode to nothing. */
    return inflate_layer(d, layer, layer->sniffed, 2, &used, &none, 0, &made);
}

/* One step: uses bytes of `in`, makes bytes of `out`, or both, unless `in` is empty or `out` is
 * full. Adds to `*used` and `*made`. */
static int step(struct decode *d, struct decode_layer *layer, const uint8_t *in, size_t in_len,
                size_t *used, uint8_t *out, size_t out_len, size_t *made)
{
    layer->begun |= in_len > 0;
    switch (layer->state) {
    case LAYER_SNIFF:
        if (in_len == 0)
            return 0;
        ++*used;
        return sniff(d, layer, in[0]);
    case LAYER_INFLATE:
        return inflate_layer(d, layer, in, in_len, used, out, out_len, made);
    case LAYER_END:
        if (in_len == 0)
            return 0;
        /* RFC 1952 §2.2: members follow one another; the rest of the header is zlib's to check. */
        if (layer->kind != LAYER_GZIP || in[0] != 0x1f)
            return fail(d, WHORL_EHTTP_ENCODING, "bytes after the end of the compressed data");
        if (inflateReset(&layer->zs) != Z_OK)
            return fail(d, WHORL_EHTTP_ENCODING, "compressed data is damaged");
        layer->state = LAYER_INFLATE;
        return inflate_layer(d, layer, in, in_len, used, out, out_len, made);
    }
    return 0;
}

static void spend(struct decode *d, size_t bytes)
{
    d->budget -= bytes < d->budget ? bytes : d->budget;
}

/* Counts what a step of layer `i` has read and written. 0 or an error. */
static int account(struct decode *d, int i, size_t taken, size_t made)
{
    if (i == 0)
        d->coded += (int64_t)taken;
    if (i == d->count - 1)
        return 0;
    d->between += (int64_t)made;
    if (d->between - DECODE_BETWEEN_MAX > d->coded * DECODE_BETWEEN_RATIO)
        return fail(d, WHORL_EHTTP_BODY_TOO_LARGE,
                    "content codings expand beyond the allowed size");
    return 0;
}

/* Runs layer `i` until `out` is full or no layer can continue. Its input comes from the network or
 * from the previous layer. A layer returns the bytes that it has before it asks the previous layer
 * for more. So an error is reported after all bytes that precede it, however the input is cut. */
static int pull(struct decode *d, int i, const uint8_t *in, size_t in_len, size_t *used,
                uint8_t *out, size_t out_len, size_t *made)
{
    struct decode_layer *layer = d->layers[i];
    int err;

    for (;;) {
        size_t made_before = *made, taken = 0;
        if (d->budget == 0) {
            d->paused = true;
            return 0;
        }
        if (i == 0) {
            err = step(d, layer, in + *used, in_len - *used, &taken, out + *made, out_len - *made,
                       made);
            *used += taken;
        } else {
            err = step(d, layer, layer->buf + layer->buf_pos, layer->buf_len - layer->buf_pos,
                       &taken, out + *made, out_len - *made, made);
            layer->buf_pos += taken;
        }
        spend(d, taken + (*made - made_before));
        if (err == 0)
            err = account(d, i, taken, *made - made_before);
        if (err || *made == out_len)
            return err;
        if (*made > made_before || taken > 0)
            continue;
        if (i == 0)
            return 0;
        layer->buf_pos = layer->buf_len = 0; /* all was taken */
        err = pull(d, i - 1, in, in_len, used, layer->buf, LAYER_BUF, &layer->buf_len);
        if (layer->buf_len == 0 || err == -ENOMEM || err == WHORL_EHTTP_BODY_TOO_LARGE)
            return err;
        d->error = 0; /* these bytes come first; the next call finds the error again */
    }
}

static int pass(const uint8_t *in, size_t in_len, size_t *used, uint8_t *out, size_t out_len,
                size_t *made)
{
    size_t n = in_len < out_len ? in_len : out_len;

    if (n > 0)
        memcpy(out, in, n);
    *used = *made = n;
    return 0;
}

int decode_run(struct decode *d, const void *in, size_t in_len, size_t *ret_in_used, void *out,
               size_t out_len, size_t *ret_out_len)
{
    size_t used = 0, made = 0, room = out_len;
    uint8_t extra;
    int err;

    *ret_in_used = *ret_out_len = 0;
    d->paused = false;
    d->budget = DECODE_PAUSE_BYTES;
    if (d->error || out_len == 0)
        return d->error;
    if (d->decoded_max > 0 && (uint64_t)(d->decoded_max - d->decoded) < room)
        room = (size_t)(d->decoded_max - d->decoded);
    /* At the limit, the stream may still end without more output. To find out, decode into one
     * scratch byte: if it is used, the body is too large. */
    bool is_full = room == 0;
    if (d->count == 0)
        err = pass(in, in_len, &used, is_full ? &extra : out, is_full ? 1 : room, &made);
    else
        err = pull(d, d->count - 1, in, in_len, &used, is_full ? &extra : out, is_full ? 1 : room,
                   &made);
    *ret_in_used = used;
    if (is_full && made > 0)
        return fail(d, WHORL_EHTTP_BODY_TOO_LARGE, "decoded body exceeds the allowed size");
    *ret_out_len = made;
    d->decoded += (int64_t)made;
    return err;
}

int decode_end(struct decode *d)
{
    if (d->error)
        return d->error;
    for (int i = 0; i < d->count; i++) {
        const struct decode_layer *layer = d->layers[i];
        if (layer->begun && layer->state != LAYER_END)
            return fail(d, WHORL_EHTTP_ENCODING, "compressed data ends early");
    }
    return 0;
}

const char *decode_reason(const struct decode *d)
{
    return d->reason ? d->reason : "";
}
