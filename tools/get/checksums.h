/* SPDX-License-Identifier: MIT */
/* Files of checksums, as sha256sum and its siblings write them:
 *
 *     9f86d081...  name         the form of GNU; "*name" as well
 *     \9f86d081...  a\\b\nc     the same, with "\\" and "\n" for a backslash and a newline
 *     SHA256 (name) = 9f86...   the form of BSD
 *
 * The kind of a hash follows from its number of digits. Blank lines and lines that begin with # are
 * skipped.
 */
#ifndef WHORL_GET_CHECKSUMS_H
#define WHORL_GET_CHECKSUMS_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/get/hash.h"

/* One line, which the strings point into. */
struct checksum {
    const char *name; /* without "./" in front */
    const char *hex;
    enum hash_kind kind;
};

/* Parses a line, and changes it. False when it is not of one of the forms; it is as before then. */
bool checksum_parse(char *line, struct checksum *ret);

/* Zero-initialised is empty. */
struct checksums {
    void *tree; /* of struct checksums_name */
};

/* Adds all lines of a file. Blocks. Returns 0; -errno; -EINVAL for a line that is none, and
 * `ret_line` is its number. The same name with another hash of the same kind is -EINVAL as well. */
int checksums_load(struct checksums *checksums, const char *path, long *ret_line);

/* The hexadecimal digits for a file, NULL when they are not known. A name that is not there is
 * looked up without its directories. */
const char *checksums_find(const struct checksums *checksums, const char *name,
                           enum hash_kind kind);

void checksums_finish(struct checksums *checksums);

#endif
