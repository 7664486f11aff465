/* SPDX-License-Identifier: MIT */
/* The head of a request as bytes: the client's own headers, and those that the caller adds or
 * replaces. Headers that would break the framing are refused.
 */
#ifndef IO_HTTP_REQUEST_H
#define IO_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/http.h>
#include <whorl/url.h>

enum {
    REQUEST_NO_BODY = -1, /* no body at all */
    REQUEST_CHUNKED = -2, /* a body of unknown length */
};

struct request_head {
    const char *method; /* NULL: GET */
    const struct whorl_url *url;
    const struct whorl_http_header *headers; /* the caller's: each replaces the client's own of the
                                                same name; an empty value removes that one */
    size_t headers_count;
    const char *user_agent;   /* NULL or "": none */
    const char *cookies;      /* a Cookie header's value, of the session's jar; NULL: none */
    const char *content_type; /* of the body; NULL: none */
    int64_t body_len;         /* 0 or more, or one of the above */
    bool decode;              /* send Accept-Encoding */
    const struct whorl_http_header *trailers; /* that follow the body; the head has their names */
    size_t trailers_count;
    bool expects;              /* send Expect: 100-continue */
    bool other_origin;         /* a redirect led to another origin: leave out what may be secret */
    bool trust_redirects;      /* leave out Host only */
    bool drop_body_headers;    /* leave out the caller's headers about a body: the method changed */
    bool is_forwarded;         /* the request goes to a proxy: its target is the whole URL */
    const char *authorization; /* unless `headers` has one; NULL: Basic if the URL has a user name;
                                  "": none */
    const char *proxy_authorization; /* with `is_forwarded`: the proxy's credentials; NULL: none */
};

/**
 * Checks and writes the head, with the empty line that ends it.
 *
 * @buf    may be NULL when `cap` is 0
 * @error  may be NULL; step is "request"
 *
 * Returns: the length of the head; when that is more than `cap`, `buf` is incomplete and the caller
 *          calls again with more room. WHORL_EHTTP_METHOD; WHORL_EHTTP_REQUEST_HEADER.
 */
ssize_t request_head_write(const struct request_head *head, char *buf, size_t cap,
                           struct whorl_error *error);

/**
 * Checks and writes the trailers, without an empty line after them. On the way to another origin,
 * those are left out that would be left out of the head.
 *
 * Returns: as request_head_write().
 */
ssize_t request_trailers_write(const struct request_head *head, char *buf, size_t cap,
                               struct whorl_error *error);

/** Whether a method is safe to send again when the connection dies (RFC 9110 §9.2.2). */
bool request_is_idempotent(const char *method);

#endif
