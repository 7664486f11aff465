/* SPDX-License-Identifier: MIT */
/* Bytes of a list in, one URL at a time out, in bounded memory. No I/O.
 *
 *     size_t room;
 *     void *to = lines_room(&lines, &room);
 *     lines_added(&lines, read(fd, to, room));
 *     while (lines_next(&lines, at_end, &url) > 0)
 *         ...
 */
#ifndef WHORL_GET_LINES_H
#define WHORL_GET_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* A longer line is an error of its own and does not stop the others. */
enum { LINES_MAX = 64 * 1024 };

/* Zero-initialised is valid. */
struct lines {
    size_t start, end; /* what is not yet handed out */
    long number;       /* of the line handed out last, from 1 */
    bool skipping;     /* in the rest of a line that was too long */
    char buf[LINES_MAX + 1];
};

/* Where the next bytes of the list go, and how many fit; never 0 after lines_next() returned 0. */
void *lines_room(struct lines *lines, size_t *ret);

/* Says that `n` bytes were put there. */
void lines_added(struct lines *lines, size_t n);

/* The next line that is neither blank nor a comment (#), trimmed; valid until the next call.
 *
 * Returns 1; 0 when more bytes are needed or, with `at_end`, at the end; -E2BIG for a line that is
 * too long, -EINVAL for one with a NUL byte: `number` tells which, and the next call goes on. */
int lines_next(struct lines *lines, bool at_end, char **ret);

#endif
