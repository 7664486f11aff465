/* SPDX-License-Identifier: MIT */
/* URLs for HTTP clients: parsed strictly by RFC 3986, with references resolved and hosts in
 * canonical form. No I/O.
 *
 *     static int print_link(const char *page, const char *link)
 *     {
 *         WHORL_AUTO(url) base = {0};
 *         WHORL_AUTO(url) target = {0};
 *         struct whorl_error error;
 *         int err = whorl_url_parse(page, &error, &base);
 *         if (err == 0)
 *             err = whorl_url_resolve(&base, link, &error, &target);
 *         puts(err ? error.text : target.text);
 *         return err;
 *     }
 */
#ifndef WHORL_URL_H
#define WHORL_URL_H

#include <whorl/base.h>
#include <whorl/error.h>

/* The parts point into `buf`, and each ends with a NUL of its own. After a successful parse all of
 * them are set, except that `userinfo` may be NULL. */
struct whorl_url {
    char *buf;       /* owned; freed by whorl_url_finish() */
    char *text;      /* the whole URL without userinfo and fragment, canonical */
    char *scheme;    /* "http" or "https" */
    char *userinfo;  /* "name:password" still percent-encoded, or NULL */
    char *host;      /* lower case; IDNA A-labels; IPv6 without brackets */
    char *authority; /* for the Host header: with brackets, without the default port */
    char *target;    /* path and query as sent in a request: "/a?b"; never empty */
    uint16_t port;   /* the scheme's default when none was given */
    bool is_tls;     /* https */
    bool host_is_ip; /* a literal IPv4 or IPv6 address */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Parses an absolute http or https URL.
 *
 * - Bytes that path and query must not contain (spaces, quotes, backslashes, non-ASCII) are
 *   percent-encoded, as browsers do.
 * - A fragment is dropped, and dot segments are removed.
 * - Non-ASCII hosts are converted by IDNA 2008 (UTS 46).
 * - A host that looks like a number must be an IPv4 address of four decimal parts.
 *
 * URLs that different parsers are known to read differently are refused: those with control bytes,
 * spaces around the URL, more than one "@", backslashes before the path, "%" without two
 * hexadecimal digits, IPv6 zones, or more than 64 KiB.
 *
 * @error  its step is "URL", and its text says what is wrong and where; may be NULL; borrowed for
 *         the call
 * @ret    free it with whorl_url_finish()
 *
 * Returns: 0; WHORL_EHTTP_SCHEME; WHORL_EHTTP_URL; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_url_parse(const char *text, struct whorl_error *error,
                                            struct whorl_url *ret);

/** Resolves a reference, such as that of a Location header, against `base` (RFC 3986 §5). Otherwise
 *  like whorl_url_parse(). */
WHORL_API WHORL_CHECKED int whorl_url_resolve(const struct whorl_url *base, const char *reference,
                                              struct whorl_error *error, struct whorl_url *ret);

/** Whether two URLs have the same origin: scheme, host and port (RFC 6454 §5). */
WHORL_API bool whorl_url_same_origin(const struct whorl_url *a, const struct whorl_url *b);

/** Frees the parts. Accepts a zeroed struct. */
WHORL_API void whorl_url_finish(struct whorl_url *url);

static inline void whorl_auto_url(struct whorl_url *url)
{
    whorl_url_finish(url);
}

#ifdef __cplusplus
}
#endif

#endif
