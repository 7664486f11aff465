/* SPDX-License-Identifier: MIT */
/* Keeps the numbers 0, 1 and 2 free of the library's own descriptors.
 *
 * A program may run with a standard descriptor closed. The next descriptor that is opened then gets
 * its number. If that descriptor were a pipe or a ring of the library, a child process would
 * inherit it as a standard descriptor, and the program would print into it.
 *
 *     struct standard standard = standard_fill();
 *     ...                                          // opens descriptors: their numbers are above 2
 *     standard_empty(&standard);
 */
#ifndef IO_FD_STANDARD_H
#define IO_FD_STANDARD_H

#include <stdbool.h>

struct standard {
    bool filled[3]; /* the number was free, and now it is an open /dev/null */
};

/* Opens /dev/null for each standard descriptor that is closed, close-on-exec. Where that fails, the
 * number stays free. */
struct standard standard_fill(void);

/* Closes what standard_fill() has opened. Leaves errno as it was. */
void standard_empty(const struct standard *standard);

#endif
