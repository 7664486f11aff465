/* SPDX-License-Identifier: MIT */
/* Makes text and URLs safe for a terminal, and fits text into a line. Formats and parses sizes and
 * times. No I/O, no allocation. */
#ifndef WHORL_GET_TEXT_H
#define WHORL_GET_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct whorl_http_header;

/* Buffer size for text_size() and text_time(). */
enum { TEXT_NUMBER_SIZE = 24 };

/* Whether the locale's encoding (LC_CTYPE) is UTF-8. */
bool text_locale_is_utf8(void);

/* whorl_text_escape(), or whorl_text_escape_ascii() in a locale without UTF-8, where the bytes of a
 * UTF-8 character would be shown as other characters, or act as control characters. */
size_t text_escape(char *ret, size_t size, const char *text, size_t len);

/* Returns the columns which a character takes on a terminal. If LC_CTYPE is not a UTF-8 locale, it
 * returns 2 for characters outside ASCII, so that a line is never too long. */
int text_columns(uint32_t c);

/* Returns the columns of a line, which may contain colour codes. */
int text_width(const char *text);

/* Finds the user name and password in `url`, which need not be a valid URL. They reach from
 * `ret_start` to the '@' at `ret_end`. Returns false when there are none. */
bool text_find_userinfo(const char *url, size_t *ret_start, size_t *ret_end);

/* text_escape() for a URL as the user gave it. A user name and password become "***". Four times
 * the length of the URL, plus four, is always enough. */
size_t text_escape_url(char *ret, size_t size, const char *url);

/* Copies escaped text, and shortens it in its middle to at most `columns`. Returns the columns
 * which it takes. `ret` needs 4 bytes per column, plus one. */
int text_fit(char *ret, size_t size, const char *text, int columns);

/* Writes "17 B", "1.5 kB" or "12 MB": SI units, as for disks and networks. Returns `ret`. */
const char *text_size(char ret[TEXT_NUMBER_SIZE], int64_t bytes);

/* Writes "12 ms", "3.4 s", "2:05" or "1:02:03". Returns `ret`. */
const char *text_time(char ret[TEXT_NUMBER_SIZE], int64_t duration_ns);

/* Parses "10", "1.5k", "20M" or "3G" (powers of 1024) into bytes. Returns 0, -EINVAL or -ERANGE. */
int text_parse_size(const char *text, int64_t *ret);

/* Parses "10", "1.5s", "200ms", "5m" or "2h" into nanoseconds. Returns 0, -EINVAL or -ERANGE. */
int text_parse_time(const char *text, int64_t *ret);

/* Splits "Name: value" in place. RFC 9110 §5.1 and §5.5 define which characters each part may
 * contain. Returns 0; -EINVAL, and `ret_cause` is the rest of a sentence about the text. */
int text_parse_header(char *text, struct whorl_http_header *ret, const char **ret_cause);

/* Parses a decimal number in [min, max]. Returns 0, -EINVAL or -ERANGE. */
int text_parse_int(const char *text, int min, int max, int *ret);

#endif
