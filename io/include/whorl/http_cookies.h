/* SPDX-License-Identifier: MIT */
/* A cookie jar for HTTP sessions (RFC 6265bis).
 *
 *     WHORL_AUTO(http_cookies) *cookies = NULL;
 *     int err = whorl_http_cookies_create(&cookies);
 *     if (err == 0)
 *         err = whorl_http_cookies_load(cookies, "cookies.txt", &error);
 *     struct whorl_http_session_options options = {.cookies = cookies};
 *     if (err == 0)
 *         err = whorl_http_session_create(&options, &session);
 *     ...
 *     if (err == 0)
 *         err = whorl_http_cookies_save(cookies, "cookies.txt", &error);
 *
 * A session with a jar stores the cookies of every response, also those of redirects and errors,
 * but not those of 1xx responses. Each request, and each hop of a redirect, gets the cookies that
 * the jar has for its URL. A Cookie header of the caller replaces those of the jar. Without
 * `trust_redirects` in the request, the caller's header does not follow a redirect to another
 * origin, which gets its cookies from the jar instead. A request with `no_cookies` neither sends
 * cookies of the jar nor stores any.
 *
 * Which cookies are stored
 *
 * - Without Domain, a cookie is for the host that set it and for no other (host-only). With Domain,
 *   it is for that domain and all names below it. The domain must contain the host. It must not be
 *   a public suffix, such as "com" or "co.uk", below which anyone can register names; if it is the
 *   host itself, the cookie is host-only. An IP address has host-only cookies only.
 * - libpsl knows the public suffixes. In a build without it, these count as public suffixes: names
 *   without a dot, and names of two labels that look like "co.uk": 3 characters at most before the
 *   dot, and 2 after it.
 * - As in all clients, cookies do not depend on the port.
 * - Only https sets and gets a cookie with Secure. An http response cannot replace such a cookie,
 *   nor set one of the same name for the same host and a path below ("leave secure cookies alone").
 * - A name that begins with "__Secure-", in upper or lower case, needs Secure. One that begins with
 *   "__Host-" also needs Path=/ and no Domain.
 * - A control byte refuses the cookie, also a TAB in its name, value or path.
 * - SameSite=None needs Secure. Otherwise HttpOnly and SameSite are stored, and written where the
 *   file format can, but change nothing: there are no scripts, and no pages that could start
 *   requests for other sites. Every request is as if the user had entered its URL.
 *
 * Limits: 4,096 bytes for name and value together; 1,024 bytes for an attribute, which is ignored
 * if it is longer; 50 cookies per domain, and 3,000 in all; 400 days. When a limit is exceeded,
 * cookies are removed in this order: expired ones; in a domain with too many, those without Secure;
 * others. Of these, the one that was not used for the longest time is first. A Cookie header has
 * at most 8,190 bytes, so that servers accept it; the last cookies of the order below are left out.
 *
 * Cookies with longer paths are sent first, and of those with equal paths the older ones.
 *
 * The files have the Netscape format, which curl and wget read and write: one cookie per line, with
 * 7 fields that are separated by TABs:
 *
 *     .example.org  TRUE  /path  FALSE  1893456000  name  value
 *       domain        |     |      |         |
 *             names below   path   Secure    expiry in seconds since 1970; 0: end of the session
 *
 * "#HttpOnly_" before the domain means HttpOnly. Empty lines, and others that begin with "#", are
 * comments. The format has no SameSite.
 *
 * The time of day (CLOCK_REALTIME) decides when cookies expire. A jar belongs to one thread, whose
 * tasks and sessions may share it. Nothing here suspends.
 */
#ifndef WHORL_HTTP_COOKIES_H
#define WHORL_HTTP_COOKIES_H

#include <whorl/base.h>
#include <whorl/error.h>

struct whorl_http_cookies;
struct whorl_url;

/* SameSite of a cookie. */
enum whorl_http_same_site {
    WHORL_HTTP_SAME_SITE_DEFAULT, /* absent or unknown */
    WHORL_HTTP_SAME_SITE_NONE,
    WHORL_HTTP_SAME_SITE_LAX,
    WHORL_HTTP_SAME_SITE_STRICT,
};

