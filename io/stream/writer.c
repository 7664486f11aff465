/* SPDX-License-Identifier: MIT */
/* Buffered writing: small writes are collected and sent together. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/buffered.h>
#include <whorl/task.h>

#include "runtime/base/check.h"

enum { SIZE_DEFAULT = 8192 };

struct whorl_writer {
    struct whorl_stream *stream;
    size_t used, size;
    int err;      /* of the first write that failed */
    bool writing; /* a task is in send_parts() */
    char buf[];
};

int whorl_writer_create(struct whorl_stream *stream, const struct whorl_writer_options *options,
                        struct whorl_writer **ret)
{
    size_t size = options && options->size ? options->size : SIZE_DEFAULT;
    struct whorl_writer *writer = malloc(sizeof *writer + size);

    if (!writer)
        return -ENOMEM;
    *writer = (struct whorl_writer){.stream = stream, .size = size};
    *ret = writer;
    return 0;
}

void whorl_writer_destroy(struct whorl_writer *writer)
{
    if (!writer)
        return;
    whorl_check_text(!writer->writing, "a writer is destroyed while a task uses it");
    free(writer);
}

/* Sends the buffer and then `len` more bytes, with one call. */
static WHORL_SUSPENDS int send_parts(struct whorl_writer *writer, const void *buf, size_t len)
{
    struct iovec parts[] = {{writer->buf, writer->used}, {(void *)(uintptr_t)buf, len}};

    whorl_check_text(!writer->writing, "two tasks use one writer");
    writer->writing = true;
    writer->err = whorl_stream_writev(writer->stream, parts, 2);
    writer->writing = false;
    writer->used = 0;
    return writer->err;
}

WHORL_SUSPENDS int whorl_writer_write(struct whorl_writer *writer, const void *buf, size_t len)
{
    if (writer->err)
        return writer->err;
    int err = whorl_check_cancelled();
    if (err)
        return err;
    if (len > writer->size - writer->used)
        return send_parts(writer, buf, len);
    if (len > 0)
        memcpy(writer->buf + writer->used, buf, len);
    writer->used += len;
    return 0;
}

WHORL_SUSPENDS int whorl_writer_flush(struct whorl_writer *writer)
{
    if (writer->err)
        return writer->err;
    if (writer->used == 0)
        return whorl_check_cancelled();
    return send_parts(writer, "", 0);
}

/* Formats text that did not fit into the buffer. */
static WHORL_SUSPENDS int print_long(struct whorl_writer *writer, const char *format, va_list args)
{
    char *text;
    int len = vasprintf(&text, format, args);

    if (len < 0)
        return -ENOMEM;
    int err = whorl_writer_write(writer, text, (size_t)len);
    free(text);
    return err;
}

WHORL_SUSPENDS int whorl_writer_vprintf(struct whorl_writer *writer, const char *format,
                                        va_list args)
{
    size_t room = writer->size - writer->used;
    va_list again;

    if (writer->err)
        return writer->err;
    int err = whorl_check_cancelled();
    if (err)
        return err;
    va_copy(again, args);
    int len = vsnprintf(writer->buf + writer->used, room, format, args);
    if (len < 0)
        err = -errno;
    else if ((size_t)len < room) /* it fits with the NUL, which is not sent */
        writer->used += (size_t)len;
    else
        err = print_long(writer, format, again);
    va_end(again);
    return err;
}

WHORL_SUSPENDS int whorl_writer_printf(struct whorl_writer *writer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int err = whorl_writer_vprintf(writer, format, args);
    va_end(args);
    return err;
}
