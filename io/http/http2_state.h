/* SPDX-License-Identifier: MIT */
/* The state of an HTTP/2 connection, for the files that change it: http2.c (what the connection's
 * owner calls), http2_callbacks.c (what nghttp2 calls) and http2_fail.c (failures). Other files use
 * http2.h.
 */
#ifndef IO_HTTP_HTTP2_STATE_H
#define IO_HTTP_HTTP2_STATE_H

#include <nghttp2/nghttp2.h>

#include "io/http/http2_allowance.h"
#include "io/http/http2_memory.h"
#include "io/http/http2_stream.h"

enum {
    HTTP2_MAGIC_LEN = 7, /* of "HTTP/1." */
};

struct http2 {
    nghttp2_session *session;
    struct http2_stream_list streams, changed;
    size_t open_count, streams_max;
    int32_t found_id; /* of the last stream that http2_state_stream() has found; 0: none */
    struct http2_stream *found;
    int err; /* the connection has failed; 0: it has not */
    char reason[HTTP2_TEXT_SIZE];
    bool is_draining;
    struct http2_memory memory; /* nghttp2's; it may report a failed allocation as another error */
    uint32_t goaway_code;       /* of the peer's last GOAWAY */
    struct http2_allowance allowance;
    const uint8_t *queued; /* of a frame that did not fit into the last output */
    size_t queued_len;
    char magic[HTTP2_MAGIC_LEN]; /* the first bytes of the peer */
    size_t magic_len;
};

/* The stream with this number; NULL when it is closed or was never ours. */
static inline struct http2_stream *http2_state_stream(struct http2 *h, int32_t id)
{
    if (id <= 0)
        return NULL;
    if (id != h->found_id) { /* nghttp2 looks it up in a hash table */
        h->found = nghttp2_session_get_stream_user_data(h->session, id);
        h->found_id = h->found ? id : 0;
    }
    return h->found;
}

/* The stream has news: http2_next_changed() returns it. */
static inline void http2_state_mark_changed(struct http2_stream *s)
{
    if (s->is_changed)
        return;
    s->is_changed = true;
    TAILQ_INSERT_TAIL(&s->h->changed, s, changed_link);
}

#endif
