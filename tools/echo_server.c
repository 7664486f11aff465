/* SPDX-License-Identifier: MIT */
/* Accepts connections and sends back what they send. */
#include "tools/echo_server.h"

#include <unistd.h>

#include <whorl/group.h>
#include <whorl/stream.h>

static int echo(void *arg)
{
    WHORL_AUTO(stream) *stream = arg;
    char buf[4096];
    ssize_t n;

    while ((n = whorl_stream_read(stream, buf, sizeof buf)) > 0)
        if (whorl_stream_write(stream, buf, (size_t)n) < 0)
            break;
    return 0;
}

WHORL_SUSPENDS int echo_server_run(void *arg)
{
    const struct echo_server *server = arg;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    int fd;

    group.stack_size = server->stack_size;
    while ((fd = whorl_accept(server->listener, NULL)) >= 0) {
        struct whorl_stream *stream;
        int err = whorl_stream_from_socket(fd, &stream);
        if (err) {
            close(fd);
            return err;
        }
        err = whorl_spawn(&group, echo, stream);
        if (err) {
            whorl_stream_close(stream);
            return err;
        }
    }
    return fd;
}
