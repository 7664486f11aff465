/* SPDX-License-Identifier: MIT */
/* Counts the frames and bytes of a peer that bring no response any further. */
#include "io/http/http2_allowance.h"

#include <whorl/base.h>

enum {
    BYTES_PER_FRAME = 64, /* which are no part of a response; they count as one frame */
};

void http2_allowance_init(struct http2_allowance *a, int64_t late_max, int64_t now_ns)
{
    *a = (struct http2_allowance){
        .frames = HTTP2_FRAMES_SPARE, .late_max = late_max, .refilled_ns = now_ns};
}

void http2_allowance_refill(struct http2_allowance *a, int64_t now_ns)
{
    int64_t frames = (now_ns - a->refilled_ns) / (WHORL_SECOND / HTTP2_FRAMES_PER_SECOND);

    if (frames <= 0)
        return;
    a->refilled_ns = now_ns;
    a->frames += frames < HTTP2_FRAMES_SPARE ? frames : HTTP2_FRAMES_SPARE;
    if (a->frames > HTTP2_FRAMES_SPARE)
        a->frames = HTTP2_FRAMES_SPARE;
}

void http2_allowance_expect_late(struct http2_allowance *a, int64_t window)
{
    if (window > 0)
        a->late_len += window + window / 4; /* a quarter for the heads of frames */
    if (a->late_len > a->late_max)
        a->late_len = a->late_max;
}

bool http2_allowance_settle(struct http2_allowance *a)
{
    int64_t late_len = a->useless_len < a->late_len ? a->useless_len : a->late_len;

    if (late_len > 0) {
        a->useless_len -= late_len;
        a->late_len -= late_len;
    }
    if (a->useless_len < 0)
        a->useless_len = 0;
    bool is_allowed = http2_allowance_spend(a, a->useless_len / BYTES_PER_FRAME);
    a->useless_len %= BYTES_PER_FRAME;
    return is_allowed;
}
