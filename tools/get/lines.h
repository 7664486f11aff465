/* SPDX-License-Identifier: MIT */
/* Splits the bytes of a list into lines and returns one URL at a time, in bounded memory. No I/O.
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

/* The longest line, in bytes. A longer line is an error, but the lines after it are still read. */
enum { LINES_MAX = 64 * 1024 };

/* Zero-initialised is valid. */
struct lines {
    size_t start, end; /* the part of `buf` that is not yet returned */
    long number;       /* of the line returned last, counted from 1 */
    bool skipping;     /* the next bytes are the rest of a line that is too long */
    char buf[LINES_MAX + 1];
};

/* Returns where to put the next bytes of the list. `ret` gets the number of bytes that fit, which
 * is never 0 after lines_next() returned 0. */
void *lines_room(struct lines *lines, size_t *ret);

/* Says that `n` bytes are now at the address from lines_room(). */
void lines_added(struct lines *lines, size_t n);

/* Gets the next line that is neither blank nor a comment (#), without surrounding spaces. It is
 * valid until the next call.
 *
 * Returns 1; 0 when more bytes are needed or, with `at_end`, at the end; -E2BIG for a line that is
 * too long; -EINVAL for a line with a NUL byte. After an error, `number` is the number of that
 * line, and the next call continues with the line after it. */
int lines_next(struct lines *lines, bool at_end, char **ret);

#endif
