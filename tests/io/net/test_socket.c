/* SPDX-License-Identifier: MIT */
/* Sockets: connecting, moving bytes and messages, and a shutdown while a task reads. */
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "io_faults.h"
#include "test.h"

static int listening_socket(struct whorl_addr *ret)
{
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, ret));
    CHECK_OK(whorl_bind(fd, ret));
    CHECK_OK(listen(fd, 16));
    CHECK_OK(whorl_addr_local(fd, ret));
    return fd;
}

TEST(sockets_are_close_on_exec)
{
    int fd = whorl_socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    CHECK_ERR(whorl_socket(AF_INET, 77, 0), -EINVAL);
    CHECK_ERR(whorl_shutdown(-1, SHUT_RD), -EBADF);
    CHECK_ERR(whorl_bind(-1, &(struct whorl_addr){0}), -EBADF);
}

TEST_IO(connect_connects)
{
    struct whorl_addr addr, peer;
    char text[WHORL_ADDR_TEXT_MAX], expected[WHORL_ADDR_TEXT_MAX];
    int server = listening_socket(&addr), fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(whorl_connect(fd, &addr));
    CHECK_OK(whorl_addr_peer(fd, &peer));
    CHECK_STR(whorl_addr_text(&peer, text, sizeof text),
              whorl_addr_text(&addr, expected, sizeof expected));
    close(fd);
    close(server);
}

TEST_IO(connect_says_when_nobody_listens)
{
    struct whorl_addr addr;
    close(listening_socket(&addr));
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(whorl_connect(fd, &addr), -ECONNREFUSED);
    CHECK_OK(whorl_addr_unix("/no/such/socket", &addr));
    close(fd);
    fd = whorl_socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERR(whorl_connect(fd, &addr), -ENOENT);
    close(fd);
}

TEST_IO(bytes_go_both_ways)
{
    int p[2];
    char buf[8];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    CHECK_ERR(whorl_send(p[0], "ping", 4, 0), 4);
    CHECK_ERR(whorl_recv(p[1], buf, sizeof buf, MSG_PEEK), 4);
    CHECK_ERR(whorl_recv(p[1], buf, sizeof buf, 0), 4);
    CHECK_EQ(memcmp(buf, "ping", 4), 0);
    CHECK_ERR(whorl_recv(p[1], buf, sizeof buf, MSG_DONTWAIT), -EAGAIN);
    CHECK_OK(whorl_send_all(p[1], "pong", 4, 0));
    CHECK_OK(whorl_send_all(p[1], "pong", 0, 0));
    CHECK_ERR(whorl_recv(p[0], buf, sizeof buf, 0), 4);
    CHECK_OK(whorl_shutdown(p[1], SHUT_WR));
    CHECK_ERR(whorl_recv(p[0], buf, sizeof buf, 0), 0);
    close(p[0]);
    close(p[1]);
}

TEST_IO(sending_to_a_peer_that_has_gone_is_an_error_and_no_signal)
{
    int p[2];
    struct iovec part = {"x", 1};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    close(p[1]);
    CHECK_ERR(whorl_send(p[0], "x", 1, 0), -EPIPE);
    CHECK_ERR(whorl_send_all(p[0], "x", 1, 0), -EPIPE);
    CHECK_ERR(whorl_sendmsg(p[0], &msg, 0), -EPIPE);
    close(p[0]);
}

static int shut_soon(void *arg)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    return whorl_shutdown(*(int *)arg, SHUT_RDWR);
}

TEST_IO(shutdown_wakes_a_reader)
{
    WHORL_AUTO(group) group = {0};
    int p[2];
    char byte;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    CHECK_OK(whorl_spawn(&group, shut_soon, &p[0]));
    CHECK_ERR(whorl_recv(p[0], &byte, 1, 0), 0);
    close(p[0]);
    close(p[1]);
}

TEST_IO(messages_carry_addresses_and_descriptors)
{
    struct whorl_addr a_addr, b_addr, from = {0};
    int a = whorl_socket(AF_INET, SOCK_DGRAM, 0), b = whorl_socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &a_addr));
    CHECK_OK(whorl_bind(a, &a_addr));
    CHECK_OK(whorl_bind(b, &a_addr));
    CHECK_OK(whorl_addr_local(a, &a_addr));
    CHECK_OK(whorl_addr_local(b, &b_addr));

    char buf[16];
    struct iovec out[2] = {{"one ", 4}, {"two", 3}}, in = {buf, sizeof buf};
    struct msghdr msg = {
        .msg_name = &b_addr.sa, .msg_namelen = b_addr.len, .msg_iov = out, .msg_iovlen = 2};
    CHECK_ERR(whorl_sendmsg(a, &msg, 0), 7);
    msg = (struct msghdr){
        .msg_name = &from.sa, .msg_namelen = sizeof from.in6, .msg_iov = &in, .msg_iovlen = 1};
    CHECK_ERR(whorl_recvmsg(b, &msg, 0), 7);
    CHECK_EQ(memcmp(buf, "one two", 7), 0);
    CHECK_EQ(whorl_addr_port(&from), whorl_addr_port(&a_addr));
    close(a);
    close(b);
}

struct sink {
    int fd;
    size_t got;
};

static int drain(void *arg)
{
    struct sink *sink = arg;
    static char buf[7000];
    ssize_t n;
    while ((n = whorl_recv(sink->fd, buf, sizeof buf, 0)) > 0)
        sink->got += (size_t)n;
    return (int)n;
}

TEST_IO(send_all_goes_on_until_everything_is_sent)
{
    static char data[4 << 20];
    WHORL_AUTO(group) group = {0};
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    struct sink sink = {.fd = p[0]};
    CHECK_OK(whorl_spawn(&group, drain, &sink));
    CHECK_OK(whorl_send_all(p[1], data, sizeof data, 0));
    CHECK_OK(whorl_shutdown(p[1], SHUT_WR));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(sink.got, sizeof data);
    close(p[0]);
    close(p[1]);
}

TEST_IO(sockets_that_do_not_block_are_waited_for_all_the_same)
{
    static char data[1 << 20];
    WHORL_AUTO(group) group = {0};
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p));
    struct sink sink = {.fd = p[0]};
    CHECK_OK(whorl_spawn(&group, drain, &sink));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(whorl_send_all(p[1], data, sizeof data, 0));
    close(p[1]);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(sink.got, sizeof data);
    close(p[0]);
}

static int converse(void *arg)
{
    struct whorl_addr addr;
    char buf[8];
    struct iovec part = {buf, 4};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    int p[2], server = listening_socket(&addr), fd = whorl_socket(AF_INET, SOCK_STREAM, 0);

    (void)arg;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    int err = whorl_connect(fd, &addr);
    if (err == 0)
        err = whorl_send_all(p[0], "12345678", 8, 0);
    if (err == 0)
        err = (int)whorl_recv(p[1], buf, 4, 0);
    if (err >= 0)
        err = (int)whorl_recvmsg(p[1], &msg, 0);
    if (err >= 0)
        err = (int)whorl_sendmsg(p[1], &msg, 0);
    close(fd);
    close(server);
    close(p[0]);
    close(p[1]);
    return err < 0 ? err : 0;
}

static int run_converse(void *arg)
{
    return whorl_io_run(converse, arg);
}

TEST(every_failing_request_is_reported)
{
    CHECK_EQ(io_faults_sweep(run_converse, NULL, -ENOBUFS), 10);
}

TEST_MAIN()
