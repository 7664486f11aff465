/* SPDX-License-Identifier: MIT */
/* Rewrites the links of a saved page or style sheet, for reading without the server. */
#ifndef WHORL_GET_CONVERT_H
#define WHORL_GET_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/get/buffer.h"

/* The path of the file of a URL, relative to --dir; NULL: it has none. */
typedef const char *convert_path_fn(void *arg, const char *url);

/* Reads a regular file, but not through a symbolic link. Blocks. Returns 0; -E2BIG if it is longer
 * than `max`; -ENOMEM; -errno. */
int convert_read(int dir_fd, const char *name, size_t max, struct buffer *ret);

/**
 * Makes the links to files that are there relative, and all others absolute. A fragment stays. A
 * link that is only a fragment, or no http URL, stays as it is. The <base> becomes empty.
 *
 * The new text is written to a file of its own, which then takes the name: the file is never half
 * written. It keeps its time of modification. Blocks, so it is work for a thread.
 *
 * @path  of the file, relative to `dir_fd`; no part of it may be a symbolic link
 * @url   of the file
 *
 * Returns: 0, also when there was nothing to change; -E2BIG for a page beyond the limits of html.h;
 *          -ENOMEM; -errno.
 */
int convert_file(int dir_fd, const char *path, const char *url, bool is_css,
                 convert_path_fn *path_of, void *arg);

/* These do no I/O. */

/* Writes the reference from the file `from` to the file `to`, percent-encoded: "../b%3Fc". Both are
 * relative paths without "." and "..". */
void convert_add_relative(struct buffer *ret, const char *from, const char *to);

#endif
