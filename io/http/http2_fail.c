/* SPDX-License-Identifier: MIT */
/* Failures of an HTTP/2 connection and of its streams. */
#include "io/http/http2_fail.h"

#include <errno.h>
#include <stdio.h>

#include <whorl/error.h>

#include "io/http/http2_head.h"

/* The peer may fill the window before it knows of the reset. */
static void expect_late(struct http2_stream *s)
{
    if (!s->is_over)
        http2_allowance_expect_late(
            &s->h->allowance, nghttp2_session_get_stream_local_window_size(s->h->session, s->id));
}

void http2_fail_reset(struct http2_stream *s, uint32_t code)
{
    if (s->is_ended || s->is_reset)
        return;
    expect_late(s);
    /* Without memory the stream stays open until the connection ends; nothing else can be done. */
    s->is_reset = nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, code) == 0;
}

void http2_fail_note_reset(struct http2_stream *s)
{
    if (s->is_reset)
        return;
    expect_late(s);
    s->is_reset = true;
}

void http2_fail_stream(struct http2_stream *s, int err)
{
    if (s->err || s->is_over)
        return;
    s->err = err;
    http2_state_mark_changed(s);
}

void http2_fail_connection(struct http2 *h, int err, const char *reason)
{
    struct http2_stream *s;

    if (h->err)
        return;
    if (h->memory.has_failed) {
        err = -ENOMEM;
        reason = "out of memory";
    }
    h->err = err;
    h->is_draining = true;
    snprintf(h->reason, sizeof h->reason, "%s", reason);
    TAILQ_FOREACH(s, &h->streams, link)
    {
        http2_state_mark_changed(s); /* also if only its request is not complete */
        if (s->err || s->is_over)
            continue;
        /* What was never written has not been processed. */
        s->is_unprocessed = !s->is_sent;
        http2_fail_stream(s, http2_head_refuse(s, err, "%s", reason));
    }
}

void http2_fail_peer(struct http2 *h, int err, uint32_t code, const char *reason)
{
    nghttp2_session_terminate_session(h->session, code);
    http2_fail_connection(h, err, reason);
}

void http2_fail_flood(struct http2 *h)
{
    http2_fail_peer(h, WHORL_EHTTP_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM,
                    "the server sends too many frames that lead nowhere");
}

/* RFC 9113 §7: what a reset by the peer with `code` means. */
static int judge_reset(struct http2_stream *s, uint32_t code)
{
    switch (code) {
    case NGHTTP2_REFUSED_STREAM:
        /* nghttp2 also uses this code for streams above the last one of a GOAWAY. */
        s->is_unprocessed = true;
        if (s->h->goaway_code == NGHTTP2_ENHANCE_YOUR_CALM)
            return http2_head_refuse(s, WHORL_EHTTP_CALM,
                                     "the server asks for fewer requests (ENHANCE_YOUR_CALM)");
        return http2_head_refuse(s, WHORL_EHTTP_REFUSED, "the server refused the request");
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return http2_head_refuse(s, WHORL_EHTTP_CALM,
                                 "the server asks for fewer requests (ENHANCE_YOUR_CALM)");
    case NGHTTP2_HTTP_1_1_REQUIRED:
        s->is_unprocessed = true;
        return http2_head_refuse(s, WHORL_EHTTP_VERSION, "the server requires HTTP/1.1");
    default:
        return http2_head_refuse(s, s->has_head ? WHORL_EHTTP_TRUNCATED : WHORL_EHTTP_NO_RESPONSE,
                                 "the server reset the stream (%s)", nghttp2_http2_strerror(code));
    }
}

/* nghttp2 has refused the response after its head. */
static int judge_body(struct http2_stream *s, uint32_t code)
{
    if (code == NGHTTP2_FLOW_CONTROL_ERROR)
        return http2_head_refuse(s, WHORL_EHTTP_PROTOCOL,
                                 "more bytes than the window has room for");
    if (s->is_head || s->status == 204 || s->status == 304)
        return http2_head_refuse(s, WHORL_EHTTP_LENGTH, "a body where none is allowed");
    if (s->length >= 0)
        return http2_head_refuse(s, WHORL_EHTTP_LENGTH,
                                 "the body does not have the announced length of %lld bytes",
                                 (long long)s->length);
    return http2_head_refuse(s, WHORL_EHTTP_PROTOCOL, "frames of the response in a wrong order");
}

void http2_fail_closed_stream(struct http2_stream *s, uint32_t code)
{
    if (s->is_over || s->err)
        return;
    bool is_peers = s->was_reset || code == NGHTTP2_REFUSED_STREAM || !s->has_head;
    http2_fail_stream(s, is_peers ? judge_reset(s, code) : judge_body(s, code));
}
