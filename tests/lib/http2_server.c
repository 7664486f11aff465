/* SPDX-License-Identifier: MIT */
/* HTTP/2 servers in memory. */
#include "http2_server.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "memstream.h"
#include "test.h"

struct http2_server_conn {
    struct http2_server_conn *next;
    struct http2_server *server;
    struct whorl_stream *stream;
    struct whorl_scope scope;
    nghttp2_session *session;
    int requests, concurrent;
    int tasks; /* that use it */
    bool ended;
};

/* One request and its response. */
struct exchange {
    struct http2_server_conn *conn;
    int32_t id;
    char path[200];
    char *body; /* of the request, or of the response */
    size_t body_len, sent;
    bool is_large, is_stuck;
};

static WHORL_SUSPENDS_SHIELDED void flush(struct http2_server_conn *c)
{
    const uint8_t *bytes;
    ssize_t n;

    while (!c->ended && (n = nghttp2_session_mem_send(c->session, &bytes)) > 0)
        if (!c->server->silent && whorl_stream_write(c->stream, bytes, (size_t)n))
            break;
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), 0};
}

/* Responses */

static ssize_t read_large(nghttp2_session *session, struct exchange *x, uint8_t *buf, size_t len,
                          uint32_t *flags)
{
    size_t left = HTTP2_SERVER_LARGE - x->sent, n = len < left ? len : left;

    for (size_t i = 0; i < n; i++)
        buf[i] = (uint8_t)fake_pattern((int64_t)(x->sent + i));
    x->sent += n;
    if (x->sent == HTTP2_SERVER_LARGE) {
        nghttp2_nv trailer = nv("sum", "right");
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, x->id, &trailer, 1);
    }
    return (ssize_t)n;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct exchange *x = nghttp2_session_get_stream_user_data(session, id);

    (void)source;
    (void)arg;
    if (x->is_large)
        return read_large(session, x, buf, len, flags);
    size_t left = x->body_len - x->sent, n = len < left ? len : left;
    if (n == 0 && x->is_stuck)
        return NGHTTP2_ERR_DEFERRED;
    memcpy(buf, x->body + x->sent, n);
    x->sent += n;
    if (x->sent == x->body_len && !x->is_stuck)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static void respond(struct exchange *x)
{
    nghttp2_data_provider body = {.read_callback = read_body};
    char length[24];
    nghttp2_nv fields[2] = {nv(":status", "200")};
    size_t count = 1;

    if (!x->is_large && !x->is_stuck) {
        snprintf(length, sizeof length, "%zu", x->body_len);
        fields[count++] = nv("content-length", length);
    }
    nghttp2_submit_response(x->conn->session, x->id, fields, count, &body);
}

static void respond_text(struct exchange *x, const char *text)
{
    free(x->body);
    x->body = strdup(text);
    x->body_len = strlen(text);
    respond(x);
}

struct later {
    struct http2_server_conn *conn;
    int32_t id;
};

static int respond_later(void *arg)
{
    struct later *later = arg;
    int err = whorl_sleep(2 * WHORL_SECOND);
    struct exchange *x =
        err || later->conn->ended
            ? NULL
            : nghttp2_session_get_stream_user_data(later->conn->session, later->id);

    if (x)
        respond_text(x, "slow");
    flush(later->conn);
    later->conn->tasks--;
    return 0;
}

/* The request is complete. */
static void answer(struct exchange *x)
{
    if (strncmp(x->path, "/body/", 6) == 0) {
        respond_text(x, x->path + 6);
    } else if (strcmp(x->path, "/echo") == 0) {
        respond(x);
    } else if (strcmp(x->path, "/large") == 0) {
        x->is_large = true;
        respond(x);
    } else if (strcmp(x->path, "/stuck") == 0) {
        x->is_stuck = true;
        respond_text(x, "stuck");
    } else if (strcmp(x->path, "/slow") == 0) {
        x->conn->tasks++;
        CHECK_OK(whorl_spawn_copy(whorl_root_group(), respond_later,
                                  &(struct later){.conn = x->conn, .id = x->id}));
    }
}

/* The head of the request is complete. Returns whether the request is not to be processed. */
static bool turn_away(struct exchange *x)
{
    struct http2_server *server = x->conn->server;
    uint32_t code = NGHTTP2_NO_ERROR;

    if (server->refuse > 0 && server->refuse--)
        code = NGHTTP2_REFUSED_STREAM;
    else if (server->calm > 0 && server->calm--)
        code = NGHTTP2_ENHANCE_YOUR_CALM;
    else if (server->http1_required > 0 && server->http1_required--)
        code = NGHTTP2_HTTP_1_1_REQUIRED;
    if (code)
        nghttp2_submit_rst_stream(x->conn->session, 0, x->id, code);
    if (++x->conn->requests == server->goaway_after)
        nghttp2_submit_goaway(x->conn->session, 0, x->id, NGHTTP2_NO_ERROR, NULL, 0);
    return code;
}

/* nghttp2's callbacks */

