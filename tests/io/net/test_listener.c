/* SPDX-License-Identifier: MIT */
/* Listeners: connections arrive in order and none is lost, whichever task waits, cancels or
 * closes. */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl.h>

#include "faults.h"
#include "io/driver/op.h"
#include "io_faults.h"
#include "test.h"

static struct whorl_listener *listen_here(void)
{
    struct whorl_listener *listener;
    struct whorl_addr addr;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &listener));
    return listener;
}

/* Connects without the ring and sends `byte`, so that the test can tell the connections apart. */
static int dial_it(const struct whorl_addr *addr, char byte)
{
    int fd = whorl_socket(addr->sa.sa_family, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, &addr->sa, addr->len), 0);
    CHECK_EQ(send(fd, &byte, 1, 0), 1);
    return fd;
}

static WHORL_SUSPENDS_SHIELDED void log_byte_of(int fd)
{
    char byte;
    CHECK_ERR(whorl_recv(fd, &byte, 1, 0), 1);
    test_log("%c", byte);
}

/* --- taking connections ----------------------------------------------------------------------- */

TEST_IO(connections_come_in_the_order_of_their_arrival)
{
    WHORL_AUTO(listener) *l = listen_here();
    int clients[5];
    for (int i = 0; i < 5; i++)
        clients[i] = dial_it(whorl_listener_addr(l), (char)('a' + i));
    for (int i = 0; i < 5; i++) {
        struct whorl_addr peer, local;
        int fd = whorl_accept(l, &peer);
        CHECK(fd >= 0);
        CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
        CHECK_OK(whorl_addr_local(clients[i], &local));
        CHECK_EQ(whorl_addr_port(&peer), whorl_addr_port(&local));
        log_byte_of(fd);
        close(fd);
        close(clients[i]);
    }
    CHECK_STR(test_logged(), "a b c d e");
}

struct server {
    struct whorl_listener *listener;
    char name;
};

