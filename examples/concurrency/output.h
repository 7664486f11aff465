/* SPDX-License-Identifier: MIT */
/* Writes files that are either complete or absent. */
#ifndef MODELS_OUTPUT_H
#define MODELS_OUTPUT_H

#include <stdio.h>

/* Writes the contents. Returns 0 or -errno; the caller checks the stream for errors. */
typedef int (*output_fn)(const void *arg, FILE *to);

/* Calls `write` to fill a temporary file beside `path`, and renames it to `path` when it is
 * complete. On failure it prints a message with the file name and leaves no file. Returns 0 or
 * -errno. */
int output_write(const char *path, output_fn write, const void *arg);

/* Checks whether the file can be written now, for programs that run for a long time before they
 * write. Prints a message if not. Returns 0 or -errno. */
int output_check(const char *path);

#endif
