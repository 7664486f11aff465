/* SPDX-License-Identifier: MIT */
/* Datagrams over UDP and Unix sockets. */
#include <unistd.h>

#include <whorl.h>

#include "io_faults.h"
#include "test.h"

static int udp(const char *ip, struct whorl_addr *ret)
{
    CHECK_OK(whorl_addr_parse(ip, 0, ret));
    int fd = whorl_socket_udp(ret);
    if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
        test_skip("no %s here", ip);
    CHECK(fd >= 0);
    CHECK_OK(whorl_addr_local(fd, ret));
    return fd;
}

static int echo(void *arg)
{
    int fd = *(int *)arg;
    char buf[2000];
    struct whorl_addr from;
    for (;;) {
        ssize_t n = whorl_recvfrom(fd, buf, sizeof buf, 0, &from);
        if (n >= 0)
            n = whorl_sendto(fd, buf, (size_t)n, 0, &from);
        if (n <= 0)
            return (int)n;
    }
}

static WHORL_SUSPENDS_SHIELDED void check_echo(const char *ip)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_addr server, client, from;
    int a = udp(ip, &server), b = udp(ip, &client);
    char buf[2000], text[2][WHORL_ADDR_TEXT_MAX];
    CHECK_OK(whorl_spawn(&group, echo, &a));
    for (size_t len = 1; len < 1500; len += 100) {
        memset(buf, (int)len, len);
        CHECK_ERR(whorl_sendto(b, buf, len, 0, &server), (ssize_t)len);
        memset(buf, 0, sizeof buf);
        CHECK_ERR(whorl_recvfrom(b, buf, sizeof buf, 0, &from), (ssize_t)len);
        CHECK_EQ((unsigned char)buf[len - 1], (unsigned char)len);
        CHECK_EQ(buf[len], 0);
        CHECK_STR(whorl_addr_text(&from, text[0], sizeof text[0]),
                  whorl_addr_text(&server, text[1], sizeof text[1]));
    }
    /* An empty datagram is a valid one, and it ends the echo. */
    CHECK_ERR(whorl_sendto(b, NULL, 0, 0, &server), 0);
    CHECK_ERR(whorl_recvfrom(b, buf, sizeof buf, 0, NULL), 0);
    CHECK_OK(whorl_group_wait(&group));
    close(a);
    close(b);
}

TEST_IO(udp_echo)
{
    check_echo("127.0.0.1");
}

TEST_IO(udp_echo_over_ipv6)
{
    check_echo("::1");
}

TEST_IO(a_datagram_that_does_not_fit_is_an_error_and_gone)
{
    struct whorl_addr server, client;
    int a = udp("127.0.0.1", &server), b = udp("127.0.0.1", &client);
    char buf[4];
    CHECK_ERR(whorl_sendto(b, "12345", 5, 0, &server), 5);
    CHECK_ERR(whorl_sendto(b, "1234", 4, 0, &server), 4);
    CHECK_ERR(whorl_recvfrom(a, buf, 4, 0, NULL), -EMSGSIZE);
    CHECK_ERR(whorl_recvfrom(a, buf, 4, 0, NULL), 4);
    CHECK_ERR(whorl_sendto(b, "12345", 5, 0, &server), 5);
    CHECK_ERR(whorl_recvfrom(a, buf, 4, MSG_TRUNC, NULL), 5); /* because MSG_TRUNC was given */
    close(a);
    close(b);
}

TEST_IO(a_connected_socket_needs_no_address)
{
    struct whorl_addr server, client;
    int a = udp("127.0.0.1", &server), b = udp("127.0.0.1", &client);
    char buf[8] = "";
    CHECK_ERR(whorl_sendto(b, "x", 1, 0, NULL), -EDESTADDRREQ);
    CHECK_OK(whorl_connect(b, &server));
    CHECK_ERR(whorl_sendto(b, "hello", 5, 0, NULL), 5);
    CHECK_ERR(whorl_recvfrom(a, buf, sizeof buf, 0, NULL), 5);
    CHECK_STR(buf, "hello");
    close(a);
    CHECK_ERR(whorl_sendto(b, "x", 1, 0, NULL), 1);
    CHECK_ERR(whorl_recvfrom(b, buf, sizeof buf, 0, NULL), -ECONNREFUSED);
    close(b);
}

TEST_IO(unix_datagrams_know_their_sender)
{
    char path[2][90], text[WHORL_ADDR_TEXT_MAX];
    struct whorl_addr a_addr, b_addr, from;
    char buf[8] = "";
    snprintf(path[0], sizeof path[0], "%s/a", test_tmpdir());
    snprintf(path[1], sizeof path[1], "%s/b", test_tmpdir());
    CHECK_OK(whorl_addr_unix(path[0], &a_addr));
    CHECK_OK(whorl_addr_unix(path[1], &b_addr));
    int a = whorl_socket_udp(&a_addr), b = whorl_socket_udp(&b_addr);
    CHECK(a >= 0 && b >= 0);
    CHECK_ERR(whorl_socket_udp(&a_addr), -EADDRINUSE);
    CHECK_ERR(whorl_sendto(a, "hi", 2, 0, &b_addr), 2);
    CHECK_ERR(whorl_recvfrom(b, buf, sizeof buf, 0, &from), 2);
    CHECK_STR(buf, "hi");
    CHECK_STR(whorl_addr_text(&from, text, sizeof text), path[0]);
    close(a);
    close(b);
}

TEST_MAIN()
