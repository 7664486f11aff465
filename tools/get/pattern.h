/* SPDX-License-Identifier: MIT */
/* The path of a file, made from a pattern of the user and a URL. No I/O.
 *
 *     {host}/{path}        h/a/b/c.txt        the directories of the URL's path, and the name
 *     {number}-{name}      17-c.txt           the number of the URL, from 1
 *     {stem}.{host}{ext}   c.h.txt            the name without its extension; the extension: ".txt"
 *     {{x}}                {x}                a brace
 *
 * Values come from the URL and are safe (names.h). A pattern with a field can name the files of
 * several URLs.
 */
#ifndef WHORL_GET_PATTERN_H
#define WHORL_GET_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct whorl_url;

/* Checks a pattern. Returns 1 when it has fields or doubled braces; 0 when it has no braces, so it
 * is a plain path; -1 when it is wrong, and `*ret_why` says why. */
int pattern_check(const char *pattern, const char **ret_why);

/* Writes the path. `name` is the name of the file, as names.h makes it. Returns it, or NULL without
 * memory; free() it. The path is not absolute, and has neither "." nor ".." as a segment. */
char *pattern_path(const char *pattern, const struct whorl_url *url, const char *name,
                   uint64_t number);

/* HOST/DIRS/NAME, as "{host}/{path}" writes it. A port that is not the usual one is a part of the
 * host: "h:8080". */
char *pattern_path_of_url(const struct whorl_url *url, const char *name);

#endif
