/* SPDX-License-Identifier: MIT */
/* Ports for tests on loopback: free ones, ones that refuse, and ones that never answer. */
#include "ports.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

static int bind_v4(uint16_t *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        test_fail(__FILE__, __LINE__, "binding a port of 127.0.0.1: %s", strerror(errno));
    if (ret_port)
        *ret_port = ntohs(addr.sin_port);
    return fd;
}

int port_listen(uint16_t *ret_port)
{
    int fd = bind_v4(ret_port);
    if (listen(fd, 1024) != 0)
        test_fail(__FILE__, __LINE__, "listen: %s", strerror(errno));
    return fd;
}

int port_listen_v6(uint16_t port)
{
    struct sockaddr_in6 addr = {
        .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(port)};
    int on = 1;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 1024) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void close_fd(void *arg)
{
    int *fd = arg;
    close(*fd);
    free(fd);
}

/* Keeps the descriptor open until the test ends. */
static void keep_open(int fd)
{
    int *kept = malloc(sizeof *kept);
    *kept = fd;
    test_at_end(close_fd, kept);
}

uint16_t port_refused(void)
{
    uint16_t port;
    keep_open(bind_v4(&port));
    return port;
}

uint16_t port_blackhole(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint16_t port;
    int fd = bind_v4(&port);

    if (listen(fd, 0) != 0)
        test_fail(__FILE__, __LINE__, "listen: %s", strerror(errno));
    keep_open(fd);
    addr.sin_port = htons(port);
    for (int i = 0; i < 16; i++) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct pollfd poll_fd = {.fd = client, .events = POLLOUT};
        keep_open(client);
        connect(client, (struct sockaddr *)&addr, sizeof addr);
        if (poll(&poll_fd, 1, 50) == 0)
            return port; /* the kernel has begun to drop SYNs */
    }
    test_fail(__FILE__, __LINE__, "a backlog of 0 took 16 connections");
}
