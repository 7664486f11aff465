/* SPDX-License-Identifier: MIT */
/* The jar: stores cookies, removes them when there are too many, and chooses those of a request
 * (RFC 6265bis §5.7 and §5.8). No I/O, and no clock: callers pass the time of day. Nothing here
 * suspends.
 */
#ifndef IO_HTTP_COOKIE_JAR_H
#define IO_HTTP_COOKIE_JAR_H

#include <whorl/http_cookies.h>

#include "io/http/cookie.h"

enum {
    COOKIES_MAX = 3000,
    COOKIES_PER_DOMAIN_MAX = 50,
    COOKIE_HEADER_MAX = 8190, /* of the value of a Cookie header */
};

struct cookie;

/* struct whorl_http_cookies is this. */
struct whorl_http_cookies {
    struct cookie **items; /* owned; in the order of creation */
    size_t count, cap;
    uint64_t uses; /* the clock of `struct cookie`.used */
    size_t refs;   /* the caller's and one per session */
};

/** Another reference to the jar, which whorl_http_cookies_release() gives up. Returns `jar`. */
struct whorl_http_cookies *cookie_jar_hold(struct whorl_http_cookies *jar);

/**
 * Stores a copy of a cookie that has been checked. One that has expired only removes the cookie
 * that it replaces.
 *
 * @is_tls  whether it came from https or from a file; else it cannot replace a cookie with Secure
 *
 * Returns: 0; WHORL_EHTTP_COOKIE (because of such a cookie); -ENOMEM.
 */
WHORL_CHECKED int cookie_jar_add(struct whorl_http_cookies *jar, const struct cookie_draft *draft,
                                 bool is_tls, int64_t now_unix_s);

/** As whorl_http_cookies_set(). */
WHORL_CHECKED int cookie_jar_set(struct whorl_http_cookies *jar, const struct whorl_url *url,
                                 const char *set_cookie, int64_t now_unix_s,
                                 struct whorl_error *error);

/** As whorl_http_cookies_get(). */
WHORL_CHECKED int cookie_jar_get(struct whorl_http_cookies *jar, const struct whorl_url *url,
                                 int64_t now_unix_s, char **ret);

/** Gets cookie number `index` in the order of creation. Its texts are valid until the jar changes.
 *  False when there are fewer. */
bool cookie_jar_at(const struct whorl_http_cookies *jar, size_t index,
                   struct whorl_http_cookie *ret);

/** Removes what has expired. */
void cookie_jar_expire(struct whorl_http_cookies *jar, int64_t now_unix_s);

#endif
