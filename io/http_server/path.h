/* SPDX-License-Identifier: MIT */
/* Paths of URLs as names of files. */
#ifndef IO_HTTP_SERVER_PATH_H
#define IO_HTTP_SERVER_PATH_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Decodes the path of a URL into a relative path, without slashes at its start. Refuses sequences
 * that would change which file is named: "..", an encoded slash and an encoded NUL.
 *
 * @ret   ends with a slash when `path` does, or is empty
 * @size  room in `ret`
 *
 * Returns: false when the path names no file.
 */
bool path_decode(const char *path, char *ret, size_t size);

/** The media type for the end of a name. */
const char *path_media_type(const char *path);

#endif
