/* SPDX-License-Identifier: MIT */
/* Buffered reading: bytes of the stream are read into one buffer, and the caller borrows parts of
 * it.
 *
 *     buf      start            end        size
 *      |  read   |    unread     |   free    | one byte more, for a NUL
 *
 * A stream that reads ahead (receiver.h) copies what it has received into this buffer. It could
 * lend its own buffers to the reader instead. This was tried. The numbers are instructions in user
 * space per line of 80 bytes:
 *
 *     from a socket, io_uring, messages of 1 line    1305 with copies    1286 with loans
 *                              messages of 5 lines    379                 371
 *                              messages of 25 lines   194                 189
 *     from a socket, epoll, messages of 25 lines      195                 200
 *     from a stream in memory, 25 lines               182                 174
 *
 * The kernel takes at least three quarters of the time of the lines from a socket, and the copies
 * take 1 % or less. Bulk, and all bytes with the epoll driver, are received into this buffer
 * directly. In bulk over TLS, the copies into and out of the engine take 3 to 4 %. And a
 * slow caller would keep a buffer that all receives of the run share. So bytes are copied. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/buffered.h>
#include <whorl/task.h>

#include "runtime/base/check.h"

enum { SIZE_DEFAULT = 8192, PART_MAX_DEFAULT = 65536 };

struct whorl_reader {
    struct whorl_stream *stream;
    char *buf;
    size_t start, end, size;
    size_t part_max;
    bool ended;   /* the stream has */
    bool reading; /* a task is in fill() */
};

int whorl_reader_create(struct whorl_stream *stream, const struct whorl_reader_options *options,
                        struct whorl_reader **ret)
{
    struct whorl_reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return -ENOMEM;
    reader->stream = stream;
    reader->size = options && options->size ? options->size : SIZE_DEFAULT;
    reader->part_max = options && options->part_max ? options->part_max : PART_MAX_DEFAULT;
    reader->buf = malloc(reader->size + 1);
    if (!reader->buf) {
        free(reader);
        return -ENOMEM;
    }
    *ret = reader;
    return 0;
}

void whorl_reader_destroy(struct whorl_reader *reader)
{
    if (!reader)
        return;
    whorl_check_text(!reader->reading, "a reader is destroyed while a task uses it");
    free(reader->buf);
    free(reader);
}

/* As whorl_reader_unread(), which is exported and therefore not inlined. */
static size_t count_unread(const struct whorl_reader *reader)
{
    return reader->end - reader->start;
}

size_t whorl_reader_unread(const struct whorl_reader *reader)
{
    return count_unread(reader);
}

/* Reads from the stream: the count, 0 at the end, or a negative code. */
static WHORL_SUSPENDS ssize_t receive(struct whorl_reader *reader, void *buf, size_t len)
{
    if (reader->ended)
        return 0;
    whorl_check_text(!reader->reading, "two tasks use one reader");
    reader->reading = true;
    ssize_t n = whorl_stream_read(reader->stream, buf, len);
    reader->reading = false;
    reader->ended = n == 0;
    return n;
}

/* Moves the unread bytes to the start of the buffer. If they fill it, makes it larger, so that
 * `unread_max` bytes can be unread. */
static int make_room(struct whorl_reader *reader, size_t unread_max)
{
    size_t unread = count_unread(reader), size = reader->size;

    if (reader->start > 0) {
        memmove(reader->buf, reader->buf + reader->start, unread);
        reader->start = 0;
        reader->end = unread;
    }
    if (unread < size)
        return 0;
    size = size > unread_max / 2 ? unread_max : 2 * size;
    char *buf = realloc(reader->buf, size + 1);
    if (!buf)
        return -ENOMEM;
    reader->buf = buf;
    reader->size = size;
    return 0;
}

/* Receives more bytes behind the unread ones, which are fewer than `unread_max`. The count, 0 at
 * the end, or a negative code. */
static __attribute__((noinline)) WHORL_SUSPENDS ssize_t fill(struct whorl_reader *reader,
                                                             size_t unread_max)
{
    int err = 0;

    /* A receive with little room would receive only a part of a message, and cost another one. */
    if (reader->start == reader->end)
        reader->start = reader->end = 0;
    else if (reader->start >= reader->size - reader->end)
        err = make_room(reader, unread_max);
    if (err)
        return err;
    ssize_t n = receive(reader, reader->buf + reader->end, reader->size - reader->end);
    reader->end += n > 0 ? (size_t)n : 0;
    return n;
}

/* Copies unread bytes. Returns their number. */
static size_t take(struct whorl_reader *reader, void *buf, size_t len)
{
    size_t n = count_unread(reader);

    if (n > len)
        n = len;
    memcpy(buf, reader->buf + reader->start, n);
    reader->start += n;
    return n;
}

