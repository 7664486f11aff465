/* SPDX-License-Identifier: MIT */
/* The daemons of an HTTP/2 connection. */
#include "io/http/http2_conn.h"

#include <errno.h>
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/stop.h>
#include <whorl/stream.h>
#include <whorl/task.h>
#include <whorl/timer.h>

#include "io/http/http2_conn_stream.h"
#include "io/tls/connect.h"
#include "runtime/base/check.h"

enum {
    BUF_SIZE = 65536,            /* of one read, and of one write */
    END_NS = 1000 * 1000 * 1000, /* for the last bytes after a failure */
    IDLE_NS = 100 * 1000 * 1000, /* without a request; then the connection gives memory back */
};

/* Freed when the owner and both daemons have left. */
struct http2_conn {
    struct http2 *h;
    struct whorl_stream *stream; /* owned */
    struct http2_conn_owner owner;
    bool has_owner;
    int daemons;                 /* that have not ended */
    struct whorl_scope *reading; /* of the reader; NULL once it has ended */
    struct whorl_scope *writing; /* of the writer; NULL once it has ended */
    struct whorl_waiter *idle;   /* of the writer while it waits for output, else NULL */
    bool is_ending;              /* the writer ends when it has sent everything */
    bool is_stopping;            /* the daemons are asked to stop: no stream after the first one */
    bool has_opened;             /* there was a stream */
    int write_err;               /* what a write failed with; 0: none has */
    int64_t received_ns;
    char *in, *out; /* owned; BUF_SIZE bytes each; NULL while they are not needed */

    /* A busy connection reads into a buffer that it keeps. When it has rested for IDLE_NS, it is
     * idle: `in` and `out` are freed, and the reader waits for input without a buffer. */
    bool is_resting;               /* no stream is open */
    bool is_idle;                  /* and that for IDLE_NS */
    int64_t rest_ns;               /* when the rest began */
    struct whorl_timer rest_timer; /* fires when the connection may have become idle */
    struct whorl_scope *receiving; /* of a read into `in`; NULL: the reader is not in one */
    bool is_interrupted;           /* that read, because the connection became idle */
};

/* Waiting and waking */

static enum whorl_abort leave_place(struct whorl_waiter *waiter)
{
    struct whorl_waiter **place = waiter->data;

    *place = NULL;
    return WHORL_ABORT_DONE;
}

/* Waits in `place`, which is NULL while no task waits there. The waking code sets it to NULL. */
static WHORL_SUSPENDS int wait_in(struct whorl_waiter **place, const char *what)
{
    struct whorl_waiter waiter = WHORL_WAITER_INIT;

    whorl_check(!*place);
    waiter.data = place;
    *place = &waiter;
    return (int)whorl_park(&waiter, leave_place, what);
}

static void wake_stream(struct http2_stream *stream)
{
    struct http2_conn_stream *s = container_of(stream, struct http2_conn_stream, base);
    struct whorl_waiter *receiver = s->receiver, *sender = s->sender;

    s->receiver = s->sender = NULL;
    if (receiver)
        whorl_wake(receiver, 0);
    if (sender)
        whorl_wake(sender, 0);
}

/* Wakes the tasks whose streams have news. */
static void deliver(struct http2_conn *conn)
{
    struct http2_stream *stream;

    while ((stream = http2_next_changed(conn->h)))
        wake_stream(stream);
}

static void wake_writer(struct http2_conn *conn)
{
    struct whorl_waiter *idle = conn->idle;

    conn->idle = NULL;
    if (idle)
        whorl_wake(idle, 0);
}

void http2_conn_flush(struct http2_conn *conn)
{
    if (conn->idle && http2_has_output(conn->h))
        wake_writer(conn);
}

static void tell_owner(struct http2_conn *conn)
{
    if (conn->has_owner && conn->owner.changed)
        conn->owner.changed(conn->owner.arg);
}

/* The end */

static void unref(struct http2_conn *conn)
{
    if (conn->has_owner || conn->daemons > 0)
        return;
    whorl_timer_disarm(&conn->rest_timer);
    http2_destroy(conn->h);
    whorl_stream_close(conn->stream);
    free(conn->in);
    free(conn->out);
    free(conn);
}

/* A daemon has ended. The stream is closed as soon as none uses it. */
static void leave(struct http2_conn *conn)
{
    if (--conn->daemons == 0) {
        whorl_stream_close(conn->stream);
        conn->stream = NULL;
    }
    unref(conn);
}

/* No more frames will be read: lets the writer send what is left, for a short time. */
static void finish_writing(struct http2_conn *conn)
{
    conn->is_ending = true;
    if (conn->writing)
        whorl_scope_set_deadline(conn->writing, whorl_after(END_NS));
    wake_writer(conn);
}

/* Memory */

static void release(char **buf)
{
    free(*buf);
    *buf = NULL;
}

/* The reader leaves its read, and frees `in` before it waits again. The writer has `out` unless it
 * waits; then it frees `out` before its next wait. */
