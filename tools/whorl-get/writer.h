/* SPDX-License-Identifier: MIT */
/* Text on its way to a descriptor, written by a task of its own, so that a slow reader holds up
 * nobody and many lines leave in one write.
 *
 *     writer_add(&writer, line, line_len);            // from any task, never suspends
 *     err = writer_wait_room(&writer);                // back-pressure, where one may wait
 *     ...
 *     writer_close(&writer);                          // the task ends when all is written
 */
#ifndef WHORL_GET_WRITER_H
#define WHORL_GET_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include <whorl/sync.h>

/* Set `fd`; the rest starts at zero. */
struct writer {
    int fd;
    int err; /* the first failure; what follows it is dropped */
    bool closed;
    char *buf; /* text to come; swapped with `spare` while that is written */
    char *spare;
    size_t len, size, spare_size;
    struct whorl_event more; /* set: there is text, or it was closed */
    struct whorl_event room; /* set: there is less text than WRITER_FULL */
};

/* Beyond this much text, those who can wait should. */
enum { WRITER_FULL = 256 * 1024 };

/* Appends; drops the text and notes -ENOMEM when there is no memory. */
void writer_add(struct writer *writer, const char *text, size_t len);

/* Waits until the backlog is short. 0, or -ECANCELED. */
WHORL_SUSPENDS int writer_wait_room(struct writer *writer);

/* Whether all that was added has been written, or never will be. */
bool writer_is_drained(const struct writer *writer);

/* No more is added. */
void writer_close(struct writer *writer);

/* The task's body; `arg` is the writer. Returns 0, whatever happens to the text. */
WHORL_SUSPENDS int writer_run(void *arg);

void writer_finish(struct writer *writer);

#endif
