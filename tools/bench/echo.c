/* SPDX-License-Identifier: MIT */
/* A TCP echo server with one task per connection. */
#include "tools/bench/echo.h"

#include <whorl.h>

#include "tools/bench/root.h"
#include "tools/echo_server.h"

static int echo_root(void *arg)
{
    WHORL_AUTO(listener) *listener = NULL;
    struct echo_server server = {0};
    WHORL_AUTO(group) group = {0};

    int err =
        bench_listen(*(uint16_t *)arg, &(struct whorl_listen_options){.no_delay = true}, &listener);
    server.listener = listener;
    if (err == 0)
        err = whorl_spawn(&group, echo_server_run, &server);
    if (err == 0)
        err = bench_wait_for_end(listener);
    return err;
}

int bench_echo(uint16_t port)
{
    return bench_run("echo", echo_root, &port);
}