static int accept_one(void *arg)
{
    struct server *server = arg;
    int fd = whorl_accept(server->listener, NULL);
    if (fd < 0) {
        test_log("%c:%s", server->name, whorl_error_name(fd));
        return fd;
    }
    test_log("%c", server->name);
    log_byte_of(fd);
    close(fd);
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void start(struct whorl_group *group, struct whorl_listener *l,
                                          const char *names)
{
    for (; *names; names++)
        CHECK_OK(whorl_spawn_copy(group, accept_one, (&(struct server){l, *names})));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
}

TEST_IO(tasks_are_served_in_the_order_of_their_arrival)
{
    WHORL_AUTO(listener) *l = listen_here();
    struct whorl_group group = {0};
    int clients[3];
    start(&group, l, "ABC");
    for (int i = 0; i < 3; i++) {
        clients[i] = dial_it(whorl_listener_addr(l), (char)('1' + i));
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "A 1 B 2 C 3");
    for (int i = 0; i < 3; i++)
        close(clients[i]);
}

TEST_IO(one_accept_stays_armed_for_many_connections)
{
    WHORL_AUTO(listener) *l = listen_here();
    int clients[20], n = 0;
    clients[0] = dial_it(whorl_listener_addr(l), 'x');
    int fd = whorl_accept(l, NULL);
    CHECK(fd >= 0);
    close(fd);
    close(clients[0]);
    CHECK_EQ(io_driver_current()->in_flight, 1);
    CHECK_EQ(io_driver_current()->background, 1);
    for (int i = 0; i < 20; i++)
        clients[i] = dial_it(whorl_listener_addr(l), 'x');
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    io_faults_submit(1); /* no more requests need to be submitted */
    for (n = 0; n < 20; n++) {
        fd = whorl_accept(l, NULL);
        CHECK(fd >= 0);
        close(fd);
        close(clients[n]);
    }
    CHECK(!io_faults_disarm());
}

/* Connections that are not accepted stay in the kernel, where the backlog limits them. */
TEST_IO(a_flood_is_not_taken_in_without_bound)
{
    enum { FLOOD = 300 };
    static int clients[FLOOD];
    WHORL_AUTO(listener) *l = listen_here();
    clients[0] = dial_it(whorl_listener_addr(l), 'x');
    int fd = whorl_accept(l, NULL), fds;
    close(fd);
    close(clients[0]);
    fds = test_open_fds();
    for (int i = 0; i < FLOOD; i++) {
        clients[i] = dial_it(whorl_listener_addr(l), 'x');
        if (i % 10 == 0)
            CHECK_OK(whorl_sleep(100 * WHORL_MICROSECOND));
    }
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    CHECK(test_open_fds() - fds - FLOOD >= 64);
    CHECK(test_open_fds() - fds - FLOOD < 90);
    for (int i = 0; i < FLOOD; i++) {
        fd = whorl_accept(l, NULL);
        CHECK(fd >= 0);
        close(fd);
    }
    for (int i = 0; i < FLOOD; i++)
        close(clients[i]);
}

TEST_IO(kernels_without_multishot_accept_do_the_same)
{
    WHORL_AUTO(listener) *l = listen_here();
    struct whorl_group group = {0};
    int clients[3];
    io_faults_complete(1, -EINVAL); /* the accept fails with this */
    start(&group, l, "ABC");
    CHECK(io_faults_disarm());
    for (int i = 0; i < 3; i++)
        clients[i] = dial_it(whorl_listener_addr(l), 'x');
    CHECK_OK(whorl_group_wait(&group));
    const char *log = test_logged();
    CHECK_EQ(strlen(log), 11);
    CHECK(strchr(log, 'A') < strchr(log, 'B') && strchr(log, 'B') < strchr(log, 'C'));
    CHECK_EQ(io_driver_current()->in_flight, 0);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
}

TEST_IO(a_connection_that_was_aborted_is_passed_over)
{
    WHORL_AUTO(listener) *l = listen_here();
    struct whorl_group group = {0};
    io_faults_complete(1, -ECONNABORTED);
    start(&group, l, "A");
    CHECK(io_faults_disarm());
    int client = dial_it(whorl_listener_addr(l), '1');
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "A 1");
    close(client);
}

TEST_IO(running_out_of_descriptors_is_told_and_passes)
{
    WHORL_AUTO(listener) *l = listen_here();
    struct rlimit old, low;
    int client = dial_it(whorl_listener_addr(l), '1');
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &old));
    low = old;
    low.rlim_cur = (rlim_t)client + 1;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &low));
    CHECK_ERR(whorl_accept(l, NULL), -EMFILE);
    CHECK_ERR(whorl_accept(l, NULL), -EMFILE);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &old));
    int fd = whorl_accept(l, NULL);
    CHECK(fd >= 0);
    log_byte_of(fd);
    close(fd);
    close(client);
}

/* --- cancelling ------------------------------------------------------------------------------- */

TEST_IO(a_cancelled_accept_loses_no_connection)
{
    for (int i = 0; i < 100; i++) {
        WHORL_AUTO(listener) *l = listen_here();
        struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
        test_log_clear();
        if (i % 2)
            start(&group, l, "A");
        else
            CHECK_OK(whorl_spawn_copy(&group, accept_one, (&(struct server){l, 'A'})));
        int client = dial_it(whorl_listener_addr(l), '1');
        if (i % 3)
            CHECK_OK(whorl_sleep(0));
        whorl_group_cancel(&group);
        int err = whorl_group_wait(&group);
        if (strcmp(test_logged(), "A:ECANCELED") == 0) {
            int fd = whorl_accept(l, NULL); /* the connection can still be accepted */
            CHECK(fd >= 0);
            log_byte_of(fd);
            close(fd);
        } else {
            CHECK(err == 0 || err == -ECANCELED);
            CHECK_EQ(test_logged()[0], 'A');
        }
        close(client);
    }
}

