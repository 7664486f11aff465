/* SPDX-License-Identifier: MIT */
/* Content decoding. Each coding is a layer. Bytes are pulled from the last layer, and every other
 * layer writes into the buffer of the next, so memory does not depend on how far a stream expands.
 * Work is bounded by DECODE_PAUSE_BYTES and DECODE_BETWEEN_MAX.
 */
#include "io/http/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/error.h>

#include "io/http/coding.h"

enum {
    LAYER_BUF = 16 * 1024,
};

struct decode_layer {
    struct coding *coding;
    bool begun;              /* a byte has arrived */
    bool ended;              /* a whole stream has ended; another one may follow */
    size_t buf_pos, buf_len; /* decoded by the previous layer, not yet used; not in layer 0 */
    uint8_t buf[LAYER_BUF];
};

/* The codings that this build knows, with their names in Content-Encoding. */
static const struct {
    const char *name;
    const struct coding_ops *ops;
} codings[] = {
    {"gzip", &coding_gzip}, {"x-gzip", &coding_gzip}, {"deflate", &coding_deflate},
#ifdef WHORL_WITH_BROTLI
    {"br", &coding_brotli},
#endif
#ifdef WHORL_WITH_ZSTD
    {"zstd", &coding_zstd},
#endif
};

const char *decode_accepted(void)
{
    return "gzip, deflate"
#ifdef WHORL_WITH_BROTLI
           ", br"
#endif
#ifdef WHORL_WITH_ZSTD
           ", zstd"
#endif
        ;
}

int coding_fail(struct coding *coding, const char *reason)
{
    coding->reason = reason;
    return WHORL_EHTTP_ENCODING;
}

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

static int add_layer(struct decode *d, const struct coding_ops *ops)
{
    if (d->count == DECODE_LAYERS_MAX)
        return fail(d, WHORL_EHTTP_ENCODING_UNKNOWN, "more than five content codings");
    struct decode_layer *layer = malloc(sizeof *layer);
    struct coding *coding = layer ? ops->open() : NULL;
    if (!coding) {
        free(layer);
        return fail(d, -ENOMEM, "out of memory");
    }
    coding->ops = ops;
    memset(layer, 0, offsetof(struct decode_layer, buf));
    layer->coding = coding;
    /* Listed in the order in which they were applied (RFC 9110 §8.4): the last one is decoded
     * first. */
    memmove(d->layers + 1, d->layers, (size_t)d->count * sizeof d->layers[0]);
    d->layers[0] = layer;
    d->count++;
    return 0;
}

static int add_named(struct decode *d, const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        if (is_coding(name, len, codings[i].name))
            return add_layer(d, codings[i].ops);
    return is_coding(name, len, "identity")
               ? 0
               : fail(d, WHORL_EHTTP_ENCODING_UNKNOWN, "unknown content coding");
}

static void free_layers(struct decode *d)
{
    for (int i = 0; i < d->count; i++) {
        d->layers[i]->coding->ops->close(d->layers[i]->coding);
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
        while (err == 0 && header_next_member(&cursor, &member, &len))
            err = add_named(d, member, len);
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

/* One step: uses bytes of `in`, makes bytes of `out`, or both, unless `in` is empty or `out` is
 * full. Adds to `*used` and `*made`. */
static int step(struct decode *d, struct decode_layer *layer, const uint8_t *in, size_t in_len,
                size_t *used, uint8_t *out, size_t out_len, size_t *made)
{
    struct coding *coding = layer->coding;
    struct coding_span span = {.in = in, .in_len = in_len, .out = out, .out_len = out_len};

    layer->begun |= in_len > 0;
    if (layer->ended) {
        if (in_len == 0)
            return 0;
        if (!coding->ops->next || !coding->ops->next(coding, in[0]))
            return fail(d, WHORL_EHTTP_ENCODING, "bytes after the end of the compressed data");
        layer->ended = false;
    }
    int result = coding->ops->run(coding, &span);
    *used += span.used;
    *made += span.made;
    layer->ended = result == 1;
    if (result < 0)
        return fail(d, result, result == -ENOMEM ? "out of memory" : coding->reason);
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
        if (layer->begun && !layer->ended)
            return fail(d, WHORL_EHTTP_ENCODING, "compressed data ends early");
    }
    return 0;
}

const char *decode_reason(const struct decode *d)
{
    return d->reason ? d->reason : "";
}
