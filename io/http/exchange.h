/* SPDX-License-Identifier: MIT */
/* One exchange: it sends a request, and receives the head of the response and then the body, part
 * by part. This header is the interface between the code that uses an exchange and the HTTP version
 * that carries it out.
 *
 *     hop.c                    response.c, save.c
 *         |  creates, runs         |  reads the body, skips, ends
 *         v                        v
 *     +---------------- exchange.h -----------------+
 *     | http_exchange_run()        in exchange.c:   |   the same for every version: the order of
 *     |   sends the head, asks the caller for body  |   sending and reading, the task that reads
 *     |   bytes, reads the head, judges the result  |   the head early, error detail
 *     | http_exchange_read(), _skip(), _end() ...   |
 *     +--------------------+------------------------+
 *                          |  struct http_exchange_ops
 *              +-----------+------------+
 *              v                        v
 *     exchange_http1.c            exchange_http2.c
 *     one whole stream            one stream of a connection that other exchanges share
 *     http1.h: bytes to events    http2.h: frames to the state of each stream
 *
 * The calls, in order. A failed call is followed by end() and destroy() only.
 *
 *     http1_exchange_create   -> x                  or http2_exchange_create
 *     http_exchange_run(x)    -> send_head, send_body*, read_head     x->head is valid
 *     http_exchange_read(x)*  -> read_body*                           until 0 or an error
 *     http_exchange_skip(x)   -> skip                                 optional
 *     http_exchange_end(x)    -> end           says whether the connection may be reused
 *     http_exchange_destroy(x)-> destroy       the head is valid until then
 *
 * With HTTP/2, the connection's daemons do the I/O (http2_conn.h):
 *
 *     send_head   opens a stream: HEADERS
 *     send_body   DATA; waits for room in the flow-control window
 *     read_head   waits until the connection's reader task has received the head of this stream
 *     read_body   waits until the reader task has received body bytes of this stream
 *     skip        drops received bytes and gives their room in the window back
 *     end         RST_STREAM if the stream has not ended; the connection stays usable
 *
 * An exchange knows neither session, response nor pool.
 */
#ifndef IO_HTTP_EXCHANGE_H
#define IO_HTTP_EXCHANGE_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/http.h>
#include <whorl/sync.h>
#include <whorl/url.h>

#include "io/http/clock.h"
#include "io/http/header.h"
#include "io/http/request.h"
#include "io/http/store.h"
#include "io/http/watch.h"
#include "io/tls/connect.h"

struct http_exchange;
struct http1_limits;
struct http2_conn;

/* What is sent. Borrowed until http_exchange_run() returns, except `url`: until the end. */
struct http_outgoing {
    const struct whorl_http_request *request;
    const struct whorl_url *url;
    const char *method;
    const char *user_agent;
    const char *cookies; /* see request.h */
    bool has_body;
    int64_t body_len;    /* of the body; -1: unknown, it is sent in chunks; valid with has_body */
    int64_t file_offset; /* of a body from a regular file; -1: it is read at its position */
    bool other_origin, drop_body_headers; /* set by redirects, see request.h */
    bool expects;                      /* the server is asked to say 100 before the body is sent */
    bool is_forwarded;                 /* an HTTP proxy gets the request, see request.h */
    const char *authorization;         /* see request.h */
    const char *proxy_authorization;   /* with `is_forwarded`: its credentials; NULL: none */
    const struct http_watch *watch;    /* gets the steps; NULL: none; until the end */
    const struct http_conn_info *conn; /* for the watch; until the end */
};

/* The length of the body for request.h: a count, REQUEST_NO_BODY or REQUEST_CHUNKED. */
int64_t http_outgoing_body_len(const struct http_outgoing *out);

/* The head of the request. It borrows everything from `out`. */
struct request_head http_outgoing_head(const struct http_outgoing *out);

/* What one version of HTTP supplies. */
struct http_exchange_ops {
    const char *name; /* "HTTP/1.1" */

    /* Sends the head, together with the first `len` bytes of the body; `len` may be 0.
     * 0; WHORL_EHTTP_METHOD and WHORL_EHTTP_REQUEST_HEADER, with `error` filled; -ENOMEM; an error
     * of the stream. */
    WHORL_SUSPENDS int (*send_head)(struct http_exchange *x, const struct http_outgoing *out,
                                    const void *data, size_t len);

