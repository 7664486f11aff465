/* SPDX-License-Identifier: MIT */
/* A TCP proxy: forwards each connection to a server, in both directions at the same time. The end
 * of one direction is passed on while the other continues, as with `ssh host sort <file`. If the
 * server cannot be reached or resets the connection, the client's connection is reset too: an
 * ordinary end would tell the client that it has received everything.
 * Next: crawler.c */
#include <stdio.h>
#include <stdlib.h>

#include <whorl.h>

static int forward(void *arg, struct whorl_stream *client)
{
    char **target = arg; /* host, port */
    WHORL_AUTO(stream) *server = NULL;
    struct whorl_scope scope;

    whorl_scope_enter_timeout(&scope, 10 * WHORL_SECOND);
    int err = whorl_dial_stream(target[0], (uint16_t)atoi(target[1]), NULL, NULL, &server);
    err = whorl_scope_leave(&scope, err);
    return err ? err : whorl_stream_copy_both(client, server, NULL, NULL);
}

static void reset(void *arg, struct whorl_stream *client, int err)
{
    char **target = arg;
    struct linger now = {.l_onoff = 1}; /* the close sends a reset */

    fprintf(stderr, "proxy: %s port %s: %s\n", target[0], target[1], whorl_strerror(err));
    if (client)
        setsockopt(whorl_stream_option_fd(client), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static int root(void *arg)
{
    char **argv = arg;
    struct whorl_serve_options options = {.conns_max = 1000, .failed = reset};
    WHORL_AUTO(listener) *listener = NULL;

    int err = whorl_listen_ip("127.0.0.1", (uint16_t)atoi(argv[2]), NULL, &listener);
    if (err)
        return err;
    dprintf(1, "listening on port %d\n", whorl_addr_port(whorl_listener_addr(listener)));
    return whorl_serve(&listener, 1, &options, forward, argv + 3);
}

int main(int argc, char **argv) /* proxy --port PORT HOST PORT */
{
    return argc == 5 && whorl_io_run(root, argv) == 0 ? 0 : 1;
}
