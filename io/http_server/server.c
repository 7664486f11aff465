/* SPDX-License-Identifier: MIT */
/* The server: connections, and the exchanges on them.
 *
 *     serve_connection()
 *       wait_for_request()     the idle limit, a request to stop; no memory is held
 *       exchange
 *         read the head        the head limit
 *         handler              its own reads and writes have the stall limits
 *         end the reply
 *         drain the body       if it is short; else the connection ends
 *       linger()               when the client may still send; without it, the reply could be lost
 */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl/http_server.h>
#include <whorl/scope.h>
#include <whorl/stop.h>
#include <whorl/task.h>

#include "io/http/stage.h"
#include "io/http_server/incoming.h"
#include "io/http_server/reply.h"
#include "io/http_server/status.h"
#include "io/http_server/wire.h"
#include "runtime/base/check.h"

#define HEAD_NS_DEFAULT  (10 * WHORL_SECOND)
#define IDLE_NS_DEFAULT  (60 * WHORL_SECOND)
#define STALL_NS_DEFAULT (30 * WHORL_SECOND)
#define BODY_GRACE_NS    (20 * WHORL_SECOND)
#define DRAIN_NS         (5 * WHORL_SECOND) /* for the unread rest of a body */
#define LINGER_NS        (2 * WHORL_SECOND)
#define TRIM_NS          WHORL_SECOND /* a connection that is idle for so long gives memory back */

enum {
    HEAD_BYTES_DEFAULT = 32 * 1024,
    HEADERS_KEPT = 8192,     /* bytes of header memory that an exchange keeps for the next one */
    EXCHANGES_KEPT = 1024,   /* about 6 KiB each */
    BODY_RATE_DEFAULT = 500, /* bytes per second */
    TRIM_MARGIN = 512,
    LINGER_MAX = 256 * 1024, /* bytes that are dropped at the end of a connection */
};

struct server {
    const struct whorl_http_server_options *options;
    struct http1_limits limits;
    struct whorl_http_server_timeouts timeouts; /* defaults filled in */
    int64_t body_rate_min;
    whorl_http_handler_fn fn;
    void *arg;
    struct http_store store; /* the large buffers */
    struct http_spares exchanges;
    struct reply_date date;
};

/* A request and its reply. It exists from the first byte of the request to the end of the reply. */
struct exchange {
    struct http_spare spare;
    struct server *server;
    int64_t started_ns; /* time of the first byte; set only when it is needed */
    struct whorl_http_incoming incoming;
    struct whorl_http_reply reply;
};

/* --- exchanges --- */

static struct exchange *exchange_acquire(struct server *server)
{
    struct http_spare *spare = http_spares_take(&server->exchanges, true);

    if (spare)
        return container_of(spare, struct exchange, spare);
    struct exchange *x = malloc(sizeof *x);
    if (!x) {
        server->exchanges.out--;
        return NULL;
    }
    x->server = server;
    x->incoming = (struct whorl_http_incoming){0};
    return x;
}

static void exchange_free(struct exchange *x)
{
    http1_finish(&x->incoming.parser);
    free(x);
}

static void exchange_release(struct exchange *x)
{
    const struct http1 *parser = &x->incoming.parser;
    bool is_large =
        parser->headers.bytes_cap > HEADERS_KEPT || parser->trailers.bytes_cap > HEADERS_KEPT;

    reply_finish(&x->reply);
    if (!http_spares_put(&x->server->exchanges, &x->spare, !is_large))
        exchange_free(x);
}

static void log_exchange(struct exchange *x, int err)
{
    struct server *server = x->server;
    const struct whorl_http_incoming *incoming = &x->incoming;
    const struct http1 *parser = &incoming->parser;

    if (!server->options->log)
        return;
    struct whorl_http_log_entry entry = {
        .method = incoming->has_head ? http1_method(parser) : "",
        .target = incoming->has_head ? http1_target(parser) : "",
        .status = x->reply.is_sent ? x->reply.status : 0,
        .bytes = x->reply.sent,
        .duration_ns = whorl_now() - x->started_ns,
        .peer = wire_peer(x->incoming.wire),
        .err = err,
        .error_text = parser->error && parser->error == err ? http1_error_text(parser) : "",
    };
    server->options->log(server->arg, &entry);
}

/* Ends the reply after the handler has returned, or after a head was refused. If `err` is an error
 * and nothing was sent, replies with an error status. Returns the error of the exchange, or 0. */
static WHORL_SUSPENDS int end_reply(struct exchange *x, int err)
{
    struct whorl_http_reply *reply = &x->reply;

    if (err == 0)
        err = reply_end(reply);
    if (err == 0)
        return 0;
    if (reply->state == REPLY_OPEN || reply->state == REPLY_BEGUN) {
        /* The status blames the request only if reading the request failed with this code. A
         * handler may return the same code for another reason. */
        bool is_refused = err == x->incoming.err || err == WHORL_EHTTP_TOTAL_TIMEOUT;
        reply->err = 0;
        reply->close |= is_refused;
        int sent = reply_send_status(reply, is_refused ? status_of_error(err) : 500);
        if (sent == 0)
            return err;
    }
    reply->close = true;
    return err;
}

