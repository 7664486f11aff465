/* SPDX-License-Identifier: MIT */
/* Requests that have to wait although no event says when they can succeed, or although another
 * event is reported all the time. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <whorl.h>

#include "io/driver/epoll.h"
#include "io/driver/op.h"
#include "io/driver/ring.h"
#include "test.h"

/* How often the run has entered the kernel to look for events. */
static uint64_t waits(void)
{
    const struct io_driver *driver = io_driver_current();

    return strcmp(whorl_io_driver(), "epoll") == 0 ? epoll_driver_stats(driver)->waits
                                                   : ring_stats(driver)->enters;
}

/* --- connecting to a Unix socket whose backlog is full ---------------------------------------- */

struct backlog {
    struct whorl_addr addr;
    int listener, first;
};

static void fill_backlog(struct backlog *b)
{
    char path[100];

    snprintf(path, sizeof path, "@whorl test %d", (int)getpid());
    CHECK_OK(whorl_addr_unix(path, &b->addr));
    b->listener = whorl_socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(whorl_bind(b->listener, &b->addr));
    CHECK_OK(listen(b->listener, 0));
    b->first = whorl_socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(connect(b->first, &b->addr.sa, b->addr.len));
}

static void close_backlog(struct backlog *b)
{
    close(b->first);
    close(b->listener);
}

struct connecting {
    const struct whorl_addr *addr;
    int fd, res;
    bool done;
};

static int run_connect(void *arg)
{
    struct connecting *c = arg;

    c->res = whorl_connect(c->fd, c->addr);
    c->done = true;
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void check_connect_waits(int flags)
{
    struct backlog b;
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;

    fill_backlog(&b);
    struct connecting c = {.addr = &b.addr, .fd = whorl_socket(AF_UNIX, SOCK_STREAM | flags, 0)};
    whorl_scope_enter(&scope, whorl_after(5 * WHORL_MILLISECOND));
    int err = whorl_connect(c.fd, &b.addr);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);

    CHECK_OK(whorl_spawn(&group, run_connect, &c));
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    CHECK(!c.done);
    close(accept4(b.listener, NULL, NULL, SOCK_CLOEXEC));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(c.res);
    close(c.fd);
    close_backlog(&b);
}

TEST_IO(connect_waits_for_room_in_the_backlog)
{
    check_connect_waits(0);
}

TEST_IO(connect_on_a_non_blocking_socket_waits_for_room_in_the_backlog)
{
    check_connect_waits(SOCK_NONBLOCK);
}

TEST_IO(a_connect_that_waits_for_room_costs_little_and_can_be_cancelled)
{
    struct backlog b;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    fill_backlog(&b);
    struct connecting c = {.addr = &b.addr,
                           .fd = whorl_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    CHECK_OK(whorl_spawn(&group, run_connect, &c));
    uint64_t before = waits();
    CHECK_OK(whorl_sleep(100 * WHORL_MILLISECOND));
    CHECK(waits() - before < 60);
    whorl_group_cancel(&group);
    test_ignore(whorl_group_wait(&group));
    CHECK_ERR(c.res, -ECANCELED);
    close(c.fd);
    close_backlog(&b);
}

static int end_with_a_connect(void *arg)
{
    struct backlog *b = arg;
    static struct connecting c;

    c = (struct connecting){.addr = &b->addr,
                            .fd = whorl_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    CHECK_OK(whorl_spawn(whorl_root_group(), run_connect, &c));
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    return c.fd;
}

TEST(a_run_ends_while_a_connect_waits_for_room)
{
    struct backlog b;

    fill_backlog(&b);
    int fd = whorl_io_run(end_with_a_connect, &b);
    CHECK(fd >= 0);
    close(fd);
    close_backlog(&b);
}

/* --- datagrams to a receiver that is full ----------------------------------------------------- */

enum { DATAGRAMS = 40 };

struct sending {
    int fd;
    const struct whorl_addr *to; /* NULL: connected */
};

static int send_numbers(void *arg)
{
    const struct sending *s = arg;

    for (int i = 0; i < DATAGRAMS; i++) {
        char text[16];
        snprintf(text, sizeof text, "number %d", i);
        CHECK_EQ(whorl_sendto(s->fd, text, strlen(text), 0, s->to), strlen(text));
    }
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void receive_numbers(int fd)
{
    for (int i = 0; i < DATAGRAMS; i++) {
        char text[16], got[16] = "";
        snprintf(text, sizeof text, "number %d", i);
        if (i % 10 == 0)
            CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
        CHECK_EQ(whorl_recv(fd, got, sizeof got, 0), strlen(text));
        CHECK_STR(got, text);
    }
}

TEST_IO(datagrams_to_a_full_receiver_arrive_whole)
{
    for (int flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
        WHORL_AUTO(group) group = {0};
        int fds[2];
        CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | flags, 0, fds));
        struct sending s = {fds[0], NULL};
        CHECK_OK(whorl_spawn(&group, send_numbers, &s));
        receive_numbers(fds[1]);
        CHECK_OK(whorl_group_wait(&group));
        close(fds[0]);
        close(fds[1]);
    }
}

TEST_IO(datagrams_without_a_connection_to_a_full_receiver_arrive_whole)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_addr addr;
    char path[100];

    snprintf(path, sizeof path, "@whorl datagrams %d", (int)getpid());
    CHECK_OK(whorl_addr_unix(path, &addr));
    int receiver = whorl_socket_udp(&addr);
    struct sending s = {whorl_socket(AF_UNIX, SOCK_DGRAM, 0), &addr};
    CHECK(receiver >= 0 && s.fd >= 0);
    CHECK_OK(whorl_spawn(&group, send_numbers, &s));
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    uint64_t before = waits();
    CHECK_OK(whorl_sleep(100 * WHORL_MILLISECOND));
    CHECK(waits() - before < 60);
    receive_numbers(receiver);
    CHECK_OK(whorl_group_wait(&group));
    close(receiver);
    close(s.fd);
}