static void note(struct http2_server *server, const char *text, size_t len)
{
    size_t room = sizeof server->requests - 1 - server->requests_len;

    len = len < room ? len : room;
    memcpy(server->requests + server->requests_len, text, len);
    server->requests_len += len;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2_server_conn *c = arg;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) /* trailers */
        return 0;
    struct exchange *x = calloc(1, sizeof *x);
    x->conn = c;
    x->id = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(session, x->id, x);
    if (++c->concurrent > c->server->concurrent_max)
        c->server->concurrent_max = c->concurrent;
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct http2_server_conn *c = arg;
    struct exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags;
    if (strcmp((const char *)name, ":method") != 0)
        note(c->server, " ", 1);
    note(c->server, (const char *)name, name_len);
    note(c->server, " ", 1);
    note(c->server, (const char *)value, value_len);
    if (strcmp((const char *)name, ":path") == 0)
        snprintf(x->path, sizeof x->path, "%s", (const char *)value);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2_server_conn *c = arg;
    struct exchange *x = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    bool is_turned_away = false;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        note(c->server, "\n", 1);
        is_turned_away = x && frame->headers.cat == NGHTTP2_HCAT_REQUEST && turn_away(x);
        break;
    case NGHTTP2_RST_STREAM:
        c->server->resets++;
        c->server->reset_code = frame->rst_stream.error_code;
        break;
    case NGHTTP2_PING:
        c->server->pongs += frame->hd.flags & NGHTTP2_FLAG_ACK;
        break;
    case NGHTTP2_GOAWAY:
        c->server->goodbyes++;
        break;
    }
    if (x && !is_turned_away && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
        (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
        answer(x);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    struct exchange *x = nghttp2_session_get_stream_user_data(session, id);

    (void)flags;
    (void)arg;
    x->body = realloc(x->body, x->body_len + len);
    memcpy(x->body + x->body_len, data, len);
    x->body_len += len;
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2_server_conn *c = arg;

    (void)session;
    if (frame->hd.type == NGHTTP2_RST_STREAM &&
        frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM)
        c->server->refused++;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct http2_server_conn *c = arg;
    struct exchange *x = nghttp2_session_get_stream_user_data(session, id);

    (void)code;
    if (x) {
        c->concurrent--;
        free(x->body);
        free(x);
    }
    return 0;
}

/* Connections */

static void create_session(struct http2_server_conn *c)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
         c->server->streams_max ? c->server->streams_max : 100},
    };

    CHECK_EQ(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    CHECK_EQ(nghttp2_session_server_new(&c->session, callbacks, c), 0);
    nghttp2_session_callbacks_del(callbacks);
    CHECK_EQ(nghttp2_submit_settings(c->session, 0, entries, 1), 0);
}

static int close_later(void *arg)
{
    struct http2_server_conn *c = *(struct http2_server_conn **)arg;

    if (whorl_sleep(c->server->close_ns) == 0 && !c->ended)
        whorl_scope_cancel(&c->scope);
    c->tasks--;
    return 0;
}

static int ping_later(void *arg)
{
    struct http2_server_conn *c = *(struct http2_server_conn **)arg;

    if (whorl_sleep(c->server->ping_ns) == 0 && !c->ended) {
        nghttp2_submit_ping(c->session, 0, NULL);
        flush(c);
    }
    c->tasks--;
    return 0;
}

static void drop_exchanges(struct http2_server_conn *c)
{
    for (int32_t id = 1; id < 2 * c->requests + 400; id += 2) {
        struct exchange *x = nghttp2_session_get_stream_user_data(c->session, id);
        if (x)
            free(x->body);
        free(x);
    }
}

static int serve(void *arg)
{
    struct http2_server_conn *c = arg;
    char buf[16384];
    ssize_t n;

    whorl_scope_enter(&c->scope, WHORL_FOREVER);
    flush(c);
    while ((n = whorl_stream_read(c->stream, buf, sizeof buf)) > 0) {
        if (nghttp2_session_mem_recv(c->session, (uint8_t *)buf, (size_t)n) < 0)
            break;
        flush(c);
    }
    whorl_scope_leave(&c->scope, 0);
    c->ended = true;
    whorl_stream_close(c->stream);
    c->server->open--;
    c->tasks--;
    return 0;
}

static WHORL_SUSPENDS int dial(void *arg, const char *host, uint16_t port,
                               struct whorl_error *error, struct whorl_stream **ret)
{
    struct http2_server *server = arg;
    struct http2_server_conn *c;
    struct whorl_stream *client, *other;

    (void)host;
    (void)port;
    (void)error;
    int err = server->dial_ns ? whorl_sleep(server->dial_ns) : 0;
    if (err == 0)
        err = memstream_pair(&client, &other);
    if (err)
        return err;
    c = calloc(1, sizeof *c);
    if (!c) {
        whorl_stream_close(client);
        whorl_stream_close(other);
        return -ENOMEM;
    }
    memstream_chunk(client, server->chunk);
    c->server = server;
    c->stream = other;
    create_session(c);
    err = whorl_spawn(whorl_root_group(), serve, c);
    if (err) {
        whorl_stream_close(client);
        whorl_stream_close(other);
        nghttp2_session_del(c->session);
        free(c);
        return err;
    }
    c->tasks = 1;
    c->next = server->conns;
    server->conns = c;
    server->dialled++;
    server->open++;
    if (server->close_ns && ++c->tasks)
        CHECK_OK(whorl_spawn_copy(whorl_root_group(), close_later, &c));
    if (server->ping_ns && ++c->tasks)
        CHECK_OK(whorl_spawn_copy(whorl_root_group(), ping_later, &c));
    *ret = client;
    return 0;
}

struct whorl_http_dialer http2_server_dialer(struct http2_server *server)
{
    return (struct whorl_http_dialer){.dial = dial, .arg = server};
}

WHORL_SUSPENDS_SHIELDED void http2_server_finish(struct http2_server *server)
{
    struct http2_server_conn *c;
    struct whorl_scope shield;

    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    while ((c = server->conns) != NULL) {
        if (!c->ended)
            whorl_scope_cancel(&c->scope);
        while (c->tasks > 0)
            if (whorl_sleep(WHORL_SECOND / 100))
                break;
        drop_exchanges(c);
        nghttp2_session_del(c->session);
        server->conns = c->next;
        free(c);
    }
    whorl_scope_leave(&shield, 0);
}
