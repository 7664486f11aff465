/* SPDX-License-Identifier: MIT */
/* What says that two responses carry bytes of the same file, and which bytes a response carries. No
 * I/O. */
#ifndef WHORL_GET_VALIDATOR_H
#define WHORL_GET_VALIDATOR_H

#include <stdbool.h>
#include <stdint.h>

/* The headers of a response that identify the file; NULL: the response has no such header. */
struct validator {
    const char *etag, *modified;
};

/* The value for If-Range (RFC 9110 §13.1.5): a strong entity tag, or a Last-Modified date that is
 * strong. A date is strong if it is at least one second older than `date`, the Date header of the
 * same response (§8.8.2.2). A date must not be used instead of a weak entity tag.
 *
 * Returns: one of the two values; NULL when neither can be used, and `*ret_why` says why. */
const char *validator_choose(const struct validator *validator, const char *date,
                             const char **ret_why);

/* Whether the 206 response of `now` carries the same file as a response of `before`. Servers may
 * omit Last-Modified in a response to a request with If-Range, but not ETag (§15.3.7). */
bool validator_is_same(const struct validator *before, const struct validator *now);

/* Whether the text is an entity tag that is not weak (§8.8.3). */
bool validator_is_strong_etag(const char *etag);

/* Reads a date (§5.6.7) as nanoseconds since 1970. Returns false for NULL and for other texts. */
bool validator_date(const char *text, int64_t *ret_ns);

/* A Content-Range header (§14.4). */
struct content_range {
    int64_t start, end; /* `end` is the byte behind the last one; both 0 in a 416 response */
    int64_t length;     /* of the whole file; -1: the server does not say */
};

/* Reads "bytes 0-99/1000", "bytes 0-99/" with a star, and "bytes " with a star for the range.
 * Returns false for anything else, and for ranges that are not inside of the file. */
bool content_range_read(const char *value, struct content_range *ret);

#endif
