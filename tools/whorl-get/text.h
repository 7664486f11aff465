/* SPDX-License-Identifier: MIT */
/* Makes URLs safe for a terminal and text safe for a JSON string, and fits text into a line.
 * Formats and parses sizes and times. No I/O, no allocation. */
#ifndef WHORL_GET_TEXT_H
#define WHORL_GET_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Buffer size for text_size() and text_time(). */
enum { TEXT_NUMBER_SIZE = 24 };

/* Returns the largest length <= `max` which does not split a UTF-8 sequence of `text`. */
size_t text_cut(const char *text, size_t len, size_t max);

/* Returns the columns which a character takes on a terminal. If LC_CTYPE is not a UTF-8 locale, it
 * returns 2 for characters outside ASCII, so that a line is never too long. */
int text_columns(uint32_t c);

/* whorl_text_escape() for a URL as the user gave it. A user name and password become "***". */
size_t text_escape_url(char *ret, size_t size, const char *url);

/* Copies escaped text, and shortens it in its middle to at most `columns`. Returns the columns
 * which it takes. `ret` needs 4 bytes per column, plus one. */
int text_fit(char *ret, size_t size, const char *text, int columns);

/* Writes `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. A text
 * that is too long for `size` is cut, never inside a character, and still gets its closing quote.
 * Returns the length. */
size_t text_json(char *ret, size_t size, const char *text);

/* text_json() for a URL as the user gave it. */
size_t text_json_url(char *ret, size_t size, const char *url);

/* Writes "17 B", "1.5 kB" or "12 MB": SI units, as for disks and networks. Returns `ret`. */
const char *text_size(char ret[TEXT_NUMBER_SIZE], int64_t bytes);

/* Writes "12 ms", "3.4 s", "2:05" or "1:02:03". Returns `ret`. */
const char *text_time(char ret[TEXT_NUMBER_SIZE], int64_t duration_ns);

/* Parses "10", "1.5k", "20M" or "3G" (powers of 1024) into bytes. Returns 0, -EINVAL or -ERANGE. */
int text_parse_size(const char *text, int64_t *ret);

/* Parses "10", "1.5s", "200ms", "5m" or "2h" into nanoseconds. Returns 0, -EINVAL or -ERANGE. */
int text_parse_time(const char *text, int64_t *ret);

/* Parses a decimal number in [min, max]. Returns 0, -EINVAL or -ERANGE. */
int text_parse_int(const char *text, int min, int max, int *ret);

#endif
