/* SPDX-License-Identifier: MIT */
/* Serving: one task accepts from all listeners; each connection has a task in one group.
 *
 *     serve_listeners()   select: a request to stop, a connection of any listener
 *       full              select: a request to stop, the end of a connection
 *       shortage          select: a request to stop, 50 ms
 *       stop              whorl_group_stop(): asks the connections, waits, cancels
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/serve.h>
#include <whorl/stop.h>
#include <whorl/task.h>

#define PAUSE_NS         (50 * WHORL_MILLISECOND)
#define GRACE_NS_DEFAULT (10 * WHORL_SECOND)

struct server {
    const struct whorl_serve_options *options;
    whorl_serve_fn fn;
    void *arg;
    struct whorl_group conns;
    size_t open; /* connections */
    /* A connection that was accepted and has no task yet, because of a shortage: a descriptor, or
     * later a stream. */
    int fd; /* -1: none */
    struct whorl_stream *stream;
    struct whorl_event ended; /* set when a connection has ended */
    struct whorl_case *cases; /* one for a request to stop, and one for each listener */
    struct whorl_listener *const *listeners;
    size_t listeners_count;
};

struct connection {
    struct server *server;
    struct whorl_stream *stream;
};

static void report(const struct server *server, struct whorl_stream *stream, int err)
{
    if (err < 0 && server->options->failed)
        server->options->failed(server->arg, stream, err);
}

/* Makes a TLS stream of the connection, if the server has TLS. A request to stop ends the
 * handshake. */
static WHORL_SUSPENDS int secure(struct connection *connection)
{
    struct whorl_tls_server *tls = connection->server->options->tls;
    struct whorl_scope scope;

    if (!tls)
        return 0;
    whorl_scope_enter_until_stop(&scope, WHORL_FOREVER);
    int err = whorl_tls_accept(tls, connection->stream, NULL, &connection->stream);
    return whorl_scope_leave(&scope, err);
}

static int serve_connection(void *arg)
{
    struct connection *connection = arg;
    struct server *server = connection->server;

    int err = secure(connection);
    if (err == 0)
        err = server->fn(server->arg, connection->stream);
    else if (err == -ECANCELED && !whorl_check_cancelled())
        err = 0; /* the server stops */
    report(server, connection->stream, err);
    whorl_stream_close(connection->stream);
    server->open--;
    whorl_event_set(&server->ended);
    return 0;
}

/* Starts the task of the accepted connection. After a failure the connection stays accepted,
 * without a task. */
static int start(struct server *server)
{
    struct connection connection = {server, server->stream};
    int err = 0;

    if (!server->stream)
        err = whorl_stream_from_socket(server->fd, &connection.stream);
    if (err)
        return err;
    server->stream = connection.stream;
    server->fd = -1; /* the stream's */
    err = whorl_spawn_copy(&server->conns, serve_connection, &connection);
    if (err)
        return err;
    server->stream = NULL;
    server->open++;
    return 0;
}

/* Waits until there is a request to stop or the other case is ready. Returns 0 or an error. */
static WHORL_SUSPENDS int wait_for(struct whorl_case other)
{
    struct whorl_case cases[] = {whorl_case_stop(), other};
    int taken = whorl_select(cases, 2);

    return taken < 0 ? taken : 0;
}

static bool is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM || err == -EAGAIN;
}

/* Accepts one connection, if there is one before the request to stop. Returns 0 or an error. */
static WHORL_SUSPENDS int accept_one(struct server *server)
{
    server->cases[0] = whorl_case_stop();
    for (size_t i = 0; i < server->listeners_count; i++)
        server->cases[i + 1] = whorl_case_accept(server->listeners[i], NULL);
    int taken = whorl_select(server->cases, server->listeners_count + 1);
    if (taken <= 0)
        return taken;
    int fd = server->cases[taken].result;
    if (fd < 0)
        return fd;
    server->fd = fd;
    return start(server);
}

static WHORL_SUSPENDS int serve_listeners(struct server *server)
{
    size_t max = server->options->conns_max;
    int err = 0;

    while (err == 0 && !whorl_stop_requested()) {
        whorl_event_reset(&server->ended);
        if (max > 0 && server->open >= max) {
            err = wait_for(whorl_case_event(&server->ended));
            continue;
        }
        err = server->fd >= 0 || server->stream ? start(server) : accept_one(server);
        if (is_shortage(err)) {
            report(server, NULL, err);
            err = wait_for(whorl_case_deadline(whorl_after(PAUSE_NS)));
        }
    }
    return err;
}

WHORL_SUSPENDS int whorl_serve(struct whorl_listener *const *listeners, size_t count,
                               const struct whorl_serve_options *options, whorl_serve_fn fn,
                               void *arg)
{
    static const struct whorl_serve_options defaults;
    struct server server = {
        .options = options ? options : &defaults,
        .fn = fn,
        .arg = arg,
        .conns = {.policy = WHORL_GROUP_COLLECT},
        .listeners = listeners,
        .listeners_count = count,
        .fd = -1,
    };

    if (count == 0)
        return -EINVAL;
    server.conns.stack_size = server.options->stack_size;
    server.cases = calloc(count + 1, sizeof *server.cases);
    if (!server.cases)
        return -ENOMEM;
    int err = serve_listeners(&server);
    if (server.fd >= 0)
        close(server.fd);
    whorl_stream_close(server.stream);
    int64_t grace_ns = server.options->grace_ns ? server.options->grace_ns : GRACE_NS_DEFAULT;
    int stopped = err == -ECANCELED ? 0 : whorl_group_stop(&server.conns, grace_ns);
    whorl_group_finish(&server.conns);
    free(server.cases);
    return err ? err : stopped;
}
