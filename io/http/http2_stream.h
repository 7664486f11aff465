/* SPDX-License-Identifier: MIT */
/* The state of one HTTP/2 stream: a request and its response. http2.h says how it is used. */
#ifndef IO_HTTP_HTTP2_STREAM_H
#define IO_HTTP_HTTP2_STREAM_H

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#include "io/http/header.h"
#include "io/http/http1.h"
#include "io/http/http2_chunk.h"

enum { HTTP2_TEXT_SIZE = 160 };

struct http2;

/* One request and its response. The caller owns the memory. A zeroed struct is a stream that is not
 * open. The caller reads the fields; only the files
 * that include http2_state.h, and http2_head.c, change them. */
struct http2_stream {
    int32_t id;      /* 0 while not open */
    struct http2 *h; /* NULL once closed */
    TAILQ_ENTRY(http2_stream) link, changed_link;
    bool is_changed; /* in the list of changed streams */
    bool is_ended;   /* nghttp2 has forgotten it */
    bool is_sent;    /* HEADERS has been written */
    bool is_reset;   /* RST_STREAM is queued */
    bool was_reset;  /* the peer has sent RST_STREAM */

    /* The response. */
    bool has_head, is_over;          /* the final head is complete; the message is complete */
    bool has_begun;                  /* part of a response has arrived */
    int status;                      /* of the last head */
    int heads;                       /* that have begun, with 1xx heads and the trailers */
    int informationals;              /* 1xx heads so far */
    int informational;               /* status of the last of them */
    bool is_continued;               /* one of them was a 100 */
    size_t head_bytes;               /* of the head or the trailers that are being received */
    int64_t length;                  /* Content-Length; -1: none */
    int64_t received;                /* body bytes so far, also those that were not taken yet */
    struct http2_chunk_queue chunks; /* received and not taken yet */

    /* The request's body: the part that is to be sent next. Borrowed until out_len is 0. */
    const char *out;
    size_t out_len;
    bool out_last;                  /* the body ends with this part */
    const nghttp2_nv *trailers_out; /* that follow the last part; borrowed until the close */
    size_t trailers_out_count;
    bool is_deferred; /* nghttp2 waits for http2_stream_send() */

    /* The failure. */
    int err;             /* 0: none */
    bool is_unprocessed; /* the peer has not processed the request and never will */

    /* http2_open() does not clear the rest: the caller sets it, or it is memory that is kept. */
    void *owner;                          /* for the caller */
    struct http1_limits limits;           /* with the defaults filled in */
    bool is_head;                         /* the request is HEAD */
    struct http_store *store;             /* where chunks come from */
    struct header_list headers, trailers; /* owned */
    char reason[HTTP2_TEXT_SIZE];         /* of the failure */
};

TAILQ_HEAD(http2_stream_list, http2_stream);

#endif
