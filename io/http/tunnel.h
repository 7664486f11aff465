/* SPDX-License-Identifier: MIT */
/* Asks an HTTP proxy for a tunnel to a server (CONNECT, RFC 9110 §9.3.6), on any stream. */
#ifndef IO_HTTP_TUNNEL_H
#define IO_HTTP_TUNNEL_H

#include <whorl/stream.h>

#include "io/http/http1.h"

/* All pointers are borrowed for the call. */
struct http_tunnel {
    const char *authority;     /* the server: "HOST:PORT", with brackets around an IPv6 address */
    const char *user_agent;    /* NULL or "": none; checked */
    const char *authorization; /* value of Proxy-Authorization; NULL: none */
    /* The server inside the tunnel may send first, right behind the proxy's head, so that nothing
     * may be read behind the head: it is received byte by byte. False: a byte that the proxy sends
     * before it gets the first bytes for the server is an error. */
    bool server_may_begin;
    const struct http_dial_watch *watch; /* gets the request, with the three fields below; NULL:
                                            none */
    const char *proxy, *host;
    uint16_t port;
};

/**
 * Sends the request and reads the head of the answer.
 *
 * @answer   prepared with http1_init(), for the answer to a HEAD request: no body of a tunnel is
 *           read. After a success, it has the head; after an error of the parser, the error
 * @ret_why  set on errors of the proxy: what is wrong with its answer; else NULL
 *
 * Returns:  0: the proxy has answered, with any status. If the status is 2xx, the stream is the
 *           tunnel; else it can only be closed. WHORL_EHTTP_PROXY_FAILED: the proxy closed the
 *           connection; WHORL_EHTTP_PROXY_PROTOCOL; WHORL_EHTTP_REQUEST_HEADER: `user_agent` cannot
 *           be sent; errors of the stream; -ENOMEM.
 * Suspends: until the head has arrived. Only a scope limits the time.
 * Cancel:   -ECANCELED; the stream can only be closed.
 */
WHORL_SUSPENDS int http_tunnel_open(struct whorl_stream *stream, const struct http_tunnel *tunnel,
                                    struct http1 *answer, const char **ret_why);

#endif