static void become_idle(struct http2_conn *conn)
{
    conn->is_idle = true;
    http2_rest(conn->h);
    if (conn->idle)
        release(&conn->out);
    if (conn->receiving) {
        conn->is_interrupted = true;
        whorl_scope_cancel(conn->receiving);
    }
}

/* The timer is not moved for each request, so it may fire early. */
static void rest_timer_fired(struct whorl_timer *timer)
{
    struct http2_conn *conn = container_of(timer, struct http2_conn, rest_timer);
    int64_t idle_at_ns = conn->rest_ns + IDLE_NS;

    if (!conn->is_resting || conn->is_idle)
        return;
    if (whorl_now() >= idle_at_ns)
        become_idle(conn);
    else
        whorl_timer_arm_background(timer, idle_at_ns, rest_timer_fired);
}

void http2_conn_rest(struct http2_conn *conn, int64_t now_ns)
{
    conn->is_resting = true;
    conn->rest_ns = now_ns;
    if (!conn->rest_timer.next && !conn->is_idle)
        whorl_timer_arm_background(&conn->rest_timer, now_ns + IDLE_NS, rest_timer_fired);
}

static bool get_buffer(char **buf)
{
    if (!*buf)
        *buf = malloc(BUF_SIZE);
    return *buf != NULL;
}

/* The reader */

/* Waits until the stream can be read. Returns 0 or -ECANCELED. */
static WHORL_SUSPENDS int wait_input(struct http2_conn *conn)
{
    struct whorl_case input = whorl_case_stream(conn->stream);

    release(&conn->in);
    tls_stream_rest(conn->stream);
    int err = whorl_select(&input, 1);
    return err == -ECANCELED ? err : 0; /* after another error, the read waits */
}

/* Reads into `in`. If the connection becomes idle, -ECANCELED with `is_interrupted`. */
static WHORL_SUSPENDS ssize_t receive(struct http2_conn *conn)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    conn->receiving = &scope;
    conn->is_interrupted = false;
    ssize_t n = whorl_stream_read(conn->stream, conn->in, BUF_SIZE);
    conn->receiving = NULL;
    whorl_scope_leave(&scope, n < 0 ? (int)n : 0);
    return n;
}

static WHORL_SUSPENDS int read_frames(struct http2_conn *conn)
{
    for (;;) {
        int err = conn->is_idle ? wait_input(conn) : 0;
        if (err)
            return err;
        if (!get_buffer(&conn->in))
            return -ENOMEM;
        ssize_t n = receive(conn);
        if (n == -ECANCELED && conn->is_interrupted && whorl_check_cancelled() == 0)
            continue;
        if (n <= 0)
            return (int)n;
        size_t capacity = http2_capacity(conn->h);
        conn->received_ns = whorl_now();
        http2_feed(conn->h, conn->in, (size_t)n, conn->received_ns);
        deliver(conn);
        if (http2_capacity(conn->h) != capacity)
            tell_owner(conn);
        http2_conn_flush(conn);
        if (http2_error(conn->h) || http2_is_over(conn->h))
            return 0;
    }
}

static int run_reader(void *arg)
{
    struct http2_conn *conn = arg;
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    conn->reading = &scope;
    int err = conn->stream ? read_frames(conn) : 0;
    conn->reading = NULL;
    whorl_scope_leave(&scope, err);
    /* The callers of the streams are not cancelled. */
    if (err == -ECANCELED)
        err = conn->write_err;
    char text[TLS_ALERT_TEXT_SIZE];
    http2_end(conn->h, err,
              err == WHORL_ETLS_ALERT && conn->stream ? tls_alert_text(conn->stream, text) : NULL);
    deliver(conn);
    finish_writing(conn);
    tell_owner(conn);
    leave(conn);
    return 0;
}

/* The writer */

/* The daemons are asked to stop. The open streams continue. When there are none, the owner
 * destroys the connection. A connection without a stream was made for a request that is about to
 * open one. */
static void begin_stop(struct http2_conn *conn)
{
    conn->is_stopping = true;
    if (!conn->has_opened)
        return;
    http2_drain(conn->h);
    tell_owner(conn);
}

/* Waits until there is output, or until the daemons are asked to stop. */
static WHORL_SUSPENDS int wait_output(struct http2_conn *conn)
{
    struct whorl_scope scope;

    if (conn->is_idle)
        release(&conn->out);
    if (conn->is_stopping)
        return wait_in(&conn->idle, "HTTP/2 output");
    whorl_scope_enter_until_stop(&scope, WHORL_FOREVER);
    int err = whorl_scope_leave(&scope, wait_in(&conn->idle, "HTTP/2 output"));
    if (!whorl_stop_requested())
        return err;
    begin_stop(conn);
    return err == -ECANCELED ? whorl_check_cancelled() : err;
}

