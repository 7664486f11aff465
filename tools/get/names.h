/* SPDX-License-Identifier: MIT */
/* File names from URLs. A name is safe for every URL. It contains the query, so URLs that differ
 * only in the query get different names. A name that is taken gets a number. No I/O.
 *
 *     http://h/a/b.txt        b.txt              http://h/a/           index.html
 *     http://h/b.bin?17       b.bin?17           http://h/%2e%2e%2fx   _.%2Fx
 *     http://h/%C3%A9t%C3%A9  été                http://h/-rf          _rf
 */
#ifndef WHORL_GET_NAMES_H
#define WHORL_GET_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest file name of Linux file systems, plus its terminator. */
enum { NAME_SIZE = 256 };

/* Writes the name for a URL's path and query, such as "/a/b.txt?x". The name is the last segment of
 * the path, percent-decoded where the result is plain UTF-8, followed by the query, which is not
 * decoded. */
void name_from_target(char ret[NAME_SIZE], const char *target);

/* Makes a name of any text, such as one that a server has chosen, in the same way: bytes that a
 * name must not have are written as %XX. Returns false when there is no name: the text is empty or
 * very long. */
bool name_clean(char ret[NAME_SIZE], const char *text, size_t len);

/* Whether a name that a person has chosen names a file in the directory, and no other: it is not
 * empty, not "." or "..", not too long, and has no slash and no control byte. */
bool name_is_safe(const char *name);

/* What is wrong with a path that a document has chosen, such as "dir/name", as the rest of a
 * sentence: "is an absolute path". NULL: it names a file below the directory, as long as no
 * symbolic link is followed. */
const char *name_path_fault(const char *path);

/* Writes "name.3" for the number 3. Shortens the name if it is too long. */
void name_numbered(char ret[NAME_SIZE], const char *name, unsigned number);

/* Remembers which number to try next for a name that was taken, so that thousands of equal names do
 * not each count from 1. It is only a hint: the attempt to create the file shows whether a name is
 * free. Zero-initialised is valid. */
struct name_hints {
    struct {
        uint64_t hash;
        unsigned next;
    } slots[1024];
};

/* Returns the number to try for `name` now: 1 at the first call, and one more at each further call.
 * It starts at 1 again when a name with the same slot was used in between. */
unsigned name_hints_next(struct name_hints *hints, const char *name);

#endif
