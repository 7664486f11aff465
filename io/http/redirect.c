/* SPDX-License-Identifier: MIT */
/* Redirect rules. Where RFC 9110 allows a choice, they do the same as browsers. */
#include "io/http/redirect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/error.h>

#include "io/url/ascii.h"

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (header_equal(name, *names))
            return true;
    return false;
}

/* This is a list of harmless headers, because a list of secret ones could never be complete:
 * Authorization, Cookie, X-Api-Key, PRIVATE-TOKEN, ... */
bool redirect_is_harmless(const char *name)
{
    static const char *const names[] = {
        "Accept",
        "Accept-Charset",
        "Accept-Encoding",
        "Accept-Language",
        "Cache-Control",
        "Connection",
        "DNT",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "If-Unmodified-Since",
        "Pragma",
        "Prefer",
        "Priority",
        "Range",
        "Upgrade-Insecure-Requests",
        "User-Agent",
        NULL,
    };
    return is_one_of(name, names) || redirect_is_about_body(name);
}

bool redirect_is_about_body(const char *name)
{
    static const char *const names[] = {
        "Content-Type",     "Content-Length",    "Content-Encoding",
        "Content-Language", "Content-Location",  "Content-Range",
        "Content-Digest",   "Content-MD5",       "Digest",
        "Repr-Digest",      "Last-Modified",     "Expect",
        "Trailer",          "Transfer-Encoding", NULL,
    };
    return is_one_of(name, names);
}

/* RFC 9110 §15.4: 300 leaves the choice to the user, 304 is about a cache, 305 and 306 are
 * obsolete. */
static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* The method of the next request: 303 says GET; for 301 and 302 a POST becomes a GET, as in all
 * common clients (RFC 9110 §15.4.2, note). */
static const char *next_method(int status, const char *method)
{
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

    if (status == 303 && !reads)
        return "GET";
    if ((status == 301 || status == 302) && strcmp(method, "POST") == 0)
        return "GET";
    return method;
}

/* The Location, or NULL. Sets `*ret_differ` when there are several with different values. */
static const char *find_location(const struct header_list *headers, bool *ret_differ)
{
    size_t index = 0;
    const char *first = header_list_next(headers, "Location", &index), *other;

    *ret_differ = false;
    while ((other = header_list_next(headers, "Location", &index)) != NULL)
        *ret_differ |= strcmp(first, other) != 0;
    return first;
}

static bool is_bare_percent(const char *at)
{
    return *at == '%' && (ascii_hex_value(at[1]) < 0 || ascii_hex_value(at[2]) < 0);
}

/* Copies a Location with "%25" for each "%" that no two hexadecimal digits follow. RFC 3986 §2.4
 * wants it that way, but servers forget it, and all common clients follow such a redirect. Returns
 * a string to be freed; NULL: no memory. */
static char *encode_bare_percents(const char *location)
{
    size_t extra = 0;

    for (const char *at = location; *at; at++)
        extra += is_bare_percent(at) ? 2 : 0;
    char *text = malloc(strlen(location) + extra + 1), *to = text;
    for (const char *at = location; text && *at; at++) {
        *to++ = *at;
        if (is_bare_percent(at))
            to = stpcpy(to, "25");
    }
    if (text)
        *to = '\0';
    return text;
}

/* Resolves a Location. Fills `detail` on failure. */
static int resolve(const struct whorl_url *current, const char *location,
                   struct whorl_error *detail, struct whorl_url *ret)
{
    char *text = encode_bare_percents(location);

    if (!text)
        return whorl_error_set(detail, -ENOMEM, "redirect", "%s", whorl_strerror(-ENOMEM));
    int err = whorl_url_resolve(current, text, detail, ret);
    free(text);
    return err;
}

/* A Location on the same origin that names no user keeps the current user: the credentials in a URL
 * belong to its origin. */
static int keep_userinfo(struct whorl_url *url, const struct whorl_url *current)
{
    struct whorl_url with = {0};
    size_t len = strlen(url->text) + strlen(current->userinfo) + 2;
    char *text = malloc(len);

    if (!text)
        return -ENOMEM;
    snprintf(text, len, "%s://%s@%s%s", url->scheme, current->userinfo, url->authority,
             url->target);
    int err = whorl_url_parse(text, NULL, &with);
    free(text);
    if (err)
        return err;
    whorl_url_finish(url);
    *url = with;
    return 0;
}

int redirect_follow(struct redirect *ret, const struct whorl_url *current, const char *method,
                    int status, const struct header_list *headers, struct whorl_error *error)
{
    struct whorl_url url = {0};
    struct whorl_error detail = {0};
    bool differ;

    if (!is_redirect(status))
        return 0;
    const char *location = find_location(headers, &differ);
    if (!location)
        return 0;
    if (differ)
        return whorl_error_set(error, WHORL_EHTTP_REDIRECT_LOCATION, "redirect",
                               "several Location headers that differ");
    if (*location == '\0')
        return whorl_error_set(error, WHORL_EHTTP_REDIRECT_LOCATION, "redirect",
                               "empty Location header");
    int err = resolve(current, location, &detail, &url);
    if (err == 0 && current->userinfo && !url.userinfo && whorl_url_same_origin(&url, current))
        err = keep_userinfo(&url, current);
    if (err) {
        whorl_url_finish(&url);
        if (err == WHORL_EHTTP_SCHEME)
            err = WHORL_EHTTP_NOT_REDIRECTABLE;
        else if (err != -ENOMEM)
            err = WHORL_EHTTP_REDIRECT_LOCATION;
        return whorl_error_set(error, err, "redirect", "Location: %s",
                               detail.text[0] ? detail.text : whorl_strerror(err));
    }
    const char *next = next_method(status, method);
    *ret = (struct redirect){
        .url = url,
        .method = next,
        .drop_body = next != method,
        .cross_origin = !whorl_url_same_origin(&url, current),
        .is_downgrade = current->is_tls && !url.is_tls,
    };
    return 1;
}
