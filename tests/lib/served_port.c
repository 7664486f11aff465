/* SPDX-License-Identifier: MIT */
/* HTTP servers on free ports, for tests. */
#include "served_port.h"

#include "test.h"

int served_port_serve(void *arg)
{
    struct served_port *server = arg;

    server->result =
        whorl_http_serve(&server->listener, 1, &server->options, server->fn, server->arg);
    return 0;
}

uint16_t served_port_begin(struct served_port *server, whorl_http_handler_fn fn, void *arg)
{
    struct whorl_addr addr;

    server->fn = fn;
    server->arg = arg;
    server->result = 1;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &server->listener));
    CHECK_OK(whorl_spawn(&server->group, served_port_serve, server));
    return whorl_addr_port(whorl_listener_addr(server->listener));
}

WHORL_SUSPENDS_SHIELDED struct whorl_stream *served_port_dial(const struct served_port *server)
{
    struct whorl_stream *stream;
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    CHECK_OK(whorl_connect(fd, whorl_listener_addr(server->listener)));
    CHECK_OK(whorl_stream_from_socket(fd, &stream));
    return stream;
}

WHORL_SUSPENDS_SHIELDED void served_port_end(struct served_port *server)
{
    CHECK_OK(whorl_group_stop(&server->group, WHORL_MINUTE));
    CHECK_OK(server->result);
    whorl_listener_close(server->listener);
}
