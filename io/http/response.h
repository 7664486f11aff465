/* SPDX-License-Identifier: MIT */
/* A response: an exchange, the connection that it holds, and the functions for users. do.c makes it
 * and hop.c runs its exchanges, one per hop; response.c reads the body of the last one. The
 * connection goes back to the pool as soon as the body has been received. The memory goes back to
 * the store when the response is closed. Neither needs the session.
 */
#ifndef IO_HTTP_RESPONSE_H
#define IO_HTTP_RESPONSE_H

#include <whorl/http.h>
#include <whorl/url.h>

#include "io/http/decode.h"
#include "io/http/exchange.h"
#include "io/http/part_buf.h"
#include "io/http/pool.h"
#include "io/http/store.h"

struct whorl_http_response {
    struct http_spare spare; /* in the store's list */
    bool closed;             /* the memory is in that list */
    struct http_store *store;
    struct http_pool *pool;
    struct http_conn *conn;         /* from the pool until the exchange has ended, else NULL */
    struct http_exchange *exchange; /* owned; of the current hop; NULL before the first one */
    struct whorl_url url;           /* owned; of the current hop */
    struct whorl_http_timing timing;
    struct http_watch watch;
    struct http_conn_info *conn_info; /* held; of the connection of the current hop; NULL: none */
    enum whorl_http_reuse reuse;
    int64_t end_ns;                  /* when the connection was returned; 0: not yet */
    enum whorl_http_version version; /* of the exchange */

    int err; /* the body has failed permanently, and every read returns this; 0: it has not */

    bool decodes;
    const char *coded; /* still to be decoded; memory of the exchange */
    size_t coded_len;
    size_t decoded_run; /* bytes decoded since the last read that let other tasks run */

    struct whorl_limiter *limiters[2]; /* see struct whorl_http_request */
    uint64_t unpaid[2];                /* bytes that were received and not yet taken from these */
    int64_t limited_ns;                /* the time that this took */

    struct http_part_buf part; /* of whorl_http_response_read_part() */
    int64_t part_moved;        /* bytes that it has returned */

    struct file_pipe *pipe; /* of whorl_http_response_hold(); owned; NULL: there is none */
    bool no_pipe;           /* a pipe cannot be used */

    /* Large; only the error's code is cleared for a new response. */
    struct whorl_error error; /* detail of what failed after the head; its code is 0 before that */
    struct decode decode;     /* valid while `decodes` */
};

/* For do.c, hop.c and session.c */

/* A response without an exchange. 0 or -ENOMEM. */
WHORL_CHECKED int http_response_create(struct http_store *store, struct http_pool *pool,
                                       struct whorl_http_response **ret);

/* Returns the memory. The connection must have been returned. */
void http_response_destroy(struct whorl_http_response *response);

/* Frees the responses that the store keeps. */
void http_responses_drain(struct http_store *store);

/* To be called after each step of the exchange: when nothing more will be received, the connection
 * goes back to the pool. */
void http_response_settle(struct whorl_http_response *response);

/* Ends the exchange and returns the connection, open if the exchange allows that. Does nothing when
 * it has been returned already. */
void http_response_end(struct whorl_http_response *response);

/* Returns the connection, and reports to the watch whether it is kept. `why`: why not, unless it is
 * reusable. Accepts a response without a connection. */
void http_response_release(struct whorl_http_response *response, bool reusable,
                           enum whorl_http_reuse why);

/* Tells the watch that the request has ended, with the detail of the failure. `err` 0: success. */
void http_response_tell_end(const struct whorl_http_response *response, int err,
                            const struct whorl_error *error);

/* Ends and frees the exchange, and keeps the connection. Accepts a response without one. */
void http_response_drop_exchange(struct whorl_http_response *response);

/* Whether the speed of the body is limited. */
static inline bool http_response_is_limited(const struct whorl_http_response *response)
{
    return response->limiters[0] || response->limiters[1];
}

/* For held.c */

/* Aborts when the response has been closed. */
void http_response_check_open(const struct whorl_http_response *response);

/* Moves the next bytes of the body into an empty pipe; as http_exchange_splice(). */
WHORL_SUSPENDS ssize_t http_response_splice(struct whorl_http_response *response, int pipe_fd,
                                            size_t len);

/* For save.c: reading without a copy */

/* The next part of the body as it was sent; as http_exchange_read(). */
WHORL_SUSPENDS ssize_t http_response_read_part(struct whorl_http_response *response, char *buf,
                                               size_t len, const char **ret);

/* The next part of the body, decoded if necessary, for a caller that has `buf` and that has been
 * given `moved` bytes before. Else as whorl_http_response_read_part(). */
WHORL_SUSPENDS ssize_t http_response_next_part(struct whorl_http_response *response,
                                               struct http_part_buf *buf, int64_t moved,
                                               const char **ret);

/* Whether the next read must receive bytes first. */
bool http_response_must_receive(const struct whorl_http_response *response);

/* The whole body, when it was received together with the head and nothing of it has been read, else
 * NULL. Taking it returns the connection. Valid until the close. */
WHORL_SUSPENDS const char *http_response_take_whole(struct whorl_http_response *response,
                                                    size_t *ret_len);

static inline bool http_response_is_decoded(const struct whorl_http_response *response)
{
    return response->decodes;
}

static inline struct http_store *http_response_store(const struct whorl_http_response *response)
{
    return response->store;
}

static inline int64_t http_response_total_deadline_ns(const struct whorl_http_response *response)
{
    return response->exchange->clock.total_deadline_ns;
}

static inline const struct whorl_http_timeouts *http_response_limits(
    const struct whorl_http_response *response)
{
    return &response->exchange->clock.limits;
}

/* What whorl_http_response_error() returns, to be filled. */
static inline struct whorl_error *http_response_detail(struct whorl_http_response *response)
{
    return &response->error;
}

#endif