TEST_IO(accept_in_a_cancelled_scope_takes_nothing)
{
    WHORL_AUTO(listener) *l = listen_here();
    struct whorl_scope scope;
    int client = dial_it(whorl_listener_addr(l), '1');
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_accept(l, NULL), -ECANCELED);
    whorl_scope_leave(&scope, 0);
    int fd = whorl_accept(l, NULL);
    CHECK(fd >= 0);
    close(fd);
    close(client);
}

/* --- who keeps a run alive -------------------------------------------------------------------- */

static WHORL_SUSPENDS int wait_for_ever(void *arg)
{
    struct whorl_event event = {0};
    (void)arg;
    return whorl_event_wait(&event);
}

static int wait_beside_an_armed_listener(void *arg)
{
    WHORL_AUTO(listener) *l = listen_here();
    (void)arg;
    int client = dial_it(whorl_listener_addr(l), 'x');
    close(whorl_accept(l, NULL));
    close(client);
    return wait_for_ever(NULL);
}

TEST(an_armed_listener_nobody_waits_in_does_not_hide_a_deadlock)
{
    struct whorl_io_options options = {.run.quiet = true};
    CHECK_ERR(whorl_io_run_with(&options, NULL, wait_beside_an_armed_listener, NULL), -EDEADLK);
}

static int accept_until_deadline(void *arg)
{
    WHORL_AUTO(listener) *l = listen_here();
    struct whorl_scope scope;
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int client = dial_it(whorl_listener_addr(l), 'x');
        close(whorl_accept(l, NULL));
        close(client);
    }
    whorl_scope_enter(&scope, whorl_after(5 * WHORL_MILLISECOND));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_accept(l, NULL)), -ETIMEDOUT);
    /* Without a timer: only the connection can end the wait. */
    WHORL_AUTO(group) group = {0};
    int client = whorl_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_OK(whorl_spawn_copy(&group, accept_one, (&(struct server){l, 'A'})));
    CHECK_OK(whorl_yield());
    const struct whorl_addr *addr = whorl_listener_addr(l);
    CHECK(connect(client, &addr->sa, addr->len) == 0 || errno == EINPROGRESS);
    CHECK_EQ(whorl_poll_fd(client, POLLOUT), POLLOUT);
    CHECK_EQ(send(client, "y", 1, 0), 1);
    CHECK_OK(whorl_group_wait(&group));
    close(client);
    return 0;
}

TEST(a_task_in_accept_is_no_deadlock)
{
    CHECK_OK(whorl_io_run(accept_until_deadline, NULL));
}

/* --- closing ---------------------------------------------------------------------------------- */

TEST_IO(closing_wakes_those_who_wait)
{
    struct whorl_listener *l = listen_here();
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    start(&group, l, "AB");
    whorl_listener_close(l);
    CHECK_ERR(whorl_group_wait(&group), -EPIPE);
    CHECK_STR(test_logged(), "A:EPIPE B:EPIPE");
}

TEST_IO(closing_closes_connections_nobody_took_and_frees_the_address)
{
    struct whorl_listener *l = listen_here();
    struct whorl_addr addr = *whorl_listener_addr(l);
    char byte;
    int clients[3], fds = test_open_fds();
    for (int i = 0; i < 3; i++)
        clients[i] = dial_it(&addr, 'x');
    close(whorl_accept(l, NULL));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    whorl_listener_close(l);
    /* At once, before the ring gets a turn. */
    CHECK_OK(whorl_listen(&addr, NULL, &l));
    ssize_t n = whorl_recv(clients[1], &byte, 1, 0);
    CHECK(n == 0 || n == -ECONNRESET);
    whorl_listener_close(l);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(test_open_fds(), fds - 1);
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(whorl_connect(fd, &addr), -ECONNREFUSED);
    close(fd);
}

static int leave_open(void *arg)
{
    struct whorl_listener **l = arg;
    *l = listen_here();
    int client = dial_it(whorl_listener_addr(*l), 'x');
    int other = dial_it(whorl_listener_addr(*l), 'x');
    close(whorl_accept(*l, NULL));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    close(client);
    close(other);
    return 0;
}

