/* SPDX-License-Identifier: MIT */
/* An HTTP server that answers every request with 1 KiB, to measure the cost of a request. */
#include "tools/bench/serve.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <whorl.h>

static WHORL_SUSPENDS int reply_1k(void *arg, struct whorl_http_incoming *incoming,
                                   struct whorl_http_reply *reply)
{
    (void)incoming;
    return whorl_http_reply_send(reply, 200, "text/plain", arg, 1024);
}

static int serve(void *arg)
{
    struct whorl_listener *listener = arg;
    char body[1024];

    memset(body, 'x', sizeof body);
    return whorl_http_serve(&listener, 1, NULL, reply_1k, body);
}

static int serve_root(void *arg)
{
    const int ending[] = {SIGINT, SIGTERM, 0};
    WHORL_AUTO(signals) *signals = NULL;
    WHORL_AUTO(listener) *listener = NULL;
    WHORL_AUTO(group) group = {0};
    struct whorl_addr addr;

    int err = whorl_signals_open(ending, &signals);
    if (err == 0)
        err = whorl_addr_parse("127.0.0.1", *(uint16_t *)arg, &addr);
    if (err == 0)
        err = whorl_listen(&addr, NULL, &listener);
    if (err == 0)
        err = whorl_spawn(&group, serve, listener);
    if (err == 0) {
        printf("port %d\n", whorl_addr_port(whorl_listener_addr(listener)));
        fflush(stdout);
        err = whorl_signals_wait(signals, NULL);
    }
    return err ? err : whorl_group_stop(&group, WHORL_SECOND);
}

int bench_serve(uint16_t port)
{
    struct whorl_error error = {0};

    int err = whorl_io_run_with(NULL, &error, serve_root, &port);
    if (err)
        fprintf(stderr, "whorl-bench: serve: %s\n",
                error.text[0] ? error.text : whorl_strerror(err));
    return err ? 1 : 0;
}
