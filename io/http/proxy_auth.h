/* SPDX-License-Identifier: MIT */
/* How a client answers an HTTP proxy that asks for credentials (407, RFC 9110 §11.7). No I/O.
 *
 *     value = http_proxy_authorization(proxy, false);   // NULL at first; sent unless it is NULL
 *     ... 407 ...
 *     if (http_proxy_answer(proxy, headers, value, &why))
 *         ... send the request again, with the new value; else the 407 is final ...
 *
 * So each request is sent twice at most. The proxy remembers that it has asked, and later requests
 * have the credentials from the start.
 */
#ifndef IO_HTTP_PROXY_AUTH_H
#define IO_HTTP_PROXY_AUTH_H

#include <stdbool.h>

#include "io/http/header.h"
#include "io/http/proxy.h"

/** The value of Proxy-Authorization for the next request; NULL: none is sent. `at_once`: send it
 *  also if the proxy has not asked, because the request cannot be sent twice. Valid as long as the
 *  proxy. */
const char *http_proxy_authorization(const struct http_proxy *proxy, bool at_once);

/**
 * Decides about a 407.
 *
 * @headers  of the 407
 * @sent     what http_proxy_authorization() returned for that request
 * @ret_why  when the result is false: why, for an error text
 *
 * Returns: whether the request is to be sent again, with http_proxy_authorization().
 */
bool http_proxy_answer(struct http_proxy *proxy, const struct header_list *headers,
                       const char *sent, const char **ret_why);

#endif
