/* SPDX-License-Identifier: MIT */
/* Buffers text and writes it to a descriptor in a separate task. A slow reader therefore does not
 * block other tasks, and many lines are written in one call.
 *
 *     writer_add(&writer, line, line_len);            // from any task; never suspends
 *     err = writer_wait_room(&writer);                // back-pressure, in tasks that may wait
 *     ...
 *     writer_close(&writer);                          // the task ends when all text is written
 */
#ifndef WHORL_GET_WRITER_H
#define WHORL_GET_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/sync.h>

#include "tools/get/buffer.h"

/* Set `fd`. All other fields start at zero. */
struct writer {
    int fd;
    int64_t stall_ns; /* a reader that takes nothing for this time is given up; 0: is waited for */
    int err;          /* the first failure; all text after it is dropped */
    bool closed;
    struct buffer text;      /* not yet being written */
    struct buffer spare;     /* being written; swapped with `text` before each write */
    struct whorl_event more; /* set: there is text to write, or the writer is closed */
    struct whorl_event room; /* set: there is less text than WRITER_FULL */
};

/* writer_wait_room() waits while there is at least this much text, in bytes. */
enum { WRITER_FULL = 256 * 1024 };

/* Appends the text. When there is no memory, drops it and sets `err` to -ENOMEM. */
void writer_add(struct writer *writer, const char *text, size_t len);

/* Sets `err`, unless there was a failure before. A part of the text is missing, so nothing more is
 * written. */
void writer_fail(struct writer *writer, int err);

/* Waits until there is less text than WRITER_FULL. Returns 0 or -ECANCELED. */
WHORL_SUSPENDS int writer_wait_room(struct writer *writer);

/* Whether all added text is written. Also true after a failure, when nothing more will be
 * written. */
bool writer_is_drained(const struct writer *writer);

/* Says that no more text will be added. */
void writer_close(struct writer *writer);

/* The function of the task; `arg` is the writer. Always returns 0; a failure is in `err`. */
WHORL_SUSPENDS int writer_run(void *arg);

void writer_finish(struct writer *writer);

#endif
