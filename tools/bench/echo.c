/* SPDX-License-Identifier: MIT */
/* A TCP echo server with one task per connection. */
#include "tools/bench/echo.h"

#include <signal.h>
#include <stdio.h>

#include <whorl.h>

#include "tools/echo_server.h"

static int echo_root(void *arg)
{
    const int ending[] = {SIGINT, SIGTERM, 0};
    WHORL_AUTO(signals) *signals = NULL;
    WHORL_AUTO(listener) *listener = NULL;
    struct echo_server server = {0};
    WHORL_AUTO(group) group = {0};
    struct whorl_addr addr;

    int err = whorl_signals_open(ending, &signals);
    if (err == 0)
        err = whorl_addr_parse("127.0.0.1", *(uint16_t *)arg, &addr);
    if (err == 0)
        err = whorl_listen(&addr, &(struct whorl_listen_options){.no_delay = true}, &listener);
    server.listener = listener;
    if (err == 0)
        err = whorl_spawn(&group, echo_server_run, &server);
    if (err == 0) {
        printf("port %d\n", whorl_addr_port(whorl_listener_addr(listener)));
        fflush(stdout);
        err = whorl_signals_wait(signals, NULL);
    }
    return err;
}

int bench_echo(uint16_t port)
{
    struct whorl_error error = {0};

    int err = whorl_io_run_with(NULL, &error, echo_root, &port);
    if (err)
        fprintf(stderr, "whorl-bench: echo: %s\n",
                error.text[0] ? error.text : whorl_strerror(err));
    return err ? 1 : 0;
}
