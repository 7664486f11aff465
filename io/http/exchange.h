/* SPDX-License-Identifier: MIT */
/* One exchange on an open connection: the request out, the response head in, then the body.
 *
 * A request whose body fits into the first write is sent with that one write, and the head is read
 * after it. Of a longer body a second task waits for the head meanwhile, because a server may answer
 * early (413 and close): a final status of 300 or more, or the end of the connection, ends the
 * sending.
 */
#ifndef IO_HTTP_EXCHANGE_H
#define IO_HTTP_EXCHANGE_H

#include <whorl/base.h>
#include <whorl/http.h>

#include "io/http/http1.h"

struct whorl_http_response;

/* What is sent; changes from hop to hop. */
struct http_outgoing {
    const struct whorl_http_request *request;
    const char *method;
    bool has_body;
    bool drop_credentials, drop_body_headers;
};

/* Sends the request over response->conn and reads up to the end of the final head. On success the
 * first part of the body is parsed as far as it is there, see `ahead`.
 * 0; WHORL_EHTTP_*; WHORL_ETLS_*; -errno. The caller's error is filled. */
WHORL_SUSPENDS int http_exchange(struct whorl_http_response *response,
                                 const struct http_outgoing *out);

/* The next part of the body as it was sent: a span in the receive buffer, or, when that is empty and
 * `len` is no less than a receive buffer, received into `buf` directly.
 *
 * @buf  may be NULL: a span of any length then
 * @ret  the bytes: `buf`, or inside the receive buffer and valid until the next call
 *
 * The count; 0 at the complete end; an error, which repeats unless it is -ECANCELED. */
WHORL_SUSPENDS ssize_t http_body_next(struct whorl_http_response *response, char *buf, size_t len,
                                      const char **ret);

/* Parses what has been received already and drops it, which may reach the end. */
void http_body_skip(struct whorl_http_response *response);

/* Ends the exchange: the connection goes back, open if everything allows it. Nothing happens when it
 * has ended already. */
void http_exchange_end(struct whorl_http_response *response);

#endif
