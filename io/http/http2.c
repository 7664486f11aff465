/* SPDX-License-Identifier: MIT */
/* One HTTP/2 connection without I/O: nghttp2's callbacks keep the state of the streams. */
#include "io/http/http2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/base.h>
#include <whorl/error.h>

#include "io/http/http2_head.h"
#include "io/http/http2_memory.h"
#include "runtime/base/check.h"

enum {
    HEAD_BYTES = 65536,
    HEADERS = 128,
    INFORMATIONALS = 16,
    MAGIC_LEN = 7,           /* of "HTTP/1." */
    FRAMES_PER_SENT = 4,     /* allowance for each DATA frame that was sent */
    FRAMES_PER_RECEIVED = 3, /* for each part of a response that has arrived */
    LATE_MAX = HTTP2_CONNECTION_WINDOW + HTTP2_CONNECTION_WINDOW / 4,
    BYTES_PER_FRAME = 64, /* which are no part of a response; they count as one frame */
};

struct http2 {
    nghttp2_session *session;
    struct http2_stream_list streams, changed;
    size_t open_count, streams_max;
    int32_t found_id; /* of the last stream that stream_of() has found; 0: none */
    struct http2_stream *found;
    int err; /* the connection has failed */
    char reason[HTTP2_TEXT_SIZE];
    bool is_draining;
    struct http2_memory memory; /* nghttp2's; it may report a failed allocation as another error */
    uint32_t goaway_code;       /* of the peer's last GOAWAY */
    int64_t frames_spare;       /* allowance for frames that bring no response further */
    int64_t late_len;      /* allowance for bodies of streams that we have reset and the peer still
                         sends, with a quarter more for the heads of frames. nghttp2 drops these
                         bytes without a callback */
    int64_t useless_len;   /* bytes that were no part of a response and have not been counted */
    int64_t refilled_ns;   /* when it was last increased for the passing of time */
    const uint8_t *queued; /* of a frame that did not fit into the last output */
    size_t queued_len;
    char magic[MAGIC_LEN]; /* the first bytes of the peer */
    size_t magic_len;
};

static struct http2_stream *stream_of(struct http2 *h, int32_t id)
{
    if (id <= 0)
        return NULL;
    if (id != h->found_id) { /* nghttp2 looks it up in a hash table */
        h->found = nghttp2_session_get_stream_user_data(h->session, id);
        h->found_id = h->found ? id : 0;
    }
    return h->found;
}

static void mark_changed(struct http2_stream *s)
{
    if (s->is_changed)
        return;
    s->is_changed = true;
    TAILQ_INSERT_TAIL(&s->h->changed, s, changed_link);
}

/* Failures */

static void reset(struct http2_stream *s, uint32_t code)
{
    if (s->is_ended || s->is_reset)
        return;
    int64_t window = nghttp2_session_get_stream_local_window_size(s->h->session, s->id);
    if (!s->is_over && window > 0)
        s->h->late_len += window + window / 4;
    if (s->h->late_len > LATE_MAX)
        s->h->late_len = LATE_MAX;
    /* Without memory the stream stays open until the connection ends; nothing else can be done. */
    s->is_reset = nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, code) == 0;
}

/* The stream has failed; `reason` has been set. */
static void fail_stream(struct http2_stream *s, int err)
{
    if (s->err || s->is_over)
        return;
    s->err = err;
    mark_changed(s);
}

static void fail_connection(struct http2 *h, int err, const char *reason)
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
        mark_changed(s); /* also if only its request is not complete */
        if (s->err || s->is_over)
            continue;
        /* What was never written has not been processed. */
        s->is_unprocessed = !s->is_sent;
        fail_stream(s, http2_head_refuse(s, err, "%s", reason));
    }
}

