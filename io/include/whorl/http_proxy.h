/* SPDX-License-Identifier: MIT */
/* The proxy of an HTTP session: which one it uses, and for which servers.
 *
 *     struct whorl_http_session_options options = {
 *         .proxy = {.url = "http://proxy.example:3128", .no_proxy = "localhost, 10.0.0.0/8"}};
 *     err = whorl_http_session_create(&options, &session);
 *
 * The scheme of the proxy's URL says how the session speaks with it. Without a scheme, it is http.
 *
 *     http://     an HTTP proxy; default port 80
 *     https://    an HTTP proxy, and the connection to it has TLS; default port 443
 *     socks5h://  a SOCKS5 proxy (RFC 1928), which resolves the names of servers; default port 1080
 *     socks5://   a SOCKS5 proxy, but this program resolves the names of servers; default port 1080
 *
 * - For an http server, an HTTP proxy gets the request itself (RFC 9112 §3.2.2). It can read and
 *   change it.
 * - For an https server, and for HTTP/2 without TLS, an HTTP proxy makes a tunnel (CONNECT, RFC
 *   9110 §9.3.6). TLS is then between this program and the server, and HTTP/2 is possible.
 * - A SOCKS5 proxy makes a tunnel for every server.
 *
 * The name and the password in the proxy's URL, percent-encoded, are for the proxy alone: no server
 * and no other proxy gets them, and no error text contains them. An HTTP proxy gets an answer to
 * the strongest challenge that is known (Digest with SHA-256, Digest with MD5, Basic; see
 * http_auth.h) once it has asked for credentials with 407, and later requests have them from the
 * start. To a request whose body can be sent only once, they are added at once: with Basic, if the
 * proxy has not asked before. A second 407 is final; only a proxy that says that its nonce was too
 * old (stale=true) gets one more answer. A SOCKS5 proxy gets the credentials when it chooses that
 * method (RFC 1929).
 *
 * A failure of the proxy is an error whose step is "proxy", and whose text names the proxy, the
 * server and, if there is one, the status. A final 407 is WHORL_EHTTP_PROXY_AUTH. An HTTP proxy
 * that gets the request itself may also answer it with another status: then its response is a
 * response like every other, such as 502.
 *
 * `no_proxy` is a list of servers that are reached without the proxy. Commas or spaces separate its
 * entries. An entry is one of these, and may end with a port, as in "example.org:8080" or
 * "[::1]:80":
 *
 *     *               every server
 *     example.org     this name and all names below it; ".example.org" and "*.example.org" mean the
 *                     same
 *     192.0.2.1       this address; it matches URLs that contain the address, not names
 *     192.0.2.0/24    all addresses that begin with these bits (CIDR, RFC 4632); without a port
 *
 * The environment has the same settings for many programs. With `from_environment`, these variables
 * count when the session is made. The first one that is set and not empty is used:
 *
 *     http servers    http_proxy, all_proxy, ALL_PROXY
 *     https servers   https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY
 *     no_proxy        no_proxy, NO_PROXY
 *
 * HTTP_PROXY in upper case is ignored: in a CGI program, a client can set it with a header named
 * Proxy (CVE-2016-5385).
 */
#ifndef WHORL_HTTP_PROXY_H
#define WHORL_HTTP_PROXY_H

#include <whorl/base.h>
#include <whorl/error.h>

struct whorl_tls_config;

/* Zero-initialised is valid: no proxy. */
struct whorl_http_proxy {
    const char *url;              /* NULL: that of the environment, or none; "": none */
    const char *no_proxy;         /* NULL: that of the environment, or none; "": none */
    bool from_environment;        /* use the environment for what is NULL above */
    struct whorl_tls_config *tls; /* for the TLS connection to an https proxy, not for servers; if
                                     it has ALPN, without "h2". NULL: trust the system's
                                     certificates. The session holds it */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Checks a setting, and says what is wrong with it. whorl_http_session_create() does the same
 * checks, but returns only a code. Never suspends.
 *
 * @error  its step is "proxy", and its text names the variable, if there is one, and the cause;
 *         without the credentials; may be NULL; borrowed for the call
 *
 * Returns: 0; WHORL_EHTTP_PROXY_SETTING; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_http_proxy_check(const struct whorl_http_proxy *proxy,
                                                   struct whorl_error *error);

#ifdef __cplusplus
}
#endif

#endif
