/* SPDX-License-Identifier: MIT */
/* A TCP echo server with one task per connection. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <whorl.h>

#include "tools/whorl-bench/bench.h"

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

/* Accepts connections until accepting fails or the task is cancelled. */
static int serve(void *arg)
{
    struct whorl_listener *listener = arg;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    int fd;

    while ((fd = whorl_accept(listener, NULL)) >= 0) {
        int err = whorl_spawn_copy(&group, echo, &fd);
        if (err) {
            whorl_close(fd);
            return err;
        }
    }
    return fd;
}

/* Waits for SIGINT or SIGTERM, which the caller has blocked. */
static WHORL_SUSPENDS int wait_for_signal(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = whorl_poll_fd(fd, POLLIN);
    close(fd);
    return err < 0 ? err : 0;
}

static int echo_root(void *arg)
{
    WHORL_AUTO(listener) *listener = NULL;
    WHORL_AUTO(group) group = {0};
    struct whorl_addr addr;

    int err = whorl_addr_parse("127.0.0.1", *(uint16_t *)arg, &addr);
    if (err == 0)
        err = whorl_listen(&addr, &(struct whorl_listen_options){.no_delay = true}, &listener);
    if (err == 0)
        err = whorl_spawn(&group, serve, listener);
    if (err == 0) {
        printf("port %d\n", whorl_addr_port(whorl_listener_addr(listener)));
        fflush(stdout);
        err = wait_for_signal();
    }
    return err;
}

int bench_echo(uint16_t port)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct whorl_error error = {0};
    int err = whorl_io_run_with(NULL, &error, echo_root, &port);
    if (err)
        fprintf(stderr, "whorl-bench: echo: %s\n",
                error.text[0] ? error.text : whorl_strerror(err));
    return err ? 1 : 0;
}