/* The expiry of a cookie that lives as long as its session: until the program forgets it. */
#define WHORL_HTTP_COOKIE_SESSION INT64_MAX

/* A cookie in a jar. Its texts contain no control bytes, but may contain any others. */
struct whorl_http_cookie {
    const char *name;       /* "" if the server sent only a value */
    const char *value;      /* as sent, with its quotes */
    const char *domain;     /* lower case, without a dot in front; or an IP address */
    const char *path;       /* begins with "/" */
    int64_t expires_unix_s; /* or WHORL_HTTP_COOKIE_SESSION */
    bool host_only;         /* not for names below `domain` */
    bool secure, http_only;
    enum whorl_http_same_site same_site;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes an empty jar.
 *
 * @ret  the jar; give it up with whorl_http_cookies_release(). Sessions hold it as long as they
 *       need it
 *
 * Returns: 0; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_http_cookies_create(struct whorl_http_cookies **ret);

/** Gives the jar up. It is freed once no session holds it. Accepts NULL. */
WHORL_API void whorl_http_cookies_release(struct whorl_http_cookies *cookies);

/**
 * Stores a cookie as if a response from `url` had set it.
 *
 * @set_cookie  the value of a Set-Cookie header. If its expiry is in the past, the cookie is
 *              removed
 * @error       its step is "cookie", and its text says why the cookie was refused; may be NULL;
 *              borrowed for the call
 *
 * Returns: 0; WHORL_EHTTP_COOKIE (refused: nothing has changed); -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_http_cookies_set(struct whorl_http_cookies *cookies,
                                                   const struct whorl_url *url,
                                                   const char *set_cookie,
                                                   struct whorl_error *error);

/**
 * Makes the value of the Cookie header of a request for `url`: "a=1; b=2".
 *
 * @ret  free() it; NULL when there is no cookie for this URL
 *
 * Returns: 0; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_http_cookies_get(struct whorl_http_cookies *cookies,
                                                   const struct whorl_url *url, char **ret);

/**
 * Gets cookie number `index`, from 0, in the order of creation. Index 0 removes the expired cookies
 * first. The indexes and texts are valid until the jar changes: while a task loops over the jar, it
 * does not suspend.
 *
 * Returns: false when there are fewer cookies.
 */
WHORL_API WHORL_CHECKED bool whorl_http_cookies_at(struct whorl_http_cookies *cookies, size_t index,
                                                   struct whorl_http_cookie *ret);

/** Removes all cookies. */
WHORL_API void whorl_http_cookies_clear(struct whorl_http_cookies *cookies);

/**
 * Adds the cookies of a file to the jar. They replace those of the same name, domain and path. The
 * thread waits for the file. Cookies of a file may be Secure and last for more than 400 days;
 * expired ones are left out. If a line is wrong, nothing is added.
 *
 * @error  its step is "cookies", and its text names the file, the line and the cause; may be NULL;
 *         borrowed for the call
 *
 * Returns: 0; an error of open(2) or read(2); WHORL_EHTTP_COOKIE_FILE; -EFBIG (more than 16 MiB);
 *          -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_http_cookies_load(struct whorl_http_cookies *cookies,
                                                    const char *path, struct whorl_error *error);

/**
 * Writes all cookies to a file, which only its owner can read and write (mode 0600). They are
 * written to a new file in the same directory, which then replaces `path`: other programs see
 * either the old file or the new one. A symbolic link is replaced too. The thread waits for the
 * file.
 *
 * @error  its step is "cookies", and its text names the file and the cause; may be NULL; borrowed
 *         for the call
 *
 * Returns: 0; an error of mkostemp(3), write(2) or rename(2); -ENOMEM. On failure, `path` is
 *          unchanged.
 */
WHORL_API WHORL_CHECKED int whorl_http_cookies_save(struct whorl_http_cookies *cookies,
                                                    const char *path, struct whorl_error *error);

static inline void whorl_auto_http_cookies(struct whorl_http_cookies **cookies)
{
    whorl_http_cookies_release(*cookies);
}

#ifdef __cplusplus
}
#endif

#endif
