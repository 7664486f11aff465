/* SPDX-License-Identifier: MIT */
/* The writing task, see writer.h. */
#include "tools/get/writer.h"

#include <errno.h>

#include <whorl/fd.h>
#include <whorl/scope.h>

/* A part of this size fits into a pipe as soon as its reader has taken a page. */
enum { PART = 4096 };

void writer_add(struct writer *writer, const char *text, size_t len)
{
    if (writer->err || len == 0)
        return;
    buffer_add(&writer->text, text, len);
    if (writer->text.failed)
        writer_fail(writer, -ENOMEM);
    whorl_event_set(&writer->more);
}

void writer_fail(struct writer *writer, int err)
{
    if (!writer->err)
        writer->err = err;
}

WHORL_SUSPENDS int writer_wait_room(struct writer *writer)
{
    while (!writer->err && writer->text.len >= WRITER_FULL) {
        whorl_event_reset(&writer->room);
        int err = whorl_event_wait(&writer->room);
        if (err)
            return err;
    }
    return 0;
}

bool writer_is_drained(const struct writer *writer)
{
    return writer->err || !whorl_event_is_set(&writer->more);
}

void writer_close(struct writer *writer)
{
    writer->closed = true;
    whorl_event_set(&writer->more);
}

/* Writes the text in parts, and gives up when one part takes longer than `stall_ns`. */
static WHORL_SUSPENDS int write_parts(const struct writer *writer, const struct buffer *text)
{
    int err = 0;

    for (size_t at = 0, len; err == 0 && at < text->len; at += len) {
        struct whorl_scope scope;
        len = text->len - at < PART ? text->len - at : PART;
        whorl_scope_enter(&scope, whorl_after(writer->stall_ns));
        err = whorl_scope_leave(&scope, whorl_write_all(writer->fd, text->text + at, len));
    }
    return err;
}

WHORL_SUSPENDS int writer_run(void *arg)
{
    struct writer *writer = arg;

    for (;;) {
        int err = whorl_event_wait(&writer->more);
        if (err)
            return 0;
        if (writer->text.len == 0)
            return 0; /* the writer is closed and all text is written */

        struct buffer text = writer->text;
        writer->text = writer->spare;
        writer->spare = text;
        buffer_clear(&writer->text);
        whorl_event_set(&writer->room);
        /* Other tasks may add to `text` during the write. `spare` does not change until it ends. */
        err = writer->stall_ns ? write_parts(writer, &text)
                               : whorl_write_all(writer->fd, text.text, text.len);
        if (err) {
            writer_fail(writer, err);
            buffer_clear(&writer->text);
        }
        if (writer->text.len == 0 && !writer->closed)
            whorl_event_reset(&writer->more);
        whorl_event_set(&writer->room);
    }
}

void writer_finish(struct writer *writer)
{
    buffer_finish(&writer->text);
    buffer_finish(&writer->spare);
}