TEST(a_listener_outlives_its_run)
{
    struct whorl_listener *l;
    CHECK_OK(whorl_io_run(leave_open, &l));
    whorl_listener_close(l);
    whorl_listener_close(NULL);
}

TEST(accept_outside_a_run_is_refused)
{
    struct whorl_listener *l = listen_here();
    CHECK_ERR(whorl_accept(l, NULL), WHORL_ENOTASK);
    whorl_listener_close(l);
}

/* --- opening ---------------------------------------------------------------------------------- */

TEST_IO(a_unix_listener_removes_its_path)
{
    char path[300];
    struct whorl_addr addr, peer;
    struct whorl_listener *l, *other;
    snprintf(path, sizeof path, "%s/socket", test_tmpdir());
    CHECK_OK(whorl_addr_unix(path, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &l));
    CHECK_OK(access(path, F_OK));
    CHECK_ERR(whorl_listen(&addr, NULL, &other), -EADDRINUSE);
    CHECK_OK(access(path, F_OK));
    int client = dial_it(&addr, 'x');
    int fd = whorl_accept(l, &peer);
    CHECK(fd >= 0);
    CHECK_EQ(peer.sa.sa_family, AF_UNIX);
    close(fd);
    close(client);
    whorl_listener_close(l);
    CHECK_EQ(access(path, F_OK), -1);
}

TEST_IO(options_reach_the_socket)
{
    struct whorl_listen_options options = {.no_delay = true, .reuse_port = true, .backlog = 1};
    struct whorl_listener *a, *b;
    struct whorl_addr addr;
    int value = 0;
    socklen_t len = sizeof value;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, &options, &a));
    /* Possible because of reuse_port. */
    CHECK_OK(whorl_listen(whorl_listener_addr(a), &options, &b));
    whorl_listener_close(b);
    CHECK_ERR(whorl_listen(whorl_listener_addr(a), NULL, &b), -EADDRINUSE);
    int client = dial_it(whorl_listener_addr(a), 'x');
    int fd = whorl_accept(a, NULL);
    CHECK_OK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len));
    CHECK_EQ(value, 1);
    close(fd);
    close(client);
    whorl_listener_close(a);
}

TEST_IO(one_socket_can_serve_both_ip_versions)
{
    struct whorl_listener *l;
    struct whorl_addr addr;
    CHECK_OK(whorl_addr_parse("::", 0, &addr));
    int err = whorl_listen(&addr, NULL, &l);
    if (err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL)
        test_skip("no IPv6 here");
    CHECK_OK(err);
    CHECK_OK(whorl_addr_parse("127.0.0.1", whorl_addr_port(whorl_listener_addr(l)), &addr));
    int client = dial_it(&addr, 'x');
    int fd = whorl_accept(l, NULL);
    CHECK(fd >= 0);
    close(fd);
    close(client);
    whorl_listener_close(l);
    CHECK_OK(whorl_addr_parse("::", 0, &addr));
    CHECK_OK(whorl_listen(&addr, &(struct whorl_listen_options){.v6_only = true}, &l));
    CHECK_OK(whorl_addr_parse("127.0.0.1", whorl_addr_port(whorl_listener_addr(l)), &addr));
    fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(whorl_connect(fd, &addr), -ECONNREFUSED);
    close(fd);
    whorl_listener_close(l);
}

static int serve_once(void *arg)
{
    struct whorl_listener *l;
    struct whorl_addr addr;
    (void)arg;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    int err = whorl_listen(&addr, NULL, &l);
    if (err)
        return err;
    int clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = dial_it(whorl_listener_addr(l), 'x');
    for (int i = 0; i < 3 && err == 0; i++) {
        int fd = whorl_accept(l, NULL);
        if (fd < 0)
            err = fd;
        else
            close(fd);
    }
    whorl_listener_close(l);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    return err;
}

static int run_serve_once(void *arg)
{
    return whorl_io_run(serve_once, arg);
}

TEST(every_failing_request_is_reported)
{
    CHECK_EQ(io_faults_sweep(run_serve_once, NULL, -ENOBUFS), 2);
}

TEST_MAIN()