/* Fails the connection because of the peer, and queues a GOAWAY with the error code. */
static void refuse_connection(struct http2 *h, int err, uint32_t code, const char *reason)
{
    nghttp2_session_terminate_session(h->session, code);
    fail_connection(h, err, reason);
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

/* The allowance for frames */

static void refill(struct http2 *h, int64_t now_ns)
{
    int64_t frames = (now_ns - h->refilled_ns) / (WHORL_SECOND / HTTP2_FRAMES_PER_SECOND);

    if (frames <= 0)
        return;
    h->refilled_ns = now_ns;
    h->frames_spare += frames < HTTP2_FRAMES_SPARE ? frames : HTTP2_FRAMES_SPARE;
    if (h->frames_spare > HTTP2_FRAMES_SPARE)
        h->frames_spare = HTTP2_FRAMES_SPARE;
}

static void allow(struct http2 *h, int frames)
{
    if (h->frames_spare < HTTP2_FRAMES_SPARE)
        h->frames_spare += frames;
}

/* Uses up the allowance. False: there is none left, and the connection has failed. */
static bool spend(struct http2 *h, int64_t frames)
{
    h->frames_spare -= frames;
    if (h->frames_spare >= 0)
        return true;
    refuse_connection(h, WHORL_EHTTP_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM,
                      "the server sends too many frames that lead nowhere");
    return false;
}

/* nghttp2 does not report unknown frames, so bytes count too. */
static void spend_useless(struct http2 *h)
{
    int64_t late_len = h->useless_len < h->late_len ? h->useless_len : h->late_len;

    if (late_len > 0) {
        h->useless_len -= late_len;
        h->late_len -= late_len;
    }
    if (h->useless_len < 0)
        h->useless_len = 0;
    spend(h, h->useless_len / BYTES_PER_FRAME);
    h->useless_len %= BYTES_PER_FRAME;
}

/* nghttp2's callbacks */

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    (void)session;
    (void)hd;
    return spend(arg, 1) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2_stream *s = stream_of(arg, frame->hd.stream_id);

    (void)session;
    if (s)
        http2_head_begin(s);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct http2_stream *s = stream_of(arg, frame->hd.stream_id);

    (void)session;
    (void)flags;
    ((struct http2 *)arg)->useless_len -= (int64_t)(name_len + value_len);
    if (!s || s->err)
        return 0;
    int err = http2_head_field(s, (const char *)name, name_len, (const char *)value, value_len);
    if (err == 0)
        return 0;
    fail_stream(s, err);
    reset(s, NGHTTP2_PROTOCOL_ERROR);
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
    struct http2_stream *s = stream_of(h, frame->hd.stream_id);

    (void)session;
    if (s && (code == NGHTTP2_ERR_HTTP_HEADER || code == NGHTTP2_ERR_HTTP_MESSAGING)) {
        if (!s->err)
            fail_stream(s, http2_head_refuse(s, WHORL_EHTTP_HEADER, "%s",
                                             h->reason[0] ? h->reason : nghttp2_strerror(code)));
        s->is_reset = true;
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
        fail_stream(s, err);
        reset(s, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    if (s->has_head && !is_trailers)
        allow(h, FRAMES_PER_RECEIVED);
    mark_changed(s);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h = arg;
    struct http2_stream *s = stream_of(h, frame->hd.stream_id);

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
        mark_changed(s);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct http2 *h = arg;
    struct http2_stream *s = stream_of(h, id);

    (void)session;
    if (!s)
        return 0;
    if (!s->is_over && !s->err) {
        bool is_peers = s->was_reset || code == NGHTTP2_REFUSED_STREAM || !s->has_head;
        fail_stream(s, is_peers ? judge_reset(s, code) : judge_body(s, code));
    }
    s->is_ended = true;
    h->found_id = 0;
    mark_changed(s); /* a task that sends the body must notice */
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h = arg;

    (void)session;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        struct http2_stream *s = stream_of(h, frame->hd.stream_id);
        if (s)
            s->is_sent = true;
    } else if (frame->hd.type == NGHTTP2_DATA) {
        allow(h, FRAMES_PER_SENT);
    } else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        /* nghttp2 has found an error of the connection. */
        char reason[HTTP2_TEXT_SIZE];
        snprintf(reason, sizeof reason, "%s",
                 h->reason[0] ? h->reason : nghttp2_http2_strerror(frame->goaway.error_code));
        fail_connection(h, WHORL_EHTTP_PROTOCOL, reason);
    }
    return 0;
}

/* Bodies of responses */

static struct http2_chunk *acquire_chunk(struct http_store *store)
{
    struct http_spare *spare = http_spares_take(&store->http2_chunks, true);
    struct http2_chunk *chunk =
        spare ? container_of(spare, struct http2_chunk, spare) : malloc(sizeof *chunk);

    if (!chunk) {
        store->http2_chunks.out--;
        return NULL;
    }
    chunk->spare.next = NULL;
    chunk->start = chunk->end = 0;
    return chunk;
}

void http2_chunk_release(struct http_store *store, struct http2_chunk *chunk)
{
    if (chunk && !http_spares_put(&store->http2_chunks, &chunk->spare, true))
        free(chunk);
}

