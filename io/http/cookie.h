/* SPDX-License-Identifier: MIT */
/* One cookie: parsing the value of a Set-Cookie header (RFC 6265bis §5.6), and the rules that
 * decide which URLs may set and get it (§5.1, §5.7, §5.8). No I/O. Nothing here suspends.
 */
#ifndef IO_HTTP_COOKIE_H
#define IO_HTTP_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/http_cookies.h>
#include <whorl/url.h>

enum {
    COOKIE_PAIR_MAX = 4096,      /* name and value */
    COOKIE_ATTRIBUTE_MAX = 1024, /* value of an attribute */
    COOKIE_AGE_MAX_S = 400 * 86400,
};

/* Bytes in a text that may lack a NUL. */
struct cookie_text {
    const char *at;
    size_t len;
};

/* A cookie before it is stored. The texts are borrowed. */
struct cookie_draft {
    struct cookie_text name, value;
    struct cookie_text domain; /* in any case, without a dot in front; of the host if host_only */
    struct cookie_text path;
    int64_t expires_unix_s;
    bool host_only, secure, http_only;
    enum whorl_http_same_site same_site;
};

/**
 * Parses a Set-Cookie header and applies all rules that do not depend on other cookies.
 *
 * @now_unix_s  the time of day
 * @ret         refers to `text` and `url`
 *
 * Returns: NULL; or why the cookie is refused.
 */
const char *cookie_parse(const char *text, const struct whorl_url *url, int64_t now_unix_s,
                         struct cookie_draft *ret);

/** Checks what a cookie must be, however it was made: sizes, bytes, prefixes, public suffix. `path`
 *  is true if the cookie's path was given and is not the default. Returns NULL, or what is
 *  wrong. */
const char *cookie_check(const struct cookie_draft *draft, bool has_path);

/** Whether `host` is `domain` or a name below it (§5.1.3). Both are in lower case. */
bool cookie_domain_matches(const char *host, bool host_is_ip, const char *domain);

/** Whether `path`, which ends after `len` bytes, is `cookie_path` or below it (§5.1.4). */
bool cookie_path_matches(const char *path, size_t len, const char *cookie_path);

/** The length of the path in a request target, without the query. */
size_t cookie_path_len(const char *target);

#endif
