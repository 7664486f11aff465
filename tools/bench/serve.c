/* SPDX-License-Identifier: MIT */
/* An HTTP server that answers every request with 1 KiB, to measure the cost of a request. */
#include "tools/bench/serve.h"

#include <string.h>

#include <whorl.h>

#include "tools/bench/root.h"

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
    WHORL_AUTO(listener) *listener = NULL;
    WHORL_AUTO(group) group = {0};

    int err = bench_listen(*(uint16_t *)arg, NULL, &listener);
    if (err == 0)
        err = whorl_spawn(&group, serve, listener);
    if (err == 0)
        err = bench_wait_for_end(listener);
    return err ? err : whorl_group_stop(&group, WHORL_SECOND);
}

int bench_serve(uint16_t port)
{
    return bench_run("serve", serve_root, &port);
}
