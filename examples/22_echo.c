/* SPDX-License-Identifier: MIT */
/* An echo server. Each connection has its own task, whose code looks as if it were the only one.
 * The calls for I/O have the names of the system calls. The program ends at the end of its input,
 * or when it can accept no more: the failure of that task also cancels the group's owner_scope.
 * Next: 23_signals.c */
#include <stdio.h>
#include <unistd.h>

#include <whorl.h>

static int serve(void *arg)
{
    int err = 0, fd = *(int *)arg;
    char buf[4096];
    ssize_t n;

    while (err == 0 && (n = whorl_recv(fd, buf, sizeof buf, 0)) > 0)
        err = whorl_send_all(fd, buf, (size_t)n, 0);
    whorl_close(fd); /* after cancellation too */
    return err;
}

static int accept_all(void *arg)
{
    WHORL_AUTO(group) conns = {.policy = WHORL_GROUP_COLLECT};
    int fd, err = 0;

    while (err == 0 && (fd = whorl_accept(arg, NULL)) >= 0)
        if ((err = whorl_spawn_copy(&conns, serve, &fd)) != 0)
            whorl_close(fd);
    return err ? err : fd;
}

static int root(void *arg)
{
    WHORL_AUTO(listener) *listener = NULL;
    struct whorl_scope scope;
    WHORL_AUTO(group) group = {.owner_scope = &scope};
    char text[WHORL_ADDR_TEXT_MAX], buf[256];
    struct whorl_addr addr;

    int err = whorl_addr_parse(arg, 0, &addr);
    if (err || (err = whorl_listen(&addr, NULL, &listener)))
        return err;
    printf("%s\n", whorl_addr_text(whorl_listener_addr(listener), text, sizeof text));
    fflush(stdout);
    whorl_scope_enter(&scope, WHORL_FOREVER);
    err = whorl_spawn(&group, accept_all, listener);
    for (ssize_t n = 1; err == 0 && n > 0;)
        err = (n = whorl_read(STDIN_FILENO, buf, sizeof buf)) < 0 ? (int)n : 0;
    err = whorl_scope_leave(&scope, err);
    return err == -ECANCELED ? whorl_group_wait(&group) : err; /* why accept_all() has failed */
}

int main(void)
{
    int err = whorl_io_run(root, "127.0.0.1");
    return err ? (fprintf(stderr, "22_echo: %s\n", whorl_strerror(err)), 1) : 0;
}
