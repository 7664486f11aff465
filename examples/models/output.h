/* SPDX-License-Identifier: MIT */
/* Files that are whole or not there. */
#ifndef MODELS_OUTPUT_H
#define MODELS_OUTPUT_H

#include <stdio.h>

/* Writes the contents. 0 or -errno; whether the stream took it all is checked afterwards. */
typedef int (*output_fn)(const void *arg, FILE *to);

/* Has `write` fill a temporary file beside `path` and gives it that name when it is whole. A failure
 * is told on standard error with the file's name, and nothing is left behind. 0 or -errno. */
int output_write(const char *path, output_fn write, const void *arg);

/* Whether a file could be written there now, for programs that take long before they do; says so if
 * not. 0 or -errno. */
int output_check(const char *path);

#endif
