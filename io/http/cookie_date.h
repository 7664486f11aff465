/* SPDX-License-Identifier: MIT */
/* The dates of cookies (RFC 6265 §5.1.1), which servers write in many forms. No I/O. */
#ifndef IO_HTTP_COOKIE_DATE_H
#define IO_HTTP_COOKIE_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Reads a date from `len` bytes, in UTC whatever its zone. Returns false when it is no date. */
bool cookie_date_read(const char *text, size_t len, int64_t *ret_unix_s);

#endif
