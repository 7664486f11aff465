/* SPDX-License-Identifier: MIT */
/* What a 3xx response asks for (RFC 9110 §15.4): whether to follow it, the next URL and method, and
 * which headers are left out. The caller counts redirects.
 */
#ifndef IO_HTTP_REDIRECT_H
#define IO_HTTP_REDIRECT_H

#include <stdbool.h>

#include <whorl/url.h>

#include "io/http/header.h"

struct redirect {
    struct whorl_url url; /* owned: the caller finishes it or takes it over */
    const char *method;   /* the caller's, or "GET" */
    bool drop_body;       /* the next request has no body and none of the headers about it */
    bool cross_origin;    /* the next request leaves out what may be secret */
    bool is_downgrade;    /* https to http */
};

/**
 * Judges a response.
 *
 * @current  the URL that was requested
 * @method   the method that was used; valid as long as `ret`
 * @headers  the response's
 * @error    may be NULL
 *
 * Returns: 1 to follow (`ret` is filled); 0 when the response is final (another status, or no
 *          Location); WHORL_EHTTP_REDIRECT_LOCATION (not a URL, or several that
 *          differ); WHORL_EHTTP_NOT_REDIRECTABLE (another scheme); -ENOMEM.
 */
int redirect_follow(struct redirect *ret, const struct whorl_url *current, const char *method,
                    int status, const struct header_list *headers, struct whorl_error *error);

/** Whether a header of the caller may be sent to another origin. True for headers that RFC 9110 and
 *  related RFCs define and that contain no secret. Any other header may contain one. */
bool redirect_is_harmless(const char *name);

/** Headers that describe a body: Content-Type, Content-Length, Expect, ... */
bool redirect_is_about_body(const char *name);

#endif