void http2_chunks_drain(struct http_store *store)
{
    struct http_spare *spare;
    while ((spare = http_spares_drain(&store->http2_chunks)))
        free(container_of(spare, struct http2_chunk, spare));
}

static int append(struct http2_stream *s, const uint8_t *data, size_t len)
{
    while (len > 0) {
        struct http2_chunk *chunk = s->last;
        if (!chunk || chunk->end == sizeof chunk->data) {
            chunk = acquire_chunk(s->store);
            if (!chunk)
                return -ENOMEM;
            if (s->last)
                s->last->spare.next = &chunk->spare;
            else
                s->first = chunk;
            s->last = chunk;
        }
        size_t room = sizeof chunk->data - chunk->end, n = len < room ? len : room;
        memcpy(chunk->data + chunk->end, data, n);
        chunk->end += n;
        s->received += (int64_t)n;
        data += n;
        len -= n;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    struct http2 *h = arg;
    struct http2_stream *s = stream_of(h, id);
    int err = 0;

    (void)flags;
    h->useless_len -= (int64_t)len;
    if (len > 0)
        allow(h, FRAMES_PER_RECEIVED);
    if (s && !s->err) {
        int64_t before = s->received;
        if ((int64_t)len > s->limits.body_bytes_max - s->received)
            err = http2_head_refuse(s, WHORL_EHTTP_BODY_TOO_LARGE,
                                    "the body has more than %lld bytes",
                                    (long long)s->limits.body_bytes_max);
        else if ((err = append(s, data, len)) != 0)
            http2_head_refuse(s, err, "out of memory");
        mark_changed(s);
        len -= (size_t)(s->received - before); /* the rest is dropped */
    }
    if (err) {
        fail_stream(s, err);
        reset(s, NGHTTP2_CANCEL);
    }
    return len > 0 && nghttp2_session_consume(session, id, len) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

struct http2_chunk *http2_stream_take(struct http2_stream *s)
{
    struct http2_chunk *chunk = s->first;

    if (!chunk)
        return NULL;
    s->first =
        chunk->spare.next ? container_of(chunk->spare.next, struct http2_chunk, spare) : NULL;
    if (!s->first)
        s->last = NULL;
    /* It fails only without memory for a WINDOW_UPDATE; the next call sends that one. */
    if (s->h)
        nghttp2_session_consume(s->h->session, s->id, chunk->end - chunk->start);
    return chunk;
}

/* Bodies of requests */

static ssize_t read_out(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                        uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct http2_stream *s = stream_of(arg, id);

    (void)source;
    if (!s)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (s->out_len == 0 && !s->out_last) {
        s->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t n = s->out_len < len ? s->out_len : len;
    if (n > 0)
        memcpy(buf, s->out, n);
    s->out += n;
    s->out_len -= n;
    if (s->out_len == 0) {
        mark_changed(s);
        if (s->out_last)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (s->out_last && s->trailers_out_count > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (nghttp2_submit_trailer(session, id, s->trailers_out, s->trailers_out_count))
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
        }
    }
    return (ssize_t)n;
}

void http2_stream_send(struct http2_stream *s, const char *data, size_t len, bool last)
{
    whorl_check(s->out_len == 0 && !s->out_last);
    s->out = data;
    s->out_len = len;
    s->out_last = last;
    if (s->is_deferred && !s->is_ended) {
        s->is_deferred = false;
        nghttp2_session_resume_data(s->h->session, s->id);
    }
}

void http2_stream_unsend(struct http2_stream *s)
{
    s->out = NULL;
    s->out_len = 0;
    s->out_last = false;
}

/* Streams */

static void fill_limits(struct http1_limits *limits)
{
    if (limits->head_bytes_max == 0)
        limits->head_bytes_max = HEAD_BYTES;
    if (limits->headers_max == 0)
        limits->headers_max = HEADERS;
    if (limits->informational_max == 0)
        limits->informational_max = INFORMATIONALS;
    if (limits->body_bytes_max == 0)
        limits->body_bytes_max = INT64_MAX;
}

/* Prepares for a new response, and keeps the memory for headers. */
static void prepare(struct http2_stream *s, struct http2 *h)
{
    memset(s, 0, offsetof(struct http2_stream, owner));
    s->h = h;
    s->length = -1;
    s->reason[0] = '\0';
    header_list_clear(&s->headers);
    header_list_clear(&s->trailers);
    fill_limits(&s->limits);
}

int http2_open(struct http2 *h, struct http2_stream *s, const nghttp2_nv *fields,
               size_t fields_count, bool has_body)
{
    nghttp2_data_provider body = {.read_callback = read_out};

    prepare(s, h);
    if (h->open_count >= http2_capacity(h)) {
        s->h = NULL;
        s->is_unprocessed = true;
        return http2_head_refuse(s, WHORL_EHTTP_REFUSED, "the connection takes no more requests");
    }
    int32_t id =
        nghttp2_submit_request(h->session, NULL, fields, fields_count, has_body ? &body : NULL, s);
    if (id < 0) {
        s->h = NULL;
        if (id == NGHTTP2_ERR_NOMEM)
            return http2_head_refuse(s, -ENOMEM, "out of memory");
        h->is_draining = true; /* no stream number is left, or the session is closing */
        s->is_unprocessed = true;
        return http2_head_refuse(s, WHORL_EHTTP_REFUSED, "the connection takes no more requests");
    }
    s->id = id;
    TAILQ_INSERT_TAIL(&h->streams, s, link);
    h->open_count++;
    return 0;
}

void http2_stream_close(struct http2_stream *s)
{
    struct http2 *h = s->h;
    struct http2_chunk *chunk;

    if (!h)
        return;
    while ((chunk = http2_stream_take(s)))
        http2_chunk_release(s->store, chunk);
    reset(s, NGHTTP2_CANCEL);
    if (!s->is_ended)
        nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
    if (h->found_id == s->id)
        h->found_id = 0;
    if (s->is_changed)
        TAILQ_REMOVE(&h->changed, s, changed_link);
    s->is_changed = false;
    TAILQ_REMOVE(&h->streams, s, link);
    h->open_count--;
    s->h = NULL;
}

void http2_stream_finish(struct http2_stream *s)
{
    whorl_check(!s->h);
    header_list_finish(&s->headers);
    header_list_finish(&s->trailers);
}

struct http2_stream *http2_next_changed(struct http2 *h)
{
    struct http2_stream *s = TAILQ_FIRST(&h->changed);

    if (s) {
        TAILQ_REMOVE(&h->changed, s, changed_link);
        s->is_changed = false;
    }
    return s;
}

/* The connection */

/* A server that supports only HTTP/1 answers the preface with an HTTP/1 error response. */
static bool check_magic(struct http2 *h, const char *bytes, size_t len)
{
    size_t n = MAGIC_LEN - h->magic_len < len ? MAGIC_LEN - h->magic_len : len;

    memcpy(h->magic + h->magic_len, bytes, n);
    h->magic_len += n;
    if (h->magic_len < MAGIC_LEN || memcmp(h->magic, "HTTP/1.", MAGIC_LEN) != 0)
        return true;
    fail_connection(h, WHORL_EHTTP_VERSION, "the server speaks HTTP/1 only");
    return false;
}

void http2_feed(struct http2 *h, const char *bytes, size_t len, int64_t now_ns)
{
    if (h->err || (h->magic_len < MAGIC_LEN && !check_magic(h, bytes, len)))
        return;
    refill(h, now_ns);
    h->useless_len += (int64_t)len;
    ssize_t n = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes, len);
    if (n == NGHTTP2_ERR_NOMEM)
        fail_connection(h, -ENOMEM, "out of memory");
    else if (n == NGHTTP2_ERR_FLOODED || n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
        refuse_connection(h, WHORL_EHTTP_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM,
                          n == NGHTTP2_ERR_FLOODED
                              ? "the server sends too many frames that lead nowhere"
                              : "the server splits a head into too many frames");
    else if (n < 0)
        refuse_connection(h, WHORL_EHTTP_PROTOCOL, NGHTTP2_PROTOCOL_ERROR,
                          nghttp2_strerror((int)n));
    else
        spend_useless(h);
}

int http2_error(const struct http2 *h)
{
    return h->err;
}

const char *http2_reason(const struct http2 *h)
{
    return h->reason;
}

void http2_end(struct http2 *h, int err, const char *text)
{
    struct http2_stream *s;

    h->is_draining = true;
    TAILQ_FOREACH(s, &h->streams, link)
    {
        mark_changed(s); /* also if only its request is not complete */
        if (s->err || s->is_over)
            continue;
        s->is_unprocessed = !s->is_sent;
        /* Before a response, an unannounced end of TLS is an ordinary close. */
        if (err && !(err == WHORL_ETLS_TRUNCATED && !s->has_begun))
            fail_stream(s, http2_head_refuse(s, err, "%s", text ? text : whorl_strerror(err)));
        else
            fail_stream(s, http2_head_refuse(
                               s, s->has_begun ? WHORL_EHTTP_TRUNCATED : WHORL_EHTTP_NO_RESPONSE,
                               "the server closed the connection"));
    }
}

ssize_t http2_output(struct http2 *h, char *buf, size_t cap)
{
    size_t len = 0;

    while (len < cap) {
        if (h->queued_len == 0) {
            ssize_t n = nghttp2_session_mem_send(h->session, &h->queued);
            if (n < 0)
                fail_connection(h, -ENOMEM, "out of memory");
            if (n <= 0)
                break;
            h->queued_len = (size_t)n;
        }
        size_t n = h->queued_len < cap - len ? h->queued_len : cap - len;
        memcpy(buf + len, h->queued, n);
        h->queued += n;
        h->queued_len -= n;
        len += n;
    }
    return (ssize_t)len;
}

bool http2_has_output(const struct http2 *h)
{
    return h->queued_len > 0 || nghttp2_session_want_write(h->session);
}

bool http2_is_over(const struct http2 *h)
{
    return !http2_has_output(h) && (h->err || !nghttp2_session_want_read(h->session));
}

size_t http2_capacity(const struct http2 *h)
{
    size_t theirs =
        nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    if (h->is_draining)
        return 0;
    return theirs < h->streams_max ? theirs : h->streams_max;
}

bool http2_is_draining(const struct http2 *h)
{
    return h->is_draining;
}

void http2_drain(struct http2 *h)
{
    h->is_draining = true;
}

void http2_say_goodbye(struct http2 *h)
{
    h->is_draining = true;
    nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
}

/* nghttp2's memory */

static void *mem_malloc(size_t size, void *arg)
{
    return http2_memory_alloc(arg, size);
}

static void mem_free(void *ptr, void *arg)
{
    http2_memory_free(arg, ptr);
}

static void *mem_calloc(size_t count, size_t size, void *arg)
{
    return http2_memory_calloc(arg, count, size);
}

static void *mem_realloc(void *ptr, size_t size, void *arg)
{
    return http2_memory_realloc(arg, ptr, size);
}

void http2_rest(struct http2 *h)
{
    http2_memory_release(&h->memory);
}

static int create_session(struct http2 *h)
{
    nghttp2_mem mem = {&h->memory, mem_malloc, mem_free, mem_calloc, mem_realloc};
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;

    if (nghttp2_session_callbacks_new(&callbacks))
        return -ENOMEM;
    if (nghttp2_option_new(&option)) {
        nghttp2_session_callbacks_del(callbacks);
        return -ENOMEM;
    }
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
    /* Windows open as the caller reads, see http2_stream_take(). */
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    /* Spaces around values are common, and they are removed as in HTTP/1.1. */
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    int err = nghttp2_session_client_new3(&h->session, callbacks, h, option, &mem);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return err ? -ENOMEM : 0;
}

/* RFC 9113 §3.4: nghttp2 sends the preface; SETTINGS follow. */
static int submit_settings(struct http2 *h, size_t head_bytes_max)
{
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0}, /* the server opens none */
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)head_bytes_max},
    };
    int err = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, entries,
                                      sizeof entries / sizeof *entries);
    if (err == 0)
        err = nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                    HTTP2_CONNECTION_WINDOW);
    return err ? -ENOMEM : 0;
}

int http2_create(const struct http2_options *options, struct http2 **ret)
{
    struct http2 *h = calloc(1, sizeof *h);
    size_t head_bytes_max = options->head_bytes_max ? options->head_bytes_max : HEAD_BYTES;

    if (!h)
        return -ENOMEM;
    TAILQ_INIT(&h->streams);
    TAILQ_INIT(&h->changed);
    h->streams_max = options->streams_max ? options->streams_max : HTTP2_STREAMS_MAX;
    h->frames_spare = HTTP2_FRAMES_SPARE;
    h->refilled_ns = options->now_ns;
    if (create_session(h)) {
        http2_memory_release(&h->memory);
        free(h);
        return -ENOMEM;
    }
    if (submit_settings(h, head_bytes_max < UINT32_MAX ? head_bytes_max : UINT32_MAX)) {
        http2_destroy(h);
        return -ENOMEM;
    }
    *ret = h;
    return 0;
}

void http2_destroy(struct http2 *h)
{
    if (!h)
        return;
    whorl_check(TAILQ_EMPTY(&h->streams));
    nghttp2_session_del(h->session);
    http2_memory_release(&h->memory);
    free(h);
}
