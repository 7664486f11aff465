/* SPDX-License-Identifier: MIT */
/* Accepts connections and sends back what they send. */
#include "tools/echo_server.h"

#include <whorl/fd.h>
#include <whorl/group.h>

static int echo(void *arg)
{
    int fd = *(int *)arg;
    char buf[4096];
    ssize_t n;

    while ((n = whorl_recv(fd, buf, sizeof buf, 0)) > 0)
        if (whorl_send_all(fd, buf, (size_t)n, 0) < 0)
            break;
    whorl_close(fd);
    return 0;
}

WHORL_SUSPENDS int echo_server_run(void *arg)
{
    const struct echo_server *server = arg;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    int fd;

    group.stack_size = server->stack_size;
    while ((fd = whorl_accept(server->listener, NULL)) >= 0) {
        int err = whorl_spawn_copy(&group, echo, &fd);
        if (err) {
            whorl_close(fd);
            return err;
        }
    }
    return fd;
}
