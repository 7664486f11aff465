/* SPDX-License-Identifier: MIT */
/* The writing task, see writer.h. */
#include "tools/whorl-get/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/fd.h>

void writer_add(struct writer *writer, const char *text, size_t len)
{
    if (writer->err || len == 0)
        return;
    if (writer->size - writer->len < len) {
        size_t size = writer->size ? writer->size : 4096;
        while (size - writer->len < len)
            size *= 2;
        char *buf = realloc(writer->buf, size);
        if (!buf) {
            writer->err = -ENOMEM;
            return;
        }
        writer->buf = buf;
        writer->size = size;
    }
    memcpy(writer->buf + writer->len, text, len);
    writer->len += len;
    whorl_event_set(&writer->more);
}

WHORL_SUSPENDS int writer_wait_room(struct writer *writer)
{
    while (!writer->err && writer->len >= WRITER_FULL) {
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

WHORL_SUSPENDS int writer_run(void *arg)
{
    struct writer *writer = arg;

    for (;;) {
        int err = whorl_event_wait(&writer->more);
        if (err)
            return 0;
        if (writer->len == 0)
            return 0; /* the writer is closed and all text is written */

        char *text = writer->buf;
        size_t len = writer->len, size = writer->size;
        writer->buf = writer->spare, writer->size = writer->spare_size;
        writer->spare = text, writer->spare_size = size;
        writer->len = 0;
        whorl_event_set(&writer->room);
        /* Other tasks may add to `buf` during the write. `spare` does not change until it ends. */
        err = whorl_write_all(writer->fd, text, len);
        if (err)
            writer->err = err, writer->len = 0;
        if (writer->len == 0 && !writer->closed)
            whorl_event_reset(&writer->more);
        whorl_event_set(&writer->room);
    }
}

void writer_finish(struct writer *writer)
{
    free(writer->buf);
    free(writer->spare);
    writer->buf = writer->spare = NULL;
}
