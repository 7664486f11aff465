/* SPDX-License-Identifier: MIT */
/* A gateway in memory between an HTTP/2 client and a server of HTTP/1.1 that follows a script.
 *
 *     client  -- frames -->  receive  -- requests -->  feed     -- HTTP/1.1 -->  script
 *             <-- frames --  send     <-- streams ---  respond  <-- HTTP/1.1 --
 *
 * The four tasks share the connection. The script sees the requests one after the other, in the
 * order of their arrival. If the script closes or resets its connection, so does the gateway. If
 * the client gives up a stream, or the script answers before the end of a request, the connection
 * of the script is reset, and the next request gets the next script. */
#include "fakehttp2.h"

#include <ctype.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <strings.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/stream.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "io/http/http1.h"
#include "memstream.h"
#include "test.h"

enum { BUFFERED_MAX = 65536 }; /* of a response body; then the script waits */

/* A growing text. */
struct text {
    char *bytes;
    size_t len, room;
    size_t used; /* of `len`, already passed on */
};

/* One request and its response. */
struct turn {
    struct turn *next;
    struct fakehttp2 *c;
    int32_t id;
    bool is_head, has_body, is_sized;
    bool is_complete; /* the whole request has arrived */
    bool is_gone;     /* the stream is closed */
    bool is_over;     /* the whole response has been parsed */
    char method[32], path[4096], authority[256];
    struct text fields;  /* of the request, as HTTP/1.1 */
    struct text in, out; /* for the script; the body of the response, for the client */
    size_t to_consume;   /* body bytes in `in` that were not passed on, without the framing */
    nghttp2_nv *trailers;
    size_t trailers_count;
};

struct fakehttp2 {
    struct fakehttp2 *next;
    struct fake *fake;
    struct whorl_stream *stream, *script; /* the script's is NULL before the first request */
    struct whorl_scope scope;
    nghttp2_session *session;
    struct http1 parser;
    struct turn *turns;              /* in the order of arrival; the first one has the script */
    struct whorl_wait_queue waiters; /* for any change */
    bool is_parsing;                 /* the parser has bytes of the first turn's response */
    bool is_closing;                 /* once the output is sent */
    bool is_writing;                 /* a task writes to the script */
    bool is_lost;                    /* the script's connection has been reset by this gateway */
};

static void changed(struct fakehttp2 *c)
{
    while (whorl_wait_queue_wake_one(&c->waiters, 0))
        ;
}

static WHORL_SUSPENDS int wait_change(struct fakehttp2 *c)
{
    return (int)whorl_wait_queue_park(&c->waiters, "gateway");
}