/* Reads the rest of the body. Returns whether the connection can be kept. */
static WHORL_SUSPENDS bool drain(struct exchange *x)
{
    struct http_stage stage;

    if (x->incoming.has_ended && x->incoming.span.len == 0)
        return true;
    http_stage_enter(&stage, whorl_after(DRAIN_NS), WHORL_EHTTP_STALL_TIMEOUT, WHORL_FOREVER);
    int err = incoming_drain(&x->incoming);
    return http_stage_leave(&stage, err) == 0;
}

/* Whether the stream has failed, or the task was cancelled, so that nothing more can be sent. */
static bool is_lost(const struct exchange *x, int err)
{
    if (err < 0 && err == x->reply.lost)
        return true;
    if (!x->incoming.has_head && err < 0 && err > WHORL_ENOTASK && err != -ENOMEM)
        return true;
    return err == -ECANCELED && whorl_check_cancelled();
}

/* Reads the head and runs the handler. Returns 0 or why there is no reply. */
static WHORL_SUSPENDS int answer(struct exchange *x)
{
    struct server *server = x->server;
    int err = incoming_read_head(&x->incoming, server->timeouts.head_ns);

    if (err < 0)
        return err;
    err = server->fn(server->arg, &x->incoming, &x->reply);
    return x->reply.lost ? x->reply.lost : err;
}

/* Runs one exchange. Returns 1 when the connection can be kept; 0 when it ends; or a code when its
 * stream has failed. */
static WHORL_SUSPENDS int run_exchange(struct exchange *x, struct http_wire *wire)
{
    struct server *server = x->server;
    int64_t total_ns = server->timeouts.total_ns;
    struct http_stage total;

    if (server->options->log || total_ns != WHORL_FOREVER)
        x->started_ns = whorl_now();
    incoming_begin(&x->incoming, wire, &server->limits, server->body_rate_min);
    reply_begin(&x->reply, wire, &x->incoming, &server->date, server->options->gzip);
    http_stage_enter(&total, total_ns == WHORL_FOREVER ? total_ns : x->started_ns + total_ns,
                     WHORL_EHTTP_TOTAL_TIMEOUT, WHORL_FOREVER);
    int err = answer(x);
    err = (int)http_stage_leave(&total, err);
    if (!is_lost(x, err))
        err = end_reply(x, err);
    log_exchange(x, err);
    if (is_lost(x, err)) /* a handler may have cancelled only its own write */
        return err == -ECANCELED && !whorl_check_cancelled() ? 0 : err;
    return !x->reply.close && drain(x);
}

/* --- connections --- */

/* Returns the part of the stack below the current frame to the kernel. A handler may have used many
 * pages of it, and an idle connection needs none of them. */
static __attribute__((noinline)) void trim_stack(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t low = here - whorl_task_stack_left();

    /* The lowest page has marks that detect an overflow. madvise() itself needs a few bytes. */
    low = (low / page + 1) * page;
    uintptr_t high = (here - TRIM_MARGIN) / page * page;
    if (low + page < high)
        madvise((void *)low, high - low, MADV_DONTNEED); /* only an optimization: may fail */
}

/* Waits for the first byte of a request until the deadline. The count, 0 at the end, or a code. */
static WHORL_SUSPENDS ssize_t wait_until(struct http_wire *wire, int64_t deadline_ns)
{
    struct whorl_scope scope;

    whorl_scope_enter_until_stop(&scope, deadline_ns);
    ssize_t n = wire_receive(wire);
    int err = whorl_scope_leave(&scope, n < 0 ? (int)n : 0);
    return n < 0 ? err : n;
}

/* Waits for the first byte of a request. Returns 1; 0 when the connection ends in order: the client
 * has closed it, it was idle for too long, or the server stops; or a code. */
static WHORL_SUSPENDS int wait_for_request(struct http_wire *wire, int64_t limit_ns)
{
    bool is_long = limit_ns > TRIM_NS;
    int64_t deadline_ns = http_deadline(limit_ns);

    ssize_t n = wait_until(wire, is_long ? whorl_after(TRIM_NS) : deadline_ns);
    if (n == -ETIMEDOUT && is_long) {
        trim_stack();
        n = wait_until(wire, deadline_ns);
    }
    if (n >= 0)
        return n > 0;
    if (n == -ETIMEDOUT || n == -ECONNRESET || n == WHORL_ETLS_TRUNCATED)
        return 0;
    return n == -ECANCELED && !whorl_check_cancelled() ? 0 : (int)n;
}

/* RFC 9112 §9.6: if the server closes while the client still sends, the client's kernel may drop
 * the reply. Returns 0, or -ECANCELED when the task is cancelled. */
