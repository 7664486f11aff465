/* SPDX-License-Identifier: MIT */
/* How a client answers an HTTP proxy that asks for credentials (407, RFC 9110 §11.7): with Digest
 * (RFC 7616), or with Basic if the proxy offers no Digest. No I/O but getrandom(2).
 *
 *     struct http_proxy_auth auth = {.proxy = proxy, .answer = answer};
 *     http_proxy_auth_write(&auth, "GET", "http://a.test/", false);
 *     ... sends the request, with auth.value as Proxy-Authorization unless that is NULL ...
 *     ... 407 ...
 *     if (http_proxy_auth_challenged(&auth, headers, &why) > 0)
 *         ... writes the value again and sends the request again; else the 407 is final ...
 *     http_proxy_auth_finish(&auth);
 *
 * So each request is sent twice, or three times if the proxy says that the nonce was too old. The
 * answer to the last challenge is kept for later requests through the same proxy, which have the
 * credentials from the start.
 */
#ifndef IO_HTTP_PROXY_AUTH_H
#define IO_HTTP_PROXY_AUTH_H

#include <stdbool.h>

#include "io/http/auth_answer.h"
#include "io/http/header.h"
#include "io/http/proxy.h"

/* Of one request. */
struct http_proxy_auth {
    const struct http_proxy *proxy; /* borrowed */
    struct auth_answer *answer;     /* to the proxy's last challenge; borrowed */
    char *value; /* owned; of Proxy-Authorization, for the next sending; NULL: none */
    struct auth_tries tries;
};

/**
 * Replaces `auth->value`.
 *
 * @uri      the target of the request line
 * @at_once  send the credentials also if the proxy has not asked, because the request cannot be
 *           sent twice: with Basic, unless an earlier challenge was answered with Digest
 *
 * Returns: 0; -ENOMEM; an error of getrandom(2).
 */
int http_proxy_auth_write(struct http_proxy_auth *auth, const char *method, const char *uri,
                          bool at_once);

/**
 * Decides about a 407.
 *
 * @headers  of the 407
 * @ret_why  when the result is 0: why, for an error text
 *
 * Returns: 1 when the request is to be sent again, after http_proxy_auth_write(); 0 when the 407 is
 *          final; -ENOMEM.
 */
int http_proxy_auth_challenged(struct http_proxy_auth *auth, const struct header_list *headers,
                               const char **ret_why);

/** Wipes and frees `auth->value`. Accepts a zeroed struct. */
void http_proxy_auth_finish(struct http_proxy_auth *auth);

#endif
