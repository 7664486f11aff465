/* SPDX-License-Identifier: MIT */
/* An HTTP/2 server for tests without I/O: feeds frames to a connection, and looks at the bytes that
 * the connection sends.
 *
 *     struct peer p;
 *     peer_start(&p, "GET", (struct http1_limits){0});     // the request is sent
 *     frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", NULL);
 *     peer_feed(&p);                                       // the frames in `f`, and the answers
 *     CHECK_EQ(p.s.status, 200);
 *     peer_finish(&p);
 */
#ifndef TEST_HTTP2_PEER_H
#define TEST_HTTP2_PEER_H

#include "http2_frames.h"
#include "io/http/http2.h"

/* One connection with one stream, whose request is sent. */
struct peer {
    struct http2 *h;
    struct http2_stream s;
    struct http_store store;
    char out[1 << 17];
    size_t out_len; /* of what was sent since the last call of peer_send_all() */
};

static struct frames f;

static inline void peer_send_all(struct peer *p)
{
    size_t n;

    p->out_len = 0;
    while ((n = http2_output(p->h, p->out + p->out_len, sizeof p->out - p->out_len)) > 0)
        p->out_len += n;
}

static inline nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), 0};
}

static inline int peer_request(struct peer *p, struct http2_stream *s, const char *method,
                               bool has_body)
{
    nghttp2_nv fields[] = {nv(":method", method), nv(":scheme", "http"), nv(":authority", "a.test"),
                           nv(":path", "/")};

    s->store = &p->store;
    s->is_head = strcmp(method, "HEAD") == 0;
    return http2_open(p->h, s, fields, 4, has_body);
}

static inline void peer_start(struct peer *p, const char *method, struct http1_limits limits)
{
    struct http2_options options = {0};

    *p = (struct peer){.s.limits = limits};
    CHECK_OK(http2_create(&options, &p->h));
    CHECK_OK(peer_request(p, &p->s, method, false));
    CHECK_EQ(p->s.id, 1);
    peer_send_all(p);
    f.len = 0;
    frames_settings(&f);
}

/* Feeds the frames in pieces of `step` bytes, and answers. */
static inline void peer_feed_in(struct peer *p, size_t step)
{
    for (size_t at = 0; at < f.len; at += step)
        http2_feed(p->h, f.bytes + at, f.len - at < step ? f.len - at : step, 0);
    f.len = 0;
    peer_send_all(p);
}

static inline void peer_feed(struct peer *p)
{
    peer_feed_in(p, sizeof f.bytes);
}

static inline void peer_finish(struct peer *p)
{
    http2_stream_close(&p->s);
    http2_stream_finish(&p->s);
    http2_destroy(p->h);
    http2_chunks_drain(&p->store);
    CHECK_EQ(p->store.http2_chunks.out, 0);
}

/* Whether a frame of that type with that error code was sent last: RST_STREAM or GOAWAY. */
static inline bool peer_has_sent(const struct peer *p, int type, uint32_t code)
{
    size_t at = 0;
    const unsigned char *out = (const unsigned char *)p->out;

    while (at + 9 <= p->out_len) {
        size_t len = (size_t)out[at] << 16 | (size_t)out[at + 1] << 8 | out[at + 2];
        size_t from = at + 9 + (type == FRAMES_GOAWAY ? 4 : 0);
        if (out[at + 3] == type &&
            (code == UINT32_MAX || (out[from + 2] << 8 | out[from + 3]) == (int)code))
            return true;
        at += 9 + len;
    }
    return false;
}

static inline void peer_check_body(struct peer *p, const char *expected)
{
    size_t len = strlen(expected);
    struct http2_chunk *chunk = http2_stream_take(&p->s);

    CHECK(chunk && chunk->end - chunk->start == len);
    CHECK(memcmp(chunk->data + chunk->start, expected, len) == 0);
    http2_chunk_release(&p->store, chunk);
    CHECK(!http2_stream_take(&p->s));
}

static const char megabyte[1 << 20];

/* Feeds `len` bytes of body on stream `id`. */
static inline void peer_feed_data(struct peer *p, uint32_t id, size_t len)
{
    while (len > 0) {
        size_t n = len < 16384 ? len : 16384;
        frames_add(&f, FRAMES_DATA, 0, id, megabyte, n);
        peer_feed(p);
        len -= n;
    }
}

#endif