WHORL_SUSPENDS ssize_t whorl_reader_read(struct whorl_reader *reader, void *buf, size_t len)
{
    int err = whorl_check_cancelled();

    if (err || len == 0)
        return err;
    if (count_unread(reader) == 0) {
        if (len >= reader->size)
            return receive(reader, buf, len);
        ssize_t n = fill(reader, reader->size);
        if (n <= 0)
            return n;
    }
    return (ssize_t)take(reader, buf, len);
}

WHORL_SUSPENDS int whorl_reader_read_exact(struct whorl_reader *reader, void *buf, size_t len)
{
    char *at = buf;

    if (len == 0)
        return whorl_check_cancelled();
    while (len > 0) {
        ssize_t n = whorl_reader_read(reader, at, len);
        if (n <= 0)
            return n < 0 ? (int)n : -ENODATA;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Lends the next `len` unread bytes, and drops `drop` bytes behind them. */
static int lend(struct whorl_reader *reader, size_t len, size_t drop, char **ret, size_t *ret_len)
{
    *ret = reader->buf + reader->start;
    (*ret)[len] = '\0';
    if (ret_len)
        *ret_len = len;
    reader->start += len + drop;
    return 1;
}

/* The first delimiter in these bytes; NULL: there is none. */
static const char *search(const char *bytes, size_t len, const char *delimiter,
                          size_t delimiter_len)
{
    if (delimiter_len == 1) /* faster than memmem(), which does more before it calls memchr() */
        return memchr(bytes, *delimiter, len);
    return memmem(bytes, len, delimiter, delimiter_len);
}

/* Receives until the unread bytes contain the delimiter, or end. Stops when the delimiter would be
 * behind `part_max` bytes. Returns 0 or a negative code.
 *
 * @ret  the number of bytes before the delimiter; if there is none, all of them */
static WHORL_SUSPENDS int find(struct whorl_reader *reader, const void *delimiter,
                               size_t delimiter_len, size_t part_max, size_t *ret)
{
    size_t searched = 0;
    int err = whorl_check_cancelled();

    while (err == 0) {
        const char *unread = reader->buf + reader->start;
        size_t len = count_unread(reader);
        const char *found = search(unread + searched, len - searched, delimiter, delimiter_len);

        *ret = found ? (size_t)(found - unread) : len;
        if (found || reader->ended || len >= part_max + delimiter_len)
            break;
        searched = len < delimiter_len ? 0 : len - delimiter_len + 1;
        ssize_t n = fill(reader, part_max + delimiter_len);
        err = n < 0 ? (int)n : 0;
    }
    return err;
}

WHORL_SUSPENDS int whorl_reader_read_until(struct whorl_reader *reader, const void *delimiter,
                                           size_t delimiter_len, char **ret, size_t *ret_len)
{
    size_t part;

    whorl_check_text(delimiter_len > 0, "a delimiter has no bytes");
    int err = find(reader, delimiter, delimiter_len, reader->part_max, &part);
    if (err)
        return err;
    if (part > reader->part_max)
        return -EMSGSIZE;
    if (part < count_unread(reader))
        return lend(reader, part, delimiter_len, ret, ret_len);
    return part > 0 ? lend(reader, part, 0, ret, ret_len) : 0;
}

WHORL_SUSPENDS int whorl_reader_read_line(struct whorl_reader *reader, char **ret, size_t *ret_len)
{
    size_t len, drop = 0;

    int err = find(reader, "\n", 1, reader->part_max + 1, &len); /* and a "\r" */
    if (err)
        return err;
    if (len < count_unread(reader)) {
        drop = 1;
        if (len > 0 && reader->buf[reader->start + len - 1] == '\r') {
            len--;
            drop++;
        }
    }
    if (len > reader->part_max)
        return -EMSGSIZE;
    return len + drop > 0 ? lend(reader, len, drop, ret, ret_len) : 0;
}

WHORL_SUSPENDS ssize_t whorl_reader_peek(struct whorl_reader *reader, size_t n, const char **ret)
{
    int err = whorl_check_cancelled();

    if (err == 0 && n > reader->part_max)
        err = -EMSGSIZE;
    while (err == 0 && count_unread(reader) < n && !reader->ended) {
        ssize_t count = fill(reader, n);
        err = count < 0 ? (int)count : 0;
    }
    if (err)
        return err;
    *ret = reader->buf + reader->start;
    return (ssize_t)count_unread(reader);
}

void whorl_reader_skip(struct whorl_reader *reader, size_t n)
{
    whorl_check_text(n <= count_unread(reader), "more bytes are skipped than were shown");
    reader->start += n;
}
