/* SPDX-License-Identifier: MIT */
/* Body framing. Chunks are read here and not by llhttp: it treats a space before an extension as an
 * error, and it limits neither extensions nor the zeros before a size.
 */
#include "io/http/body.h"

#include <whorl/error.h>

#include "io/url/ascii.h"

/* RFC 9112 §7.1, one chunk:
 *
 *     SIZE  1*HEXDIG  SPACE  *( BWS )  [ ";" EXTENSION ... ]  CR  SIZE_LF  LF
 *     DATA  bytes     DATA_CR  CR  DATA_LF  LF
 */
enum chunk_state {
    CHUNK_SIZE,
    CHUNK_SPACE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_LAST, /* the trailer section comes next; the caller reads it */
};

enum {
    SIZE_DIGITS_MAX = 16,
    CHUNK_LINE_MAX = 4096, /* spaces and extensions of one chunk */
    EXCESS_MAX = 65536,    /* framing bytes of the whole body above the fair share */
    /* The fair share of a chunk's size line is this many bytes and twice the chunk's data. So a
     * body of one-byte chunks is allowed: it is slow, but not an attack. */
    FAIR_PER_CHUNK = 16,
};

void body_start(struct body *body, enum body_kind kind, int64_t length, int64_t bytes_max)
{
    *body = (struct body){
        .kind = kind,
        .left = kind == BODY_LENGTH ? length : 0,
        .bytes_max = bytes_max,
        .reason = "",
    };
}

static int fail(struct body *body, int err, const char *reason)
{
    body->reason = reason;
    return err;
}

/* The size line of a chunk is complete. */
static int enter_chunk(struct body *body)
{
    int64_t line = body->size_len + (int64_t)body->line_len + 4;

    if (body->left == 0) {
        body->state = CHUNK_LAST;
        return 0;
    }
    if (body->left > body->bytes_max - body->received)
        return fail(body, WHORL_EHTTP_BODY_TOO_LARGE, "a chunk exceeds the allowed body size");
    /* A line within its fair share adds nothing, so only padding accumulates. */
    body->excess +=
        line - FAIR_PER_CHUNK - 2 * (body->left < CHUNK_LINE_MAX ? body->left : CHUNK_LINE_MAX);
    if (body->excess < 0)
        body->excess = 0;
    if (body->excess > EXCESS_MAX)
        return fail(body, WHORL_EHTTP_CHUNK, "chunk extensions take more bytes than allowed");
    body->state = CHUNK_DATA;
    return 0;
}

/* Reads one byte of framing. */
static int step(struct body *body, char c)
{
    int digit;

    switch ((enum chunk_state)body->state) {
    case CHUNK_SIZE:
        digit = ascii_hex_value(c);
        if (digit >= 0) {
            if (body->size_len == SIZE_DIGITS_MAX || body->left > INT64_MAX >> 4)
                return fail(body, WHORL_EHTTP_CHUNK, "chunk size is too large");
            body->size_len++;
            body->left = body->left << 4 | digit;
            return 0;
        }
        if (body->size_len == 0)
            return fail(body, WHORL_EHTTP_CHUNK, "chunk size does not begin with a digit");
        body->state = CHUNK_SPACE;
        __attribute__((fallthrough));
    case CHUNK_SPACE:
        if (c == '\r') {
            body->state = CHUNK_SIZE_LF;
            return 0;
        }
        if (c == ';')
            body->state = CHUNK_EXTENSION;
        else if (c == '\n')
            return fail(body, WHORL_EHTTP_CHUNK, "line feed without carriage return in chunk size");
        else if (c != ' ' && c != '\t')
            return fail(body, WHORL_EHTTP_CHUNK, "chunk size is not a hexadecimal number");
        break;
    case CHUNK_EXTENSION:
        if (c == '\r') {
            body->state = CHUNK_SIZE_LF;
            return 0;
        }
        if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
            return fail(body, WHORL_EHTTP_CHUNK, "control byte in a chunk extension");
        break;
    case CHUNK_SIZE_LF:
        if (c != '\n')
            return fail(body, WHORL_EHTTP_CHUNK, "carriage return without line feed in chunk size");
        return enter_chunk(body);
    case CHUNK_DATA_CR:
        if (c != '\r')
            return fail(body, WHORL_EHTTP_CHUNK, "chunk is longer than its size");
        body->state = CHUNK_DATA_LF;
        return 0;
    case CHUNK_DATA_LF:
        if (c != '\n')
            return fail(body, WHORL_EHTTP_CHUNK, "no line feed after a chunk");
        body->state = CHUNK_SIZE;
        body->size_len = 0;
        body->line_len = 0;
        return 0;
    case CHUNK_DATA:
    case CHUNK_LAST:
        return 0;
    }
    if (++body->line_len > CHUNK_LINE_MAX)
        return fail(body, WHORL_EHTTP_CHUNK, "chunk extension is too long");
    return 0;
}

/* Hands out at most `limit` bytes of `buf`. */
static int give(struct body *body, const char *buf, size_t len, int64_t limit, size_t *ret_used,
                const char **ret, size_t *ret_len)
{
    size_t n = (uint64_t)limit < len ? (size_t)limit : len;

    if (n == 0)
        return BODY_NEED_INPUT;
    body->received += (int64_t)n;
    *ret = buf;
    *ret_len = n;
    *ret_used += n;
    return BODY_DATA;
}

static int feed_chunked(struct body *body, const char *buf, size_t len, size_t *ret_used,
                        const char **ret, size_t *ret_len)
{
    while (body->state != CHUNK_LAST) {
        if (body->state == CHUNK_DATA) {
            int event =
                give(body, buf + *ret_used, len - *ret_used, body->left, ret_used, ret, ret_len);
            if (event == BODY_DATA && (body->left -= (int64_t)*ret_len) == 0)
                body->state = CHUNK_DATA_CR;
            return event;
        }
        if (*ret_used == len)
            return BODY_NEED_INPUT;
        int err = step(body, buf[*ret_used]);
        if (err)
            return err;
        ++*ret_used;
    }
    return BODY_TRAILERS;
}

int body_feed(struct body *body, const char *buf, size_t len, size_t *ret_used, const char **ret,
              size_t *ret_len)
{
    int event;

    *ret_used = 0;
    switch (body->kind) {
    case BODY_NONE:
        return BODY_DONE;
    case BODY_LENGTH:
        if (body->left == 0)
            return BODY_DONE;
        if (body->left > body->bytes_max - body->received)
            return fail(body, WHORL_EHTTP_BODY_TOO_LARGE,
                        "Content-Length exceeds the allowed body size");
        event = give(body, buf, len, body->left, ret_used, ret, ret_len);
        if (event == BODY_DATA)
            body->left -= (int64_t)*ret_len;
        return event;
    case BODY_UNTIL_CLOSE:
        event = give(body, buf, len, body->bytes_max - body->received, ret_used, ret, ret_len);
        if (event == BODY_NEED_INPUT && len > 0)
            return fail(body, WHORL_EHTTP_BODY_TOO_LARGE, "body exceeds the allowed size");
        return event;
    case BODY_CHUNKED:
        return feed_chunked(body, buf, len, ret_used, ret, ret_len);
    }
    return BODY_DONE;
}
