/* SPDX-License-Identifier: MIT */
/* URLs as HTTP clients need them: parsed strictly by RFC 3986, references resolved, hosts in
 * canonical form. No I/O.
 */
#ifndef WHORL_URL_H
#define WHORL_URL_H

#include <whorl/base.h>
#include <whorl/error.h>

/* Parts point into `buf`, each terminated on its own. All are non-NULL after a successful parse
 * except `userinfo`. */
struct whorl_url {
    char *buf;       /* owned; freed by whorl_url_finish() */
    char *text;      /* the whole URL without userinfo and fragment, canonical */
    char *scheme;    /* "http" or "https" */
    char *userinfo;  /* "name:password" still percent-encoded, or NULL */
    char *host;      /* lower case; IDNA A-labels; IPv6 without brackets */
    char *authority; /* what goes into the Host header: brackets kept, default port left out */
    char *target;    /* path and query as sent in a request: "/a?b"; never empty */
    uint16_t port;   /* the scheme's default when none was given */
    bool is_tls;     /* https */
    bool host_is_ip; /* a literal IPv4 or IPv6 address */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Parses an absolute http or https URL. Bytes that may not stand in path and query (spaces within,
 * quotes, backslashes, non-ASCII) are percent-encoded as browsers do, a fragment is dropped, dot
 * segments are removed; non-ASCII hosts go through IDNA 2008 (UTS 46). A host that looks like a
 * number is an IPv4 address of four decimal parts or an error.
 *
 * What parsers are known to read differently is refused: control bytes, spaces around the URL, more
 * than one "@", backslashes before the path, "%" without two digits, IPv6 zones, more than 64 KiB.
 *
 * @error  may be NULL; step is "URL", the text says what is wrong and where
 *
 * Returns: 0; WHORL_EHTTP_SCHEME; WHORL_EHTTP_URL; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_url_parse(const char *text, struct whorl_error *error,
                                            struct whorl_url *ret);

/** Resolves a reference, as in a Location header, against `base` (RFC 3986 §5). As above. */
WHORL_API WHORL_CHECKED int whorl_url_resolve(const struct whorl_url *base, const char *reference,
                                              struct whorl_error *error, struct whorl_url *ret);

/** Whether two URLs have the same origin: scheme, host and port (RFC 6454 §5). */
WHORL_API bool whorl_url_same_origin(const struct whorl_url *a, const struct whorl_url *b);

/** Frees. Accepts a zeroed struct. */
WHORL_API void whorl_url_finish(struct whorl_url *url);

static inline void whorl_auto_url(struct whorl_url *url)
{
    whorl_url_finish(url);
}

#ifdef __cplusplus
}
#endif

#endif
