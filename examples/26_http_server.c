/* SPDX-License-Identifier: MIT */
/* An HTTP server. The handler answers one request, in the task of its connection. So it may
 * suspend, and the other connections continue.
 * Next: 27_timeouts.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl.h>

static WHORL_SUSPENDS int hello(void *arg, struct whorl_http_incoming *incoming,
                                struct whorl_http_reply *reply)
{
    (void)incoming;
    return whorl_http_reply_send(reply, 200, "text/plain", arg, strlen(arg));
}

static int root(void *arg)
{
    WHORL_AUTO(listener) *listener = NULL;
    int err = whorl_listen_ip("127.0.0.1", (uint16_t)atoi(arg), NULL, &listener);
    if (err)
        return err;
    dprintf(1, "listening on port %d\n", whorl_addr_port(whorl_listener_addr(listener)));
    return whorl_http_serve(&listener, 1, NULL, hello, "hello, world\n");
}

int main(int argc, char **argv) /* 26_http_server --port PORT */
{
    return whorl_io_run(root, argv[argc - 1]) ? 1 : 0;
}
