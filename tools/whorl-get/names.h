/* SPDX-License-Identifier: MIT */
/* File names from URLs: safe whatever the URL says, distinct where the URLs are, and numbered when a
 * name is taken. No I/O.
 *
 *     http://h/a/b.txt        b.txt              http://h/a/           index.html
 *     http://h/b.bin?17       b.bin?17           http://h/%2e%2e%2fx   _.%2Fx
 *     http://h/%C3%A9t%C3%A9  été                http://h/-rf          _rf
 */
#ifndef WHORL_GET_NAMES_H
#define WHORL_GET_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* The longest name Linux file systems take, and its terminator. */
enum { NAME_SIZE = 256 };

/* Writes the name for a URL's path and query, such as "/a/b.txt?x": the last segment of the path,
 * percent-decoded where that gives plain UTF-8, and the query as it is. */
void name_from_target(char ret[NAME_SIZE], const char *target);

/* Writes "name.3" for 3, shortening the name if it must. */
void name_numbered(char ret[NAME_SIZE], const char *name, unsigned number);

/* Remembers which number to try next for names that were taken, so that thousands of equal names do
 * not each count from 1. Only a hint: who takes a name finds out by taking it. Zero-initialised. */
struct name_hints {
    struct {
        uint64_t hash;
        unsigned next;
    } slots[1024];
};

/* The number to try for `name` now, 1 at first; one more at each call. */
unsigned name_hints_next(struct name_hints *hints, const char *name);

#endif