static WHORL_SUSPENDS int write_frames(struct http2_conn *conn)
{
    for (;;) {
        if (!get_buffer(&conn->out))
            return -ENOMEM;
        size_t n = http2_output(conn->h, conn->out, BUF_SIZE);
        deliver(conn); /* parts of bodies have been taken, or the connection has failed */
        int err = 0;
        if (n > 0)
            err = whorl_stream_write(conn->stream, conn->out, n);
        else if (conn->is_ending || http2_error(conn->h) || http2_is_over(conn->h))
            return 0;
        else
            err = wait_output(conn);
        if (err)
            return err;
    }
}

static int run_writer(void *arg)
{
    struct http2_conn *conn = arg;
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    conn->writing = &scope;
    if (conn->is_ending)
        whorl_scope_set_deadline(&scope, whorl_after(END_NS));
    int err = write_frames(conn);
    conn->writing = NULL;
    whorl_scope_leave(&scope, err);
    conn->write_err = err == -ECANCELED ? 0 : err;
    http2_drain(conn->h);
    /* After a failed write, responses may still arrive. After the last output, nothing does. */
    if (conn->reading && err)
        whorl_scope_set_deadline(conn->reading, whorl_after(END_NS));
    else if (conn->reading)
        whorl_scope_cancel(conn->reading);
    tell_owner(conn);
    leave(conn);
    return 0;
}

/* For the owner */

bool http2_conn_is_supported(void)
{
    return true;
}

int http2_conn_create(struct whorl_stream *stream, const struct http2_options *options,
                      const struct http2_conn_owner *owner, struct http2_conn **ret)
{
    struct http2_conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        return -ENOMEM;
    conn->owner = *owner;
    conn->received_ns = options->now_ns;
    int err = http2_create(options, &conn->h);
    if (err) {
        free(conn);
        return err;
    }
    err = whorl_spawn(whorl_root_group(), run_reader, conn);
    if (err)
        goto err_after_create;
    conn->daemons = 1;
    err = whorl_spawn(whorl_root_group(), run_writer, conn);
    if (err) /* the reader ends without having read, and frees the rest */
        return err;
    conn->daemons = 2;
    conn->stream = stream;
    conn->has_owner = true;
    *ret = conn;
    return 0;
err_after_create:
    http2_destroy(conn->h);
    free(conn);
    return err;
}

void http2_conn_destroy(struct http2_conn *conn)
{
    if (!conn)
        return;
    conn->has_owner = false;
    if (conn->daemons > 0 && !conn->is_ending && !http2_is_over(conn->h))
        http2_say_goodbye(conn->h);
    finish_writing(conn);
    unref(conn);
}

size_t http2_conn_capacity(const struct http2_conn *conn)
{
    return conn->daemons == 2 ? http2_capacity(conn->h) : 0;
}

bool http2_conn_is_usable(const struct http2_conn *conn)
{
    return conn->daemons == 2 && !http2_is_draining(conn->h);
}

int64_t http2_conn_received_ns(const struct http2_conn *conn)
{
    return conn->received_ns;
}

void http2_conn_drain(struct http2_conn *conn)
{
    http2_drain(conn->h);
}

/* Streams */

int http2_conn_open(struct http2_conn *conn, struct http2_conn_stream *s, const nghttp2_nv *fields,
                    size_t fields_count, bool has_body)
{
    int err = http2_open(conn->h, &s->base, fields, fields_count, has_body);

    s->conn = err ? NULL : conn;
    s->receiver = s->sender = NULL;
    if (err)
        return err;
    conn->has_opened = true;
    conn->is_resting = conn->is_idle = false;
    if (conn->is_stopping)
        http2_drain(conn->h);
    http2_conn_flush(conn);
    return 0;
}

WHORL_SUSPENDS int http2_conn_wait_news(struct http2_conn_stream *s)
{
    return wait_in(&s->receiver, "HTTP/2 response");
}

/* Whether what is left of the body will not be sent, or is not wanted: RFC 9113 §8.1: a server may
 * answer before the request is complete. An error status may come without a window for the rest. */
static bool has_no_taker(const struct http2_conn_stream *s)
{
    return s->base.is_ended || s->base.err || (s->base.has_head && s->base.status >= 300) ||
           s->conn->is_ending || http2_error(s->conn->h);
}

static int no_taker(const struct http2_conn_stream *s)
{
    return s->base.err == -ECONNRESET ? -ECONNRESET : -EPIPE;
}

WHORL_SUSPENDS int http2_conn_send(struct http2_conn_stream *s, const char *data, size_t len,
                                   bool last)
{
    int err = 0;

    if (has_no_taker(s))
        return no_taker(s);
    http2_stream_send(&s->base, data, len, last);
    http2_conn_flush(s->conn);
    while (s->base.out_len > 0 && err == 0)
        err = has_no_taker(s) ? no_taker(s) : wait_in(&s->sender, "HTTP/2 window");
    if (err)
        http2_stream_unsend(&s->base);
    return err;
}

void http2_conn_close(struct http2_conn_stream *s)
{
    struct http2_conn *conn = s->conn;

    if (!conn)
        return;
    whorl_check(!s->receiver && !s->sender);
    http2_stream_close(&s->base);
    s->conn = NULL;
    http2_conn_flush(conn);
}