    /* Sends the next bytes of the body. `len` 0 ends a body of unknown length, and is used for
     * nothing else. */
    WHORL_SUSPENDS int (*send_body)(struct http_exchange *x, const void *data, size_t len);

    /* Ends a body of unknown length with the trailers of the request.
     * As send_body; WHORL_EHTTP_REQUEST_HEADER, with `error` filled. */
    WHORL_SUSPENDS int (*send_trailers)(struct http_exchange *x, const struct http_outgoing *out);

    /* Sends a part of a regular file inside the kernel. The count, 0 at the end of the file,
     * -EOPNOTSUPP when this exchange cannot do that, or another code. NULL: no exchange can. */
    WHORL_SUSPENDS int64_t (*send_file)(struct http_exchange *x, int fd, int64_t offset,
                                        int64_t len);

    /* Reads up to the end of the final head, fills `head`, and parses the first part of the body as
     * far as it has been received. May run in a task of its own while another one is in send_body.
     * 0; an error, with `reason` set when the peer's bytes are the cause. */
    WHORL_SUSPENDS int (*read_head)(struct http_exchange *x);

    /* See http_exchange_read(). */
    WHORL_SUSPENDS ssize_t (*read_body)(struct http_exchange *x, char *buf, size_t len,
                                        const char **ret);

    /* See http_exchange_can_splice() and http_exchange_splice(). NULL: no exchange can. */
    bool (*can_splice)(const struct http_exchange *x);
    WHORL_SUSPENDS ssize_t (*splice_body)(struct http_exchange *x, int pipe_fd, size_t len);

    /* Writes the alert that has ended the connection. NULL: there is none. The member is NULL if
     * `reason` says it. */
    const char *(*explain)(const struct http_exchange *x, char text[TLS_ALERT_TEXT_SIZE]);

    /* Parses the body bytes that have arrived and drops them; this may reach the end of the body.
     * Stops when the rest is long. Never suspends. */
    void (*skip)(struct http_exchange *x);

    /* Releases the connection. Returns whether it may carry another exchange; else `why` says why
     * not. */
    bool (*end)(struct http_exchange *x);

    /* Returns the memory to the store. */
    void (*destroy)(struct http_exchange *x);
};

/* The state of the next part of the body. */
enum http_ahead {
    HTTP_AHEAD_INPUT, /* bytes must be received first */
    HTTP_AHEAD_SPAN,  /* `buffered` bytes have been received */
    HTTP_AHEAD_END,   /* nothing: the body is complete */
    HTTP_AHEAD_ERROR, /* `err` */
};

/* The response head; valid once http_exchange_run() has returned 0. Owned by the exchange. */
struct http_head {
    int status;
    const char *protocol; /* "HTTP/1.1"; static */
    const char *reason;
    const struct header_list *headers;
    const struct header_list *trailers; /* valid with HTTP_AHEAD_END */
    int64_t length;                     /* of the body as announced; -1 when it was not */
    bool has_body;
};

/* The part that all HTTP versions share. Each version embeds it in its own struct. Only exchange.c
 * and the version change it. */
struct http_exchange {
    /* The owner of the exchange may read these. */
    struct http_head head;
    enum http_ahead ahead;
    size_t buffered;           /* valid with HTTP_AHEAD_SPAN */
    int err;                   /* valid with HTTP_AHEAD_ERROR */
    int64_t received;          /* body bytes so far, as sent by the peer */
    bool has_begun;            /* a byte of the response has arrived */
    int64_t sent_head;         /* bytes; of HTTP/2, before its compression */
    int64_t received_head;     /* bytes of the heads so far */
    bool is_unprocessed;       /* the peer says that it has not processed the request */
    enum whorl_http_reuse why; /* valid after http_exchange_end(), if the connection may not be
                                  reused */
    struct whorl_error error;  /* detail of the failure; its code is 0 when nothing failed */

    /* These are for exchange.c and the version. */
    const struct http_exchange_ops *ops;
    struct http_store *store;    /* where memory comes from and goes to */
    const struct whorl_url *url; /* named in error texts */
    const struct http_watch *watch;
    const struct http_conn_info *conn; /* for the watch */
    struct http_clock clock;
    int64_t body_len;             /* of the request; -1: unknown */
    bool unsent;                  /* part of the request was never sent */
    bool is_body_used;            /* the caller was asked for body bytes, or some were sent */
    struct whorl_event *go_ahead; /* the task that sends waits for a 100; NULL: it does not */
    bool has_broken;              /* the connection broke while the request was sent */
    const char *reason;           /* what is wrong with the peer's bytes; NULL: as the code says */
};

