/* SPDX-License-Identifier: MIT */
/* One line of a manifest: a JSON object that describes a file which is complete under its name.
 *
 *     {"url":"http://h/a","final_url":"http://h/a","file":"a","size":17,"sha256":"9f86...",
 *      "etag":"\"x\"","last_modified":"Sun, 06 Nov 1994 08:49:37 GMT",
 *      "mtime":"784111777.000000000","fetched":"2026-11-30T10:00:00Z"}
 *
 * It is one line in the file. The members `url`, `file`, `size` and `sha256` are required; the
 * others may be null or missing, and unknown ones are ignored. Anyone may have written a manifest,
 * so each value is checked when it is read. No I/O. */
#ifndef WHORL_GET_MANIFEST_LINE_H
#define WHORL_GET_MANIFEST_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct json_t;

enum { MANIFEST_LINE_MAX = 64 << 10, MANIFEST_WHY_SIZE = 256 };

/* Strings that are NULL are not known. */
struct manifest_line {
    const char *url;       /* as the user gave it, but user name and password are "***" */
    const char *final_url; /* after redirects */
    const char *file;      /* relative to the directory of the files; see manifest_is_safe() */
    int64_t size;          /* of the file */
    const char *sha256;    /* 64 digits in lower case */
    const char *etag, *modified;
    int64_t mtime_ns;    /* when the file was last changed, since 1970; -1: not known */
    const char *fetched; /* when the file was complete: "2026-11-30T10:00:00Z" */

    struct json_t *json; /* owns the strings of a line that was read; else NULL */
};

/* Whether a path is the name of a file inside of the directory: it is relative, and has no empty
 * part, no "." and "..", no control byte, and no part of more than 255 bytes. */
bool manifest_is_safe(const char *path);

/**
 * Reads a line, without its newline.
 *
 * @why  the rest of a sentence about the line, without control bytes
 *
 * Returns: 0; -EINVAL. Call manifest_line_finish() after 0.
 */
int manifest_line_read(struct manifest_line *ret, const char *text, size_t len,
                       char why[MANIFEST_WHY_SIZE]);
void manifest_line_finish(struct manifest_line *line);

/* Appends the line and a newline. Strings must be UTF-8. */
void manifest_line_write(struct buffer *ret, const struct manifest_line *line);

/* Whether the bytes of the text are UTF-8, so that a line can store it. Also true for NULL. */
bool manifest_can_store(const char *text);

#endif
