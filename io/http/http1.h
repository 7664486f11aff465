/* SPDX-License-Identifier: MIT */
/* HTTP/1 messages (RFC 9112), responses and requests: bytes in, one event at a time out. section.c
 * reads heads and trailers, body.c reads bodies.
 *
 *     struct http1 p;
 *     http1_init(&p, NULL, false);
 *     for (;;) {
 *         ev = http1_feed(&p, buf, len, &used, &span); // advance buf by used
 *         if (ev == HTTP1_NEED_INPUT)  // all was used: read more; at the end of the stream:
 *             ev = http1_eof(&p);      // HTTP1_END or an error
 *         if (ev == HTTP1_HEAD) ...    // status and headers are there
 *         if (ev == HTTP1_BODY) ...    // span is a part of buf
 *         if (ev == HTTP1_END) break;  // the rest of buf is not part of this message
 *         if (ev < 0) ...              // WHORL_EHTTP_*; http1_error_text() says what and where
 *     }
 *
 *     INFORMATIONAL* -> HEAD -> BODY* -> END        errors and END repeat until http1_reset()
 *
 * A request is read in the same way, after http1_reset_request(). It has no informational heads.
 *
 * The events do not depend on how the input is cut into pieces.
 */
#ifndef IO_HTTP_HTTP1_H
#define IO_HTTP_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/http/body.h"
#include "io/http/header.h"
#include "io/http/section.h"

/* 0 in a field means the default. */
struct http1_limits {
    size_t head_bytes_max;   /* status line and headers, of each head; trailers too; 64 KiB */
    size_t headers_max;      /* of each head; trailers too; 128 */
    int informational_max;   /* 1xx heads before the final one; 16 */
    size_t target_bytes_max; /* of a request's target; 8 KiB */
    int64_t body_bytes_max;  /* as sent, chunk framing not counted; no limit */
};

enum http1_event {
    HTTP1_NEED_INPUT,    /* all bytes were used */
    HTTP1_INFORMATIONAL, /* a 1xx head; its headers can be read until the next call */
    HTTP1_HEAD,          /* the final head */
    HTTP1_BODY,          /* a span of body, never empty */
    HTTP1_END,           /* the message is complete; trailers are known */
};

struct http1_body_span {
    const char *data; /* points into the input */
    size_t len;
};

/* Private to http1.c; read it with the accessors below. */
struct http1 {
    struct http1_limits limits; /* with the defaults filled in */
    struct header_list headers, trailers;
    struct body body;
    uint8_t state; /* enum state, in http1.c */
    bool is_request;
    bool is_head;    /* the answer to a HEAD request */
    bool begun;      /* a byte has been received */
    bool has_length; /* Content-Length was given */
    bool has_coding; /* Transfer-Encoding was given */
    bool has_unknown_coding;
    uint8_t connections;   /* Connection headers; 2: two or more */
    uint32_t connection;   /* the number of the last one in `headers` */
    uint8_t version_minor; /* 0 or 1 */
    uint16_t status;
    uint32_t reason, reason_len; /* in the bytes of `headers` */
    int informationals;
    uint8_t line_ends; /* bytes of the empty line before a request line so far; at most 2 */
    /* Of a request, in the bytes of `headers`; each ends with a NUL. */
    uint32_t target, path, query, host;
    bool has_query, has_host;
    int64_t content_length; /* -1: none given */
    int error;              /* returned by every later call; 0: none */
    struct section section; /* holds the text of all errors; last because of http1_reset() */
};

/** Prepares for one response, in the caller's memory. `limits` may be NULL. `is_head`: the request
 *  was HEAD, so no body follows. */
void http1_init(struct http1 *p, const struct http1_limits *limits, bool is_head);

/** Prepares for the next response and keeps the memory for headers. */
void http1_reset(struct http1 *p, const struct http1_limits *limits, bool is_head);

/** Prepares for the next request and keeps the memory for headers. Accepts a zeroed struct. */
void http1_reset_request(struct http1 *p, const struct http1_limits *limits);

/** Frees. Accepts a zeroed struct. */
void http1_finish(struct http1 *p);

/**
 * Takes bytes from the front of `buf` until there is an event. An empty buffer is allowed: the
 * event is then one that needs no more input (HTTP1_END after the HTTP1_HEAD of a response without
 * a body).
 *
 * @ret_used  how many bytes were taken; also set on errors: the position of the error
 * @ret_span  set with HTTP1_BODY
 *
 * Returns: an event; WHORL_EHTTP_*; -ENOMEM.
 */
int http1_feed(struct http1 *p, const char *buf, size_t len, size_t *ret_used,
               struct http1_body_span *ret_span);

/** Within a body whose length was announced: how many of its bytes http1_feed() needs. 0: anything
 *  else comes next. */
int64_t http1_rest(const struct http1 *p);

/**
 * Notes that `n` bytes of the body went to another place, instead of being fed; at most
 * http1_rest().
 *
 * Returns: HTTP1_NEED_INPUT or HTTP1_END.
 */
int http1_pass(struct http1 *p, int64_t n);

/**
 * Call it when the peer has closed and all input has been fed.
 *
 * Returns: HTTP1_END when the body ends with the connection, or the message has ended already;
 *          WHORL_EHTTP_NO_RESPONSE when no byte has arrived; else WHORL_EHTTP_TRUNCATED, or the
 *          error that http1_feed() reported.
 */
int http1_eof(struct http1 *p);

/* Valid from HTTP1_HEAD (and at HTTP1_INFORMATIONAL, for that head). */
int http1_status(const struct http1 *p);
const char *http1_reason(const struct http1 *p); /* possibly empty; the server chose its bytes */
const struct header_list *http1_headers(const struct http1 *p);
int64_t http1_content_length(const struct http1 *p); /* as announced, also for HEAD; or -1 */
bool http1_is_chunked(const struct http1 *p);
bool http1_is_close_delimited(const struct http1 *p);
bool http1_has_body(const struct http1 *p); /* false: HTTP1_END comes next */

/* Of a request. The client may have sent any bytes. */
const char *http1_method(const struct http1 *p); /* a token */
const char *http1_target(const struct http1 *p);
const char *http1_path(const struct http1 *p);  /* "/...", or "*"; not decoded */
const char *http1_query(const struct http1 *p); /* without the question mark; NULL when none */
const char *http1_host(const struct http1 *p);  /* Host, or the host of the target; NULL: none */
int http1_version_minor(const struct http1 *p); /* 0 or 1; also of a response */

/** Valid from HTTP1_END; never merged into the headers. */
const struct header_list *http1_trailers(const struct http1 *p);

/** Body bytes handed out so far, as sent. */
int64_t http1_received(const struct http1 *p);

/** Whether the connection may carry another request: the message has ended, its end was marked, and
 *  neither the version nor the Connection header forbids it. False before HTTP1_END. */
bool http1_keep_alive(const struct http1 *p);

/** Whether the version and the Connection header allow another exchange on the connection. Valid
 *  from HTTP1_HEAD. */
bool http1_says_keep_alive(const struct http1 *p);

/** Whether a byte of the response has arrived. Before that, a request on a kept connection may be
 *  retried. */
bool http1_has_begun(const struct http1 *p);

/** After an error: what is wrong and where. Printable ASCII, never NULL. */
const char *http1_error_text(const struct http1 *p);

#endif