static void append(struct text *text, const char *bytes, size_t len)
{
    /* Doubled, because AddressSanitizer copies all bytes in each call of realloc(). */
    if (text->len + len + 1 > text->room) {
        text->room = (text->len + len + 1) * 2;
        text->bytes = realloc(text->bytes, text->room);
        CHECK(text->bytes);
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

static void append_text(struct text *text, const char *bytes)
{
    append(text, bytes, strlen(bytes));
}

static void free_turn(struct turn *turn)
{
    for (size_t i = 0; i < turn->trailers_count; i++)
        free(turn->trailers[i].name);
    free(turn->trailers);
    free(turn->fields.bytes);
    free(turn->in.bytes);
    free(turn->out.bytes);
    free(turn);
}

/* --- requests --- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct fakehttp2 *c = arg;
    struct turn *turn, **last = &c->turns;

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    turn = calloc(1, sizeof *turn);
    CHECK(turn);
    turn->c = c;
    turn->id = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(session, turn->id, turn);
    while (*last)
        last = &(*last)->next;
    *last = turn;
    return 0;
}

/* Names of HTTP/1.1 are written as "User-Agent". */
static void append_name(struct text *text, const char *name)
{
    for (bool first = true; *name; name++) {
        char c = (char)(first ? toupper((unsigned char)*name) : *name);
        append(text, &c, 1);
        first = *name == '-';
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_,
                     size_t name_len, const uint8_t *value_, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct turn *turn = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    const char *name = (const char *)name_, *value = (const char *)value_;

    (void)flags, (void)name_len, (void)value_len, (void)arg;
    if (!turn)
        return 0;
    if (strcmp(name, ":method") == 0) {
        snprintf(turn->method, sizeof turn->method, "%s", value);
    } else if (strcmp(name, ":path") == 0) {
        snprintf(turn->path, sizeof turn->path, "%s", value);
    } else if (strcmp(name, ":authority") == 0) {
        snprintf(turn->authority, sizeof turn->authority, "%s", value);
    } else if (name[0] != ':') {
        turn->is_sized |= strcmp(name, "content-length") == 0;
        append_name(&turn->fields, name);
        append_text(&turn->fields, ": ");
        append_text(&turn->fields, value);
        append_text(&turn->fields, "\r\n");
    }
    return 0;
}

static void write_head(struct turn *turn)
{
    struct text *in = &turn->in;

    turn->is_head = strcmp(turn->method, "HEAD") == 0;
    append_text(in, turn->method);
    append_text(in, " ");
    append_text(in, turn->path);
    append_text(in, " HTTP/1.1\r\nHost: ");
    append_text(in, turn->authority);
    append_text(in, "\r\n");
    if (turn->fields.len > 0)
        append(in, turn->fields.bytes, turn->fields.len);
    append_text(in,
                turn->has_body && !turn->is_sized ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct turn *turn = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    bool is_head = frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;

    if (!turn || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    turn->is_complete = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (is_head) {
        turn->has_body = !turn->is_complete;
        write_head(turn);
    } else if (turn->is_complete && !turn->is_sized) {
        append_text(&turn->in, "0\r\n\r\n");
    }
    changed(arg);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    struct turn *turn = nghttp2_session_get_stream_user_data(session, id);
    char size[20];

    (void)flags, (void)arg;
    if (!turn || turn->is_over) {
        nghttp2_session_consume(session, id, len);
        return 0;
    }
    snprintf(size, sizeof size, "%zx\r\n", len);
    append_text(&turn->in, turn->is_sized ? "" : size);
    append(&turn->in, (const char *)data, len);
    append_text(&turn->in, turn->is_sized ? "" : "\r\n");
    turn->to_consume += len;
    return 0;
}

/* The script sees the end of its connection. */
static void lose_script(struct fakehttp2 *c)
{
    if (c->script && !c->is_lost) {
        c->is_lost = true;
        memstream_reset(c->script);
    }
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct fakehttp2 *c = arg;
    struct turn *turn = nghttp2_session_get_stream_user_data(session, id);

    (void)code;
    if (!turn)
        return 0;
    turn->is_gone = true;
    if (turn == c->turns && turn->in.used > 0 && !(turn->is_over && turn->is_complete))
        lose_script(c);
    changed(c);
    return 0;
}

/* Removes the requests whose streams are closed and which the script has no part of any more. */
static void next_turn(struct fakehttp2 *c)
{
    struct turn *turn = c->turns;

    while (turn && turn->is_gone && (turn->is_over || turn->in.used == 0 || !c->script)) {
        c->turns = turn->next;
        c->is_parsing = false;
        if (!turn->is_complete)
            lose_script(c);
        free_turn(turn);
        turn = c->turns;
    }
}

/* Passes the requests on, each when the one before has its response. */
static int feed(void *arg)
{
    struct fakehttp2 *c = arg;
    int err = 0;

    while (err == 0) {
        next_turn(c);
        struct turn *turn = c->turns;
        if (!turn || turn->in.used == turn->in.len || turn->is_gone || turn->is_over ||
            c->is_lost) {
            err = wait_change(c);
            continue;
        }
        if (!c->script)
            err = fake_start_script(c->fake, &c->script);
        CHECK_OK(err);
        size_t n = turn->in.len - turn->in.used, consumed = turn->to_consume;
        char *bytes = malloc(n);
        memcpy(bytes, turn->in.bytes + turn->in.used, n);
        turn->in.used += n;
        turn->to_consume = 0;
        int32_t id = turn->id;
        changed(c); /* there may be a script to read from */
        c->is_writing = true;
        err = whorl_stream_write(c->script, bytes, n);
        c->is_writing = false;
        free(bytes);
        nghttp2_session_consume(c->session, id, consumed);
        changed(c);
        if (err && err != -ECANCELED) /* the script has closed, which respond() notices */
            err = wait_change(c);
    }
    return err;
}

/* --- responses --- */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct turn *turn = source->ptr;
    size_t left = turn->out.len - turn->out.used, n = len < left ? len : left;

    (void)arg;
    if (n == 0 && !turn->is_over)
        return NGHTTP2_ERR_DEFERRED;
    if (n > 0)
        memcpy(buf, turn->out.bytes + turn->out.used, n);
    turn->out.used += n;
    if (turn->out.used == turn->out.len && turn->is_over) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (turn->trailers_count > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, id, turn->trailers, turn->trailers_count);
        }
    }
    changed(turn->c);
    return (ssize_t)n;
}

static bool is_of_connection(const char *name)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
                                        "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Makes HTTP/2 fields of a list. Each name is allocated together with its value. */
static nghttp2_nv *fields_of(const struct header_list *list, const char *status, size_t *ret_count)
{
    nghttp2_nv *fields = calloc(600, sizeof *fields);
    struct whorl_http_header header;
    size_t count = 0;

    CHECK(fields);
    for (size_t i = status ? 0 : 1; i == 0 || header_list_at(list, i - 1, &header); i++) {
        const char *name = i == 0 ? ":status" : header.name;
        const char *value = i == 0 ? status : header.value;
        size_t name_len = strlen(name), value_len = strlen(value);
        if (is_of_connection(name))
            continue;
        char *bytes = malloc(name_len + value_len + 2);
        for (size_t k = 0; k <= name_len; k++)
            bytes[k] = (char)tolower((unsigned char)name[k]);
        memcpy(bytes + name_len + 1, value, value_len + 1);
        CHECK(count < 600);
        fields[count++] =
            (nghttp2_nv){(uint8_t *)bytes, (uint8_t *)bytes + name_len + 1, name_len, value_len, 0};
    }
    *ret_count = count;
    return fields;
}

static void answer(struct turn *turn, bool is_final)
{
    struct fakehttp2 *c = turn->c;
    char status[16];
    size_t count;
    nghttp2_data_provider body = {.source.ptr = turn, .read_callback = read_body};

    snprintf(status, sizeof status, "%d", http1_status(&c->parser));
    nghttp2_nv *fields = fields_of(http1_headers(&c->parser), status, &count);
    if (!is_final)
        nghttp2_submit_headers(c->session, 0, turn->id, NULL, fields, count, NULL);
    else
        nghttp2_submit_response(c->session, turn->id, fields, count,
                                http1_has_body(&c->parser) ? &body : NULL);
    for (size_t i = 0; i < count; i++)
        free(fields[i].name);
    free(fields);
}

/* The response is complete. */
static void finish_turn(struct turn *turn)
{
    struct fakehttp2 *c = turn->c;

    turn->is_over = true;
    turn->trailers = fields_of(http1_trailers(&c->parser), NULL, &turn->trailers_count);
    nghttp2_session_resume_data(c->session, turn->id);
    if (!http1_keep_alive(&c->parser) && !http1_is_close_delimited(&c->parser))
        c->is_closing = true;
}

/* Parses what the script has sent. */
static void parse(struct turn *turn, const char *bytes, size_t len)
{
    struct fakehttp2 *c = turn->c;
    struct http1_body_span span;
    size_t used;

    for (;;) {
        int event = http1_feed(&c->parser, bytes, len, &used, &span);
        bytes += used;
        len -= used;
        if (event == HTTP1_INFORMATIONAL || event == HTTP1_HEAD)
            answer(turn, event == HTTP1_HEAD);
        else if (event == HTTP1_BODY)
            append(&turn->out, span.data, span.len);
        else if (event == HTTP1_END)
            finish_turn(turn);
        else if (event < 0)
            test_fail(__FILE__, __LINE__, "the script is not HTTP/1.1: %s",
                      http1_error_text(&c->parser));
        if (event == HTTP1_END || event == HTTP1_NEED_INPUT)
            break;
    }
    if (len > 0) /* bytes that no request has asked for */
        c->is_closing = true;
    nghttp2_session_resume_data(c->session, turn->id);
    changed(c);
}

/* The script's connection has ended. */
static WHORL_SUSPENDS int end_of_script(struct fakehttp2 *c, int read_err)
{
    struct turn *turn = c->turns;
    int err = 0;

    if (!c->is_lost) {
        if (turn && !turn->is_gone && c->is_parsing && read_err == 0 &&
            http1_eof(&c->parser) == HTTP1_END && !turn->is_over)
            finish_turn(turn); /* the end of the connection is the end of the body */
        else if (read_err < 0)
            memstream_reset(c->stream);
        c->is_closing = true;
        return 0;
    }
    while (err == 0 && c->is_writing)
        err = wait_change(c);
    if (err)
        return err;
    whorl_stream_close(c->script);
    c->script = NULL;
    c->is_parsing = c->is_lost = false;
    return 0;
}

static bool may_read(struct fakehttp2 *c)
{
    struct turn *turn = c->turns;

    return c->script && !c->is_closing &&
           (!turn || turn->is_gone || c->is_lost || turn->out.len - turn->out.used < BUFFERED_MAX);
}

static int respond(void *arg)
{
    struct fakehttp2 *c = arg;
    char buf[16384];
    int err = 0;

    while (err == 0) {
        next_turn(c);
        if (!may_read(c)) {
            err = wait_change(c);
            continue;
        }
        ssize_t n = whorl_stream_read(c->script, buf, sizeof buf);
        struct turn *turn = c->turns;
        if (n == -ECANCELED) {
            err = -ECANCELED;
        } else if (n <= 0) {
            err = end_of_script(c, (int)n);
        } else if (turn && !turn->is_gone && !turn->is_over) {
            if (!c->is_parsing)
                http1_reset(&c->parser,
                            &(struct http1_limits){.head_bytes_max = 1 << 24,
                                                   .headers_max = 500,
                                                   .informational_max = 1000},
                            turn->is_head);
            c->is_parsing = true;
            parse(turn, buf, (size_t)n);
        } else if (!turn || !turn->is_gone) {
            c->is_closing = true; /* bytes that no request has asked for */
        }
        changed(c);
    }
    return err;
}

/* --- the connection --- */

static int send_frames(void *arg)
{
    struct fakehttp2 *c = arg;
    const uint8_t *bytes;
    int err = 0;

    while (err == 0) {
        ssize_t n = nghttp2_session_mem_send(c->session, &bytes);
        if (n > 0) {
            err = whorl_stream_write(c->stream, bytes, (size_t)n);
            continue;
        }
        struct turn *turn = c->turns;
        if (c->is_closing && (!turn || turn->is_gone || turn->out.used == turn->out.len))
            whorl_scope_cancel(&c->scope);
        err = wait_change(c);
    }
    return err;
}

static int receive(void *arg)
{
    struct fakehttp2 *c = arg;
    char buf[16384];
    ssize_t n;

    while ((n = whorl_stream_read(c->stream, buf, sizeof buf)) > 0) {
        if (nghttp2_session_mem_recv(c->session, (uint8_t *)buf, (size_t)n) < 0)
            break;
        changed(c);
    }
    whorl_scope_cancel(&c->scope);
    return 0;
}

static void create_session(struct fakehttp2 *c)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;

    CHECK_EQ(nghttp2_session_callbacks_new(&callbacks), 0);
    CHECK_EQ(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    CHECK_EQ(nghttp2_session_server_new2(&c->session, callbacks, c, option), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    CHECK_EQ(nghttp2_submit_settings(c->session, 0, NULL, 0), 0);
}

static int run(void *arg)
{
    struct fakehttp2 *c = *(struct fakehttp2 **)arg, **link = &c->fake->gateways;

    whorl_scope_enter(&c->scope, WHORL_FOREVER);
    {
        WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
        CHECK_OK(whorl_spawn(&group, receive, c));
        CHECK_OK(whorl_spawn(&group, send_frames, c));
        CHECK_OK(whorl_spawn(&group, feed, c));
        CHECK_OK(whorl_spawn(&group, respond, c));
        test_ignore(whorl_group_wait(&group));
    }
    whorl_scope_leave(&c->scope, 0);
    whorl_stream_close(c->stream);
    if (c->script)
        whorl_stream_close(c->script);
    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    c->fake->open--;
    while (c->turns) {
        struct turn *turn = c->turns;
        c->turns = turn->next;
        free_turn(turn);
    }
    nghttp2_session_del(c->session);
    http1_finish(&c->parser);
    free(c);
    return 0;
}

int fakehttp2_start(struct fake *fake, struct whorl_stream *stream)
{
    struct fakehttp2 *c = calloc(1, sizeof *c);

    CHECK(c);
    c->fake = fake;
    c->stream = stream;
    http1_init(&c->parser, NULL, false);
    create_session(c);
    int err = whorl_spawn_copy(whorl_root_group(), run, &c);
    if (err) {
        nghttp2_session_del(c->session);
        http1_finish(&c->parser);
        free(c);
        return err;
    }
    c->next = fake->gateways;
    fake->gateways = c;
    return 0;
}

void fakehttp2_stop(struct fake *fake)
{
    for (struct fakehttp2 *c = fake->gateways; c; c = c->next)
        whorl_scope_cancel(&c->scope);
}
