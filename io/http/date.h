/* SPDX-License-Identifier: MIT */
/* Dates in HTTP (RFC 9110 §5.6.7). Nothing here suspends. */
#ifndef IO_HTTP_DATE_H
#define IO_HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

enum { HTTP_DATE_SIZE = 30 }; /* with the NUL */

/* A date and time of day in UTC. */
struct http_moment {
    int year, month, day, hour, minute, second; /* month and day from 1 */
};

/** Converts a moment of the year 0 or later. Returns false when there is no such day or time. */
bool http_moment_unix_s(const struct http_moment *moment, int64_t *ret_unix_s);

/**
 * Reads a date in any of the three forms.
 *
 * @now_unix_s  the time of day, for years of two digits
 *
 * Returns: false when the text is not a date.
 */
bool http_date_read(const char *text, int64_t now_unix_s, int64_t *ret_unix_s);

/** Writes "Sun, 06 Nov 1994 08:49:37 GMT". A time before 1970 is written as 1970. */
void http_date_write(char ret[HTTP_DATE_SIZE], int64_t unix_s);

#endif
