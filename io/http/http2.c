/* SPDX-License-Identifier: MIT */
/* One HTTP/2 connection without I/O: what its owner calls. */
#include "io/http/http2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/base.h>
#include <whorl/error.h>

#include "io/http/http2_callbacks.h"
#include "io/http/http2_fail.h"
#include "io/http/http2_head.h"
#include "runtime/base/check.h"

enum {
    HEAD_BYTES = 65536,
    HEADERS = 128,
    INFORMATIONALS = 16,
    LATE_MAX = HTTP2_CONNECTION_WINDOW + HTTP2_CONNECTION_WINDOW / 4,
};

/* Bodies of responses */

struct http2_chunk *http2_stream_take(struct http2_stream *s)
{
    struct http2_chunk *chunk = http2_chunk_take(&s->chunks);

    if (!chunk)
        return NULL;
    /* It fails only without memory for a WINDOW_UPDATE; the next call sends that one. */
    if (s->h)
        nghttp2_session_consume(s->h->session, s->id, chunk->end - chunk->start);
    return chunk;
}

/* Bodies of requests */

static ssize_t read_out(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                        uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct http2_stream *s = http2_state_stream(arg, id);

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
        http2_state_mark_changed(s);
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
        if (nghttp2_session_resume_data(s->h->session, s->id)) {
            http2_fail_stream(s, http2_head_refuse(s, -ENOMEM, "out of memory"));
            http2_fail_reset(s, NGHTTP2_CANCEL);
        }
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
    http2_fail_reset(s, NGHTTP2_CANCEL);
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
    size_t n = HTTP2_MAGIC_LEN - h->magic_len < len ? HTTP2_MAGIC_LEN - h->magic_len : len;

    memcpy(h->magic + h->magic_len, bytes, n);
    h->magic_len += n;
    if (h->magic_len < HTTP2_MAGIC_LEN || memcmp(h->magic, "HTTP/1.", HTTP2_MAGIC_LEN) != 0)
        return true;
    http2_fail_connection(h, WHORL_EHTTP_VERSION, "the server speaks HTTP/1 only");
    return false;
}

void http2_feed(struct http2 *h, const char *bytes, size_t len, int64_t now_ns)
{
    if (h->err || (h->magic_len < HTTP2_MAGIC_LEN && !check_magic(h, bytes, len)))
        return;
    http2_allowance_refill(&h->allowance, now_ns);
    http2_allowance_received(&h->allowance, len);
    ssize_t n = nghttp2_session_mem_recv(h->session, (const uint8_t *)bytes, len);
    if (n == NGHTTP2_ERR_NOMEM)
        http2_fail_connection(h, -ENOMEM, "out of memory");
    else if (n == NGHTTP2_ERR_FLOODED || n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
        http2_fail_peer(h, WHORL_EHTTP_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM,
                        n == NGHTTP2_ERR_FLOODED
                            ? "the server sends too many frames that lead nowhere"
                            : "the server splits a head into too many frames");
    else if (n < 0)
        http2_fail_peer(h, WHORL_EHTTP_PROTOCOL, NGHTTP2_PROTOCOL_ERROR, nghttp2_strerror((int)n));
    else if (!http2_allowance_settle(&h->allowance))
        http2_fail_flood(h);
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
        http2_state_mark_changed(s); /* also if only its request is not complete */
        if (s->err || s->is_over)
            continue;
        s->is_unprocessed = !s->is_sent;
        /* Before a response, an unannounced end of TLS is an ordinary close. */
        if (err && !(err == WHORL_ETLS_TRUNCATED && !s->has_begun))
            http2_fail_stream(s,
                              http2_head_refuse(s, err, "%s", text ? text : whorl_strerror(err)));
        else
            http2_fail_stream(
                s,
                http2_head_refuse(s, s->has_begun ? WHORL_EHTTP_TRUNCATED : WHORL_EHTTP_NO_RESPONSE,
                                  "the server closed the connection"));
    }
}

size_t http2_output(struct http2 *h, char *buf, size_t cap)
{
    size_t len = 0;

    while (len < cap) {
        if (h->queued_len == 0) {
            ssize_t n = nghttp2_session_mem_send(h->session, &h->queued);
            if (n < 0)
                http2_fail_connection(h, -ENOMEM, "out of memory");
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
    return len;
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
    http2_callbacks_set(callbacks);
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
    http2_allowance_init(&h->allowance, LATE_MAX, options->now_ns);
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
