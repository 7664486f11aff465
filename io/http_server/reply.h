/* SPDX-License-Identifier: MIT */
/* Replies. A reply passes through these states:
 *
 *     OPEN    headers may be added; nothing is decided
 *     BEGUN   the head is complete and not sent
 *     SENT    the head is sent; parts of the body follow
 *     DONE    everything is sent, or never will be
 *
 * The head is written in one piece of memory. The headers of the handler are written first, behind
 * some free room. When the status is known, the status line and the date are written into that
 * room.
 */
#ifndef IO_HTTP_SERVER_REPLY_H
#define IO_HTTP_SERVER_REPLY_H

#include <whorl/http_server.h>

#include "io/http/date.h"
#include "io/http_server/gzip.h"
#include "io/http_server/incoming.h"
#include "io/http_server/out.h"
#include "io/http_server/status.h"
#include "io/http_server/wire.h"

enum reply_state { REPLY_OPEN, REPLY_BEGUN, REPLY_SENT, REPLY_DONE };

/* The Date header, written once per second. */
struct reply_date {
    int64_t unix_s;
    char text[HTTP_DATE_SIZE];
};

struct whorl_http_reply {
    struct http_wire *wire;
    struct whorl_http_incoming *incoming;
    struct reply_date *date; /* the server's */
    enum reply_state state;
    int status;
    int64_t length;  /* of the body as the handler announced it; -1: unknown */
    int64_t written; /* of the body by the handler */
    int64_t sent;    /* bytes of the body that were sent, after compression */
    bool has_body;   /* false for HEAD, 204, 304: the body is dropped */
    bool is_chunked;
    bool close;        /* the connection ends with this reply */
    bool may_compress; /* the server's option */
    bool is_encoded;   /* the handler has set Content-Encoding */
    bool is_text;      /* Content-Type is one that is compressed */
    bool is_sent;      /* the head was sent */
    int err;           /* the reply is broken; permanent */
    int lost;          /* the stream has failed with this code; it is also in `err` */
    size_t start;      /* of the head, in `out` */
    struct gzip *gzip;
    char *trailers; /* complete lines; owned */
    size_t trailers_len;
    struct http_out out; /* last, because reply_begin() does not clear it */
};

void reply_begin(struct whorl_http_reply *reply, struct http_wire *wire,
                 struct whorl_http_incoming *incoming, struct reply_date *date, bool may_compress);

/* Frees what the reply holds. */
void reply_finish(struct whorl_http_reply *reply);

/* Drops the headers that were added. Nothing may have been sent. */
void reply_reset(struct whorl_http_reply *reply);

/* Replies with a status and its text as the body. Drops a reply that was begun and not sent. */
WHORL_SUSPENDS int reply_send_status(struct whorl_http_reply *reply, int status);

/* Ends the reply after the handler has returned: checks the length, and sends the last chunk. */
WHORL_SUSPENDS int reply_end(struct whorl_http_reply *reply);

/* Adds a header of the server itself. */
WHORL_CHECKED int reply_put_header(struct whorl_http_reply *reply, const char *name,
                                   const char *value);

/* Removes the headers after the first `mark` bytes if `err` is set and the reply has not begun, so
 * that the handler can try again. Returns `err`. */
int reply_undo(struct whorl_http_reply *reply, size_t mark, int err);

/* Sends the head of a begun reply, with `len` bytes of the body. */
WHORL_SUSPENDS int reply_send_head(struct whorl_http_reply *reply, const void *data, size_t len);

/* Sends the body of a begun reply from a file. */
WHORL_SUSPENDS int reply_send_file(struct whorl_http_reply *reply, int file_fd, int64_t offset,
                                   int64_t len);

#endif
