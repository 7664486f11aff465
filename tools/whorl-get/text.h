/* SPDX-License-Identifier: MIT */
/* Text that comes from elsewhere, made fit for a terminal, a file name or a JSON string; sizes and
 * times as people write them. No I/O, no allocation. */
#ifndef WHORL_GET_TEXT_H
#define WHORL_GET_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for what text_size() and text_time() write. */
enum { TEXT_NUMBER_SIZE = 24 };

/* Decodes the UTF-8 sequence at `text`; returns its length, or 0 when it is not a valid one. */
size_t text_decode(const char *text, size_t len, uint32_t *ret);

/* Whether a character may be shown or stand in a file name: no control, nothing that reorders the
 * line (U+202E and its kin), nothing invisible that serves to deceive. */
bool text_is_plain(uint32_t c);

/* The largest length <= `max` that does not cut a UTF-8 sequence of `text` in two. */
size_t text_cut(const char *text, size_t len, size_t max);

/* Columns a character takes on a terminal. Needs LC_CTYPE to be a UTF-8 locale for others than
 * ASCII, else it answers 2, so that a line is never too long. */
int text_columns(uint32_t c);

/* Copies `text` with everything that is not plain written as \xNN, cut whole to `size`. With
 * `ascii`, everything but ASCII is. Returns the length. */
size_t text_escape(char *ret, size_t size, const char *text, bool ascii);

/* text_escape() for a URL as the user gave it: a name and password in it become "***". */
size_t text_escape_url(char *ret, size_t size, const char *url);

/* Copies already escaped text, shortened in its middle to at most `columns`. Returns the columns it
 * takes; `ret` needs 4 bytes a column and one. */
int text_fit(char *ret, size_t size, const char *text, int columns);

/* Writes `text` as a JSON string with its quotes; what is not UTF-8 becomes U+FFFD. Cut whole to
 * `size`, always closed. Returns the length. */
size_t text_json(char *ret, size_t size, const char *text);

/* text_json() for a URL as the user gave it. */
size_t text_json_url(char *ret, size_t size, const char *url);

/* "17 B", "1.5 kB", "12 MB": SI units, as disks and networks have them. Returns `ret`. */
const char *text_size(char ret[TEXT_NUMBER_SIZE], int64_t bytes);

/* "12 ms", "3.4 s", "2:05", "1:02:03". Returns `ret`. */
const char *text_time(char ret[TEXT_NUMBER_SIZE], int64_t duration_ns);

/* Parses "10", "1.5k", "20M", "3G" (binary multiples) into bytes. 0, or -EINVAL, -ERANGE. */
int text_parse_size(const char *text, int64_t *ret);

/* Parses "10", "1.5s", "200ms", "5m", "2h" into nanoseconds. 0, or -EINVAL, -ERANGE. */
int text_parse_time(const char *text, int64_t *ret);

/* Parses a decimal number in [min, max]. 0, or -EINVAL, -ERANGE. */
int text_parse_int(const char *text, int min, int max, int *ret);

#endif
