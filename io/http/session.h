/* SPDX-License-Identifier: MIT */
/* What a session and a response hold; the private side of whorl/http.h.
 *
 *     session.c    whorl_http_do: queue, open, exchange; redirects and the one retry around them
 *     conn.c       opening: dial and TLS
 *     exchange.c   one request out, one response head in, then the body part by part
 *     response.c   what users ask of a response
 *     save.c       a body into a file
 *
 * Memory of an exchange (the response with its parser, the receive buffer) goes back to the session
 * and serves the next one, so a request on a kept connection allocates nothing but its URL.
 */
#ifndef IO_HTTP_SESSION_H
#define IO_HTTP_SESSION_H

#include <whorl/http.h>
#include <whorl/url.h>

#include "io/http/conn.h"
#include "io/http/decode.h"
#include "io/http/http1.h"
#include "io/http/pool.h"
#include "io/http/stage.h"

enum {
    HTTP_BUF_SIZE = 16384, /* of a receive buffer */
    HTTP_BUFS_KEPT = 64,   /* receive buffers kept by a session for later */
    HTTP_RESPONSES_KEPT = 64,
};

/* A receive buffer. The head of the request is written into it first: it is sent before anything
 * is received. */
struct http_buf {
    struct http_buf *next; /* in the session's store */
    char data[HTTP_BUF_SIZE];
};

struct whorl_http_session {
    struct http_pool pool;
    struct whorl_http_session_options options; /* defaults filled in; pointers are ours */
    char *user_agent;                          /* owned */
    struct whorl_tls_config *tls;              /* held; NULL until needed */
    struct http_buf *bufs;                     /* for reuse */
    size_t bufs_count;
    struct whorl_http_response *responses; /* for reuse */
    size_t responses_count;
    size_t responses_out; /* not closed yet */
    size_t save_bytes;    /* of buffers of bodies being saved, see save.c */
    uint64_t requests, connections, reuses;
};

/* What comes next of the body. */
enum http_ahead {
    HTTP_AHEAD_INPUT, /* bytes have to be received first */
    HTTP_AHEAD_SPAN,  /* `span` has bytes */
    HTTP_AHEAD_END,   /* nothing: it is complete */
    HTTP_AHEAD_ERROR, /* `err` */
};

struct whorl_http_response {
    struct whorl_http_session *session;
    struct whorl_http_response *next; /* in the session's store */
    struct http_conn *conn;           /* ours until the exchange has ended either way */
    struct whorl_url url;             /* owned */
    struct http1 parser;              /* keeps its memory from one exchange to the next */
    struct whorl_error *error;        /* the caller's; may be NULL */

    struct http_buf *in;         /* from the session while there may be something to receive */
    size_t in_start, in_end;     /* received and not yet parsed */
    struct http1_body_span span; /* parsed and not yet handed out; points into `in` */
    enum http_ahead ahead;
    int err;          /* valid with HTTP_AHEAD_ERROR */
    const char *step; /* where an exchange that fails before its body is; NULL: the caller's error
                         has been filled already */

    bool decodes;
    struct decode decode; /* valid while `decodes` */
    const char *coded;    /* still to be decoded; points into `in` */
    size_t coded_len;

    struct http1_limits limits;
    struct whorl_http_timeouts timeouts; /* defaults filled in */
    int64_t total_deadline_ns;
    int64_t decoded_bytes_max;
    int redirects_max;

    bool reused;                   /* the connection had carried an exchange before this one */
    bool surplus;                  /* bytes came that nobody asked for: the connection ends here */
    bool last;                     /* the request said "Connection: close": likewise */
    bool unsent;                   /* part of the request never left: likewise */
    bool awaits_head;              /* no byte of the next head has come */
    int64_t sent_ns;               /* when the last byte of the request had left; -1: not yet */
    struct http_stage *head_stage; /* of a task that waits for the head while the request is still
                                      being sent; else NULL */
    struct whorl_http_timing timing;
};

/* Sets the caller's error to step and text "HOST:PORT: ..."; returns `err`. */
int http_response_fail(struct whorl_http_response *response, int err, const char *step,
                       const char *text);

/* The body has failed for good: says so in the caller's error, ends the exchange, and every read
 * from now on returns `err`. @text NULL: what `err` means. Returns `err`. */
int http_response_latch(struct whorl_http_response *response, int err, const char *text);

/* Memory from the session's stores; NULL without memory. */
struct http_buf *http_buf_acquire(struct whorl_http_session *session);
void http_buf_release(struct whorl_http_session *session, struct http_buf *buf);
struct whorl_http_response *http_response_acquire(struct whorl_http_session *session);
void http_response_release(struct whorl_http_response *response);

#endif
