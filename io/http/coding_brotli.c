/* SPDX-License-Identifier: MIT */
/* br (RFC 7932) with libbrotlidec. Windows have at most 16 MiB; larger ones are no part of the
 * coding. */
#include <brotli/decode.h>
#include <errno.h>
#include <stdlib.h>

#include "io/http/coding.h"

struct brotli_coding {
    struct coding coding;
    BrotliDecoderState *state;
};

/* The library allocates with the same functions as the rest of the library. */
static void *allocate(void *opaque, size_t size)
{
    (void)opaque;
    return malloc(size);
}

static void release(void *opaque, void *memory)
{
    (void)opaque;
    free(memory);
}

static struct coding *open_brotli(void)
{
    struct brotli_coding *self = calloc(1, sizeof *self);

    if (!self)
        return NULL;
    self->state = BrotliDecoderCreateInstance(allocate, release, NULL);
    if (self->state)
        return &self->coding;
    free(self);
    return NULL;
}

static bool is_no_memory(BrotliDecoderErrorCode code)
{
    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
           code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
}

static int run_brotli(struct coding *coding, struct coding_span *span)
{
    struct brotli_coding *self = (struct brotli_coding *)coding;
    const uint8_t *in = span->in;
    uint8_t *out = span->out;
    size_t in_left = span->in_len, out_left = span->out_len;
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(self->state, &in_left, &in, &out_left, &out, NULL);

    span->used = span->in_len - in_left;
    span->made = span->out_len - out_left;
    if (result == BROTLI_DECODER_RESULT_SUCCESS)
        return 1;
    if (result != BROTLI_DECODER_RESULT_ERROR)
        return 0;
    return is_no_memory(BrotliDecoderGetErrorCode(self->state))
               ? -ENOMEM
               : coding_fail(coding, "compressed data is damaged");
}

static void close_brotli(struct coding *coding)
{
    struct brotli_coding *self = (struct brotli_coding *)coding;

    BrotliDecoderDestroyInstance(self->state);
    free(self);
}

const struct coding_ops coding_brotli = {"br", open_brotli, run_brotli, NULL, close_brotli};
