/* SPDX-License-Identifier: MIT */
/* The allowance of an HTTP/2 peer: how many frames and bytes it may send that bring no response any
 * further. Such frames cost the peer almost nothing, but each of them costs us work. No I/O, and
 * nothing of nghttp2.
 *
 *     http2_allowance_received(&a, len)      // bytes have come
 *     http2_allowance_spend(&a, 1)           // ... among them a frame
 *     http2_allowance_used(&a, n)            // ... and n bytes that belong to a response
 *     http2_allowance_add(&a, frames)        // ... so it may send more frames
 *     http2_allowance_settle(&a)             // the rest of these bytes count as frames, too
 *
 * The allowance also grows with time. When a stream is reset, its response may still be on the way,
 * and the peer is not to blame for these bytes: http2_allowance_expect_late().
 */
#ifndef IO_HTTP_HTTP2_ALLOWANCE_H
#define IO_HTTP_HTTP2_ALLOWANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP2_FRAMES_SPARE = 2000, /* the most that the allowance grows to */
    HTTP2_FRAMES_PER_SECOND = 20,
};

struct http2_allowance {
    int64_t frames;      /* that the peer may still send; below 0: it has sent too many */
    int64_t useless_len; /* bytes that were no part of a response and have not been counted */
    int64_t late_len;    /* bytes that the peer may still send on streams that were reset */
    int64_t late_max;    /* the most that late_len grows to */
    int64_t refilled_ns; /* when `frames` was last increased for the passing of time */
};

/* @late_max  for all streams that were reset; the window of the connection limits it */
void http2_allowance_init(struct http2_allowance *a, int64_t late_max, int64_t now_ns);

/* Adds what the time since the last call allows. */
void http2_allowance_refill(struct http2_allowance *a, int64_t now_ns);

/* A stream with a window of `window` bytes is reset: the peer may fill the window before it knows.
 * Accepts any number. */
void http2_allowance_expect_late(struct http2_allowance *a, int64_t window);

/* Counts the bytes that were received and not used as frames: nghttp2 does not report unknown
 * frames, so only their bytes show. False: too many. */
bool http2_allowance_settle(struct http2_allowance *a);

/* Part of a response has come, or part of a request has been sent. */
static inline void http2_allowance_add(struct http2_allowance *a, int frames)
{
    if (a->frames < HTTP2_FRAMES_SPARE)
        a->frames += frames;
}

/* The peer has sent `frames`. False: too many. */
static inline bool http2_allowance_spend(struct http2_allowance *a, int64_t frames)
{
    a->frames -= frames;
    return a->frames >= 0;
}

/* `len` bytes have been received. */
static inline void http2_allowance_received(struct http2_allowance *a, size_t len)
{
    a->useless_len += (int64_t)len;
}

/* `len` of the received bytes were part of a response. */
static inline void http2_allowance_used(struct http2_allowance *a, size_t len)
{
    a->useless_len -= (int64_t)len;
}

#endif