static WHORL_SUSPENDS int linger(struct http_wire *wire)
{
    struct whorl_scope scope;
    ssize_t n = 1;

    whorl_scope_enter_timeout(&scope, LINGER_NS);
    int err = wire_end(wire, true);
    for (size_t dropped = 0; err == 0 && n > 0 && dropped < LINGER_MAX; dropped += (size_t)n) {
        n = wire_drop(wire);
        err = n < 0 ? (int)n : 0;
    }
    return whorl_scope_leave(&scope, err) == -ECANCELED ? -ECANCELED : 0;
}

/* Runs the exchange whose first bytes have arrived. Returns as run_exchange(). */
static WHORL_SUSPENDS int next_exchange(struct server *server, struct http_wire *wire)
{
    struct exchange *x = exchange_acquire(server);

    if (!x)
        return -ENOMEM;
    int keep = run_exchange(x, wire);
    bool may_send = !x->incoming.has_ended || wire_unread(wire) > 0;
    exchange_release(x);
    wire_shrink(wire);
    return keep == 0 && may_send ? linger(wire) : keep;
}

/* Ends a connection whose exchanges are complete. It is no failure if the client has already closed
 * the connection. */
static WHORL_SUSPENDS int end_in_order(struct http_wire *wire)
{
    int err = wire_end(wire, false);

    return err == -ECANCELED ? err : 0;
}

static WHORL_SUSPENDS int serve_connection(struct server *server, struct whorl_stream *stream)
{
    struct http_wire wire;
    int64_t limit_ns = server->timeouts.head_ns;
    int keep = 1;

    wire_init(&wire, stream, &server->store, &server->timeouts);
    while (keep == 1) {
        if (wire_unread(&wire) == 0) {
            keep = wait_for_request(&wire, limit_ns);
            limit_ns = server->timeouts.idle_ns;
        }
        if (keep == 1)
            keep = next_exchange(server, &wire);
    }
    wire_finish(&wire);
    return keep ? keep : end_in_order(&wire);
}

/* --- servers --- */

static int64_t or_default(int64_t limit_ns, int64_t default_ns)
{
    return limit_ns ? limit_ns : default_ns;
}

static void server_init(struct server *server, const struct whorl_http_server_options *options,
                        whorl_http_handler_fn fn, void *arg)
{
    static const struct whorl_http_server_options defaults;

    if (!options)
        options = &defaults;
    const struct whorl_http_server_timeouts *limits = &options->timeouts;
    *server = (struct server){
        .options = options,
        .limits = {.head_bytes_max =
                       options->head_bytes_max ? options->head_bytes_max : HEAD_BYTES_DEFAULT,
                   .headers_max = options->headers_max,
                   .body_bytes_max = options->body_bytes_max,
                   .target_bytes_max = options->target_bytes_max},
        .timeouts = {.head_ns = or_default(limits->head_ns, HEAD_NS_DEFAULT),
                     .idle_ns = or_default(limits->idle_ns, IDLE_NS_DEFAULT),
                     .read_stall_ns = or_default(limits->read_stall_ns, STALL_NS_DEFAULT),
                     .body_grace_ns = or_default(limits->body_grace_ns, BODY_GRACE_NS),
                     .write_stall_ns = or_default(limits->write_stall_ns, STALL_NS_DEFAULT),
                     .total_ns = or_default(limits->total_ns, WHORL_FOREVER)},
        .body_rate_min = options->body_rate_min > 0 ? options->body_rate_min : BODY_RATE_DEFAULT,
        .fn = fn,
        .arg = arg,
        .exchanges.max = EXCHANGES_KEPT,
    };
}

static void server_finish(struct server *server)
{
    struct http_spare *spare;

    while ((spare = http_spares_drain(&server->exchanges)))
        exchange_free(container_of(spare, struct exchange, spare));
    http_bufs_drain(&server->store);
}

WHORL_SUSPENDS int whorl_http_serve_stream(struct whorl_stream *stream,
                                           const struct whorl_http_server_options *options,
                                           whorl_http_handler_fn fn, void *arg)
{
    struct server server;

    server_init(&server, options, fn, arg);
    int err = serve_connection(&server, stream);
    server_finish(&server);
    return err;
}

static WHORL_SUSPENDS int serve_accepted(void *arg, struct whorl_stream *stream)
{
    int on = 1;

    /* A chunk must not wait for the acknowledgement of the previous one. The call fails for Unix
     * sockets. */
    setsockopt(whorl_stream_option_fd(stream), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return serve_connection(arg, stream);
}

static void report_failure(void *arg, struct whorl_stream *stream, int err)
{
    const struct server *server = arg;

    server->options->serve.failed(server->arg, stream, err);
}

WHORL_SUSPENDS int whorl_http_serve(struct whorl_listener *const *listeners, size_t count,
                                    const struct whorl_http_server_options *options,
                                    whorl_http_handler_fn fn, void *arg)
{
    struct server server;

    server_init(&server, options, fn, arg);
    struct whorl_serve_options serve = server.options->serve;
    if (serve.failed)
        serve.failed = report_failure;
    int err = whorl_serve(listeners, count, &serve, serve_accepted, &server);
    server_finish(&server);
    return err;
}
