/* SPDX-License-Identifier: MIT */
/* Conditional requests and ranges for a file (RFC 9110 §13, §14): headers in, a verdict out.
 * Nothing here suspends. */
#ifndef IO_HTTP_SERVER_CONDITIONS_H
#define IO_HTTP_SERVER_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "io/http/header.h"

/* What is known about the file. */
struct representation {
    const char *etag; /* strong, with its quotes */
    int64_t mtime_s;  /* since 1970 */
    int64_t now_unix_s;
    int64_t len;
};

/* What to send. */
struct verdict {
    int status;         /* 200, 206, 304, 412 or 416 */
    int64_t first, len; /* the part of the file, with 200 and 206 */
};

/* Judges the headers of a GET or HEAD request. */
void conditions_judge(const struct header_list *headers, const struct representation *file,
                      struct verdict *ret);

#endif
