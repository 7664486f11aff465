/* SPDX-License-Identifier: MIT */
/* Compression of replies: when, and how. */
#ifndef IO_HTTP_SERVER_GZIP_H
#define IO_HTTP_SERVER_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include <whorl/base.h>

#include "io/http/header.h"
#include "io/http_server/out.h"

enum {
    GZIP_MIN = 256,        /* a shorter body is hardly smaller when compressed */
    GZIP_PART = 64 * 1024, /* other tasks run after this many bytes */
};

struct gzip;

/* Whether a request with these headers accepts gzip (RFC 9110 §12.5.3). */
bool gzip_is_accepted(const struct header_list *headers);

/* Whether a body of this media type is text, so that it becomes smaller. */
bool gzip_is_text(const char *content_type);

int gzip_create(struct gzip **ret);

/* Accepts NULL. */
void gzip_destroy(struct gzip *gzip);

/**
 * Compresses `len` bytes and appends the result. With `is_last` the format is ended; otherwise all
 * bytes so far can be decompressed from what was appended.
 *
 * Returns:  0; -ENOMEM.
 * Suspends: between the parts of a long input.
 * Cancel:   -ECANCELED; the output is incomplete.
 */
WHORL_SUSPENDS int gzip_add(struct gzip *gzip, const void *data, size_t len, bool is_last,
                            struct http_out *out);

#endif
