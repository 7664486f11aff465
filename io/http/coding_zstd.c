/* SPDX-License-Identifier: MIT */
/* zstd (RFC 8878) with libzstd. RFC 9659: a window has at most 8 MiB. */
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "io/http/coding.h"

enum {
    WINDOW_LOG_MAX = 23,

    /* The first bytes of a frame, and of a frame whose content is skipped. */
    FRAME_FIRST = 0x28,
    SKIPPED_FIRST = 0x50,
    SKIPPED_LAST = 0x5f,
};

struct zstd_coding {
    struct coding coding;
    ZSTD_DStream *stream;
    bool is_flushed; /* without more input there is no more output */
};

static struct coding *open_zstd(void)
{
    struct zstd_coding *self = calloc(1, sizeof *self);

    if (!self)
        return NULL;
    self->stream = ZSTD_createDStream();
    if (self->stream &&
        !ZSTD_isError(ZSTD_DCtx_setParameter(self->stream, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        self->is_flushed = true;
        return &self->coding;
    }
    ZSTD_freeDStream(self->stream);
    free(self);
    return NULL;
}

static int run_zstd(struct coding *coding, struct coding_span *span)
{
    struct zstd_coding *self = (struct zstd_coding *)coding;
    ZSTD_inBuffer in = {span->in, span->in_len, 0};
    ZSTD_outBuffer out = {span->out, span->out_len, 0};

    if (span->in_len == 0 && self->is_flushed) /* libzstd counts calls without progress */
        return 0;
    size_t left = ZSTD_decompressStream(self->stream, &out, &in);
    span->used = in.pos;
    span->made = out.pos;
    self->is_flushed = out.pos < out.size;
    if (!ZSTD_isError(left))
        return left == 0;
    switch (ZSTD_getErrorCode(left)) {
    case ZSTD_error_memory_allocation:
        return -ENOMEM;
    case ZSTD_error_frameParameter_windowTooLarge:
        return coding_fail(coding, "a window of more than 8 MiB");
    default:
        return coding_fail(coding, ZSTD_getErrorName(left));
    }
}

/* RFC 8878 §3: frames follow one another; the rest of the header is libzstd's to check. */
static bool next_frame(struct coding *coding, uint8_t first)
{
    (void)coding;
    return first == FRAME_FIRST || (first >= SKIPPED_FIRST && first <= SKIPPED_LAST);
}

static void close_zstd(struct coding *coding)
{
    struct zstd_coding *self = (struct zstd_coding *)coding;

    ZSTD_freeDStream(self->stream);
    free(self);
}

const struct coding_ops coding_zstd = {"zstd", open_zstd, run_zstd, next_frame, close_zstd};