TEST_IO(a_cancelled_datagram_is_not_sent)
{
    struct whorl_scope scope;
    char buf[16];
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds));
    while (send(fds[0], "full", 4, MSG_DONTWAIT) == 4)
        ;
    whorl_scope_enter(&scope, whorl_after(5 * WHORL_MILLISECOND));
    int err = (int)whorl_send(fds[0], "late", 4, 0);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    while (recv(fds[1], buf, sizeof buf, MSG_DONTWAIT) == 4)
        CHECK_EQ(memcmp(buf, "full", 4), 0);
    CHECK_EQ(errno, EAGAIN);
    close(fds[0]);
    close(fds[1]);
}

/* --- a stream that takes a part --------------------------------------------------------------- */

static int receive_all(void *arg)
{
    size_t *left = ((void **)arg)[1];
    char *buf = malloc(100000);
    ssize_t n;

    while (*left > 0 && (n = whorl_recv(*(int *)((void **)arg)[0], buf, 100000, 0)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ((unsigned char)buf[i], (5000000 - *left + (size_t)i) % 251);
        *left -= (size_t)n;
    }
    free(buf);
    return 0;
}

TEST_IO(a_long_send_continues_where_it_stopped)
{
    for (int flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
        size_t len = 5000000, left = len;
        char *data = malloc(len);
        WHORL_AUTO(group) group = {0};
        int fds[2];
        for (size_t i = 0; i < len; i++)
            data[i] = (char)(i % 251);
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds));
        void *args[] = {&fds[1], &left};
        CHECK_OK(whorl_spawn(&group, receive_all, args));
        CHECK_OK(whorl_send_all(fds[0], data, len, 0));
        CHECK_OK(whorl_group_wait(&group));
        CHECK_EQ(left, 0);
        free(data);
        close(fds[0]);
        close(fds[1]);
    }
}

TEST_IO(a_cancelled_long_send_returns_what_was_sent)
{
    struct whorl_scope scope;
    size_t len = 5000000, got = 0;
    char *data = calloc(1, len);
    ssize_t part;
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    whorl_scope_enter(&scope, whorl_after(test_timeout_scale() * 5 * WHORL_MILLISECOND));
    ssize_t n = whorl_send(fds[0], data, len, MSG_WAITALL);
    CHECK(whorl_scope_leave(&scope, (int)n) > 0);
    while ((part = recv(fds[1], data, len, MSG_DONTWAIT)) > 0)
        got += (size_t)part;
    CHECK_EQ(n, got);
    free(data);
    close(fds[0]);
    close(fds[1]);
}

/* --- polls beside a half-closed peer ---------------------------------------------------------- */

static int read_all(void *arg)
{
    static char buf[100000];

    CHECK_OK(whorl_sleep(50 * WHORL_MILLISECOND));
    while (recv(*(int *)arg, buf, sizeof buf, MSG_DONTWAIT) > 0)
        ;
    return 0;
}

/* A peer that sends no more is reported as POLLRDHUP all the time. */
TEST_IO(a_poll_for_room_waits_while_the_peer_sends_no_more)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    while (send(fds[0], "full", 4, MSG_DONTWAIT) == 4)
        ;
    CHECK_OK(shutdown(fds[1], SHUT_WR));
    CHECK_OK(whorl_spawn(&group, read_all, &fds[1]));
    uint64_t before = waits();
    CHECK_EQ(whorl_poll_fd(fds[0], POLLOUT), POLLOUT);
    CHECK(waits() - before < 30);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(whorl_poll_fd(fds[0], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
    close(fds[0]);
    close(fds[1]);
}

TEST_IO(a_poll_beside_a_half_closed_peer_can_be_cancelled)
{
    struct whorl_scope scope;
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    CHECK_OK(shutdown(fds[1], SHUT_WR));
    for (int i = 0; i < 20; i++) {
        whorl_scope_enter(&scope, whorl_after(i * WHORL_MILLISECOND / 10));
        int err = whorl_poll_fd(fds[0], POLLPRI);
        CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    }
    close(fds[0]);
    close(fds[1]);
}

TEST_MAIN()
