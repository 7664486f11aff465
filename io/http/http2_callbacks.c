/* SPDX-License-Identifier: MIT */
/* What frames do to the streams of an HTTP/2 connection. */
#include "io/http/http2_callbacks.h"

#include <errno.h>
#include <stdio.h>

#include <whorl/error.h>

#include "io/http/http2_fail.h"
#include "io/http/http2_head.h"

enum {
    FRAMES_PER_SENT = 4,     /* allowance for each DATA frame that was sent */
    FRAMES_PER_RECEIVED = 3, /* for each part of a response that has arrived */
};

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    struct http2 *h = arg;

    (void)session;
    (void)hd;
    if (http2_allowance_spend(&h->allowance, 1))
        return 0;
    http2_fail_flood(h);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2_stream *s = http2_state_stream(arg, frame->hd.stream_id);

    (void)session;
    if (s)
        http2_head_begin(s);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct http2 *h = arg;
    struct http2_stream *s = http2_state_stream(h, frame->hd.stream_id);

    (void)session;
    (void)flags;
    http2_allowance_used(&h->allowance, name_len + value_len);
    if (!s || s->err)
        return 0;
    int err = http2_head_field(s, (const char *)name, name_len, (const char *)value, value_len);
    if (err == 0)
        return 0;
    http2_fail_stream(s, err);
    http2_fail_reset(s, NGHTTP2_PROTOCOL_ERROR);
    return 0;
}

/* nghttp2 would ignore an invalid header, but HTTP/1.1 refuses it too. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *arg)
{
    return on_header(session, frame, name, name_len, value, value_len, flags, arg);
}

/* The text of nghttp2 for a failure that it finds itself. It comes before on_invalid_frame(). */
static int on_error(nghttp2_session *session, int code, const char *text, size_t len, void *arg)
{
    struct http2 *h = arg;
    size_t n = 0;

    (void)session;
    (void)code;
    if (h->err)
        return 0;
    for (; n < len && n + 1 < sizeof h->reason; n++)
        h->reason[n] = text[n];
    for (size_t i = 0; i < n; i++)
        if (h->reason[i] < 0x20 || h->reason[i] > 0x7e)
            h->reason[i] = '?';
    h->reason[n] = '\0';
    return 0;
}

/* A frame that nghttp2 has refused. It resets the stream, or ends the connection with a GOAWAY. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code,
                            void *arg)
{
    struct http2 *h = arg;
    struct http2_stream *s = http2_state_stream(h, frame->hd.stream_id);

    (void)session;
    if (s && (code == NGHTTP2_ERR_HTTP_HEADER || code == NGHTTP2_ERR_HTTP_MESSAGING)) {
        if (!s->err)
            http2_fail_stream(s,
                              http2_head_refuse(s, WHORL_EHTTP_HEADER, "%s",
                                                h->reason[0] ? h->reason : nghttp2_strerror(code)));
        http2_fail_note_reset(s);
    }
    if (s && !h->err)
        h->reason[0] = '\0';
    return 0;
}

static void receive_head(struct http2 *h, struct http2_stream *s)
{
    bool is_trailers = s->has_head;
    int err = http2_head_end(s);

    if (err) {
        http2_fail_stream(s, err);
        http2_fail_reset(s, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    if (s->has_head && !is_trailers)
        http2_allowance_add(&h->allowance, FRAMES_PER_RECEIVED);
    http2_state_mark_changed(s);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h = arg;
    struct http2_stream *s = http2_state_stream(h, frame->hd.stream_id);

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (s && !s->err)
            receive_head(h, s);
        break;
    case NGHTTP2_RST_STREAM:
        if (s)
            s->was_reset = true;
        break;
    case NGHTTP2_GOAWAY:
        h->is_draining = true;
        h->goaway_code = frame->goaway.error_code;
        break;
    }
    bool has_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (s && has_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && !s->err) {
        s->is_over = true;
        http2_state_mark_changed(s);
    }
    return 0;
}

/* Stores bytes of the body in the stream. Returns how many. */
static size_t receive_body(struct http2_stream *s, const uint8_t *data, size_t len)
{
    int err = 0;
    size_t n = 0;

    if ((int64_t)len > s->limits.body_bytes_max - s->received) {
        err = http2_head_refuse(s, WHORL_EHTTP_BODY_TOO_LARGE, "the body has more than %lld bytes",
                                (long long)s->limits.body_bytes_max);
    } else {
        n = http2_chunk_append(&s->chunks, s->store, data, len);
        s->received += (int64_t)n;
        if (n < len)
            err = http2_head_refuse(s, -ENOMEM, "out of memory");
    }
    http2_state_mark_changed(s);
    if (err) {
        http2_fail_stream(s, err);
        http2_fail_reset(s, NGHTTP2_CANCEL);
    }
    return n;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    struct http2 *h = arg;
    struct http2_stream *s = http2_state_stream(h, id);

    (void)flags;
    http2_allowance_used(&h->allowance, len);
    if (len > 0)
        http2_allowance_add(&h->allowance, FRAMES_PER_RECEIVED);
    if (s && !s->err)
        len -= receive_body(s, data, len);
    /* The bytes that were not stored are dropped. */
    return len > 0 && nghttp2_session_consume(session, id, len) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct http2 *h = arg;
    struct http2_stream *s = http2_state_stream(h, id);

    (void)session;
    if (!s)
        return 0;
    http2_fail_closed_stream(s, code);
    s->is_ended = true;
    h->found_id = 0;
    http2_state_mark_changed(s); /* a task that sends the body must notice */
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h = arg;

    (void)session;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        struct http2_stream *s = http2_state_stream(h, frame->hd.stream_id);
        if (s)
            s->is_sent = true;
    } else if (frame->hd.type == NGHTTP2_DATA) {
        http2_allowance_add(&h->allowance, FRAMES_PER_SENT);
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
        /* nghttp2 may reset a stream without another callback, as for a body that is too long. */
        struct http2_stream *s = http2_state_stream(h, frame->hd.stream_id);
        if (s)
            http2_fail_note_reset(s);
    } else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        /* nghttp2 has found an error of the connection. */
        char reason[HTTP2_TEXT_SIZE];
        snprintf(reason, sizeof reason, "%s",
                 h->reason[0] ? h->reason : nghttp2_http2_strerror(frame->goaway.error_code));
        http2_fail_connection(h, WHORL_EHTTP_PROTOCOL, reason);
    }
    return 0;
}

void http2_callbacks_set(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
}