/* What an exchange is made from. */
struct http_exchange_setup {
    struct whorl_stream *stream; /* of HTTP/1.1 */
    struct http2_conn *conn;     /* of HTTP/2 */
    const struct http_outgoing *out;
    const struct http1_limits *limits;          /* borrowed for the call */
    const struct whorl_http_timeouts *timeouts; /* defaults filled in; borrowed for the call */
    int64_t total_deadline_ns;
    int64_t now_ns; /* the time, which saves reading the clock; 0: not known */
};

/* Prepares the shared part and starts the clock; the create function of each version calls it. The
 * URL is that of `setup->out`. */
void http_exchange_init(struct http_exchange *x, const struct http_exchange_ops *ops,
                        struct http_store *store, const struct http_exchange_setup *setup);

/* Sends the request and reads up to the end of the final head. On success the first part of the
 * body is parsed as far as it has been received.
 *
 * A request whose body fits into the first write is sent with that one write, and the head is read
 * after it. While a longer body is sent, a second task reads the head, because a server may answer
 * early (413 and close): a final status of 300 or more, or the end of the connection, stops the
 * sending. With `expects`, the sending begins after a 100 or after 1 s, and any final status before
 * that stops it.
 *
 * 0; WHORL_EHTTP_*; WHORL_ETLS_*; -errno, with `error` filled. */
WHORL_SUSPENDS int http_exchange_run(struct http_exchange *x, const struct http_outgoing *out);

/* To be called by the version when it has received a head with the status 100. */
void http_exchange_continue(struct http_exchange *x);
/* For the versions: the head of the request is about to be sent. */
void http_exchange_note_head(struct http_exchange *x, const char *head, size_t len);

/* For the versions: an informational head has arrived. */
void http_exchange_note_informational(struct http_exchange *x, int status);

/* Fills the error with "HOST:PORT: text". If `text` is NULL, it is the text of `err`. Returns
 * `err`. */
int http_exchange_fail(struct http_exchange *x, int err, const char *step, const char *text);

/* To be called when the body has failed permanently: fills the error, and from now on every read
 * returns `err`. */
void http_exchange_latch(struct http_exchange *x, int err, const char *text);

/* The next part of the body as the peer sent it: bytes that have been received already, or, when
 * there are none and `len` is at least HTTP_BUF_SIZE, bytes received directly into `buf`.
 *
 * @buf  may be NULL; the part may then have any length
 * @ret  the bytes: `buf`, or memory of the exchange that is valid until the next call or the
 *       destroy
 *
 * The count; 0 at the complete end; an error, which repeats unless it is -ECANCELED. */
static inline WHORL_SUSPENDS ssize_t http_exchange_read(struct http_exchange *x, char *buf,
                                                        size_t len, const char **ret)
{
    return x->ops->read_body(x, buf, len, ret);
}

/* Whether the next bytes of the body can be moved into a pipe: they come unchanged from a socket,
 * nothing was received ahead, and much arrives at a time. */
static inline bool http_exchange_can_splice(const struct http_exchange *x)
{
    return x->ops->can_splice && x->ops->can_splice(x);
}

/* Moves at most `len` bytes of the body into a pipe, which is empty. To be called while
 * http_exchange_can_splice(). Returns as http_exchange_read(); -EINVAL when this kind of socket
 * cannot do that. */
static inline WHORL_SUSPENDS ssize_t http_exchange_splice(struct http_exchange *x, int pipe_fd,
                                                          size_t len)
{
    return x->ops->splice_body(x, pipe_fd, len);
}

static inline void http_exchange_skip(struct http_exchange *x)
{
    x->ops->skip(x);
}

/* The time from the last byte sent to the first byte received; -1: there is none yet. */
static inline int64_t http_exchange_first_byte_ns(const struct http_exchange *x)
{
    return x->clock.first_byte_ns;
}

/* Whether nothing more will be received: the owner ends the exchange now to free the connection. */
static inline bool http_exchange_is_over(const struct http_exchange *x)
{
    return x->ahead == HTTP_AHEAD_END || x->ahead == HTTP_AHEAD_ERROR;
}

static inline bool http_exchange_end(struct http_exchange *x)
{
    return x->ops->end(x);
}

/* Accepts NULL. */
static inline void http_exchange_destroy(struct http_exchange *x)
{
    if (x)
        x->ops->destroy(x);
}

#endif
