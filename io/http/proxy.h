/* SPDX-License-Identifier: MIT */
/* Proxies as settings: parses the URL of a proxy, and chooses the proxy for a server. No I/O; the
 * environment is read when the setting is made. http_proxy.h has the rules. */
#ifndef IO_HTTP_PROXY_H
#define IO_HTTP_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/error.h>
#include <whorl/http_proxy.h>
#include <whorl/url.h>

#include "io/http/no_proxy.h"

enum http_proxy_kind {
    HTTP_PROXY_HTTP,
    HTTP_PROXY_HTTPS,   /* HTTP, and TLS to the proxy */
    HTTP_PROXY_SOCKS5,  /* names are resolved here */
    HTTP_PROXY_SOCKS5H, /* the proxy resolves names */
};

enum { HTTP_PROXY_PORT_SOCKS = 1080 };

/* One proxy. The strings are owned. */
struct http_proxy {
    enum http_proxy_kind kind;
    char *text; /* "socks5h://HOST:PORT", without credentials; also for error texts */
    char *host; /* canonical, as in struct whorl_url */
    uint16_t port;
    char *userinfo;        /* percent-encoded; NULL: no credentials */
    char *user, *password; /* decoded; NULL: no credentials */
};

static inline bool http_proxy_is_socks(const struct http_proxy *proxy)
{
    return proxy->kind == HTTP_PROXY_SOCKS5 || proxy->kind == HTTP_PROXY_SOCKS5H;
}

/**
 * Parses the URL of a proxy.
 *
 * @source  where it comes from, for the error text: "https_proxy"
 * @error   without the credentials; may be NULL
 * @ret     free it with http_proxy_finish()
 *
 * Returns: 0; WHORL_EHTTP_PROXY_SETTING; -ENOMEM.
 */
int http_proxy_parse(const char *text, const char *source, struct whorl_error *error,
                     struct http_proxy *ret);

/** Frees. Accepts a zeroed struct. */
void http_proxy_finish(struct http_proxy *proxy);

/* A whole setting. Zero-initialised: no proxies. */
struct http_proxies {
    struct http_proxy plain, tls; /* for http and https servers; `text` is NULL: none */
    struct no_proxy no_proxy;
};

/** Makes the setting; as whorl_http_proxy_check(). Free it with http_proxies_finish(). */
int http_proxies_init(struct http_proxies *proxies, const struct whorl_http_proxy *setting,
                      struct whorl_error *error);

/** The proxy for a server; NULL: it is reached directly. Valid until http_proxies_finish(). */
const struct http_proxy *http_proxies_choose(const struct http_proxies *proxies,
                                             const struct whorl_url *url);

/** Frees. Accepts a zeroed struct. */
void http_proxies_finish(struct http_proxies *proxies);

#endif
