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

/* Waits until the log has this length, such as 3 for "A 1". */
static WHORL_SUSPENDS_SHIELDED void wait_for_log(size_t len)
{
    while (strlen(test_logged()) < len)
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
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
        wait_for_log(4 * (size_t)i + 3);
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "A 1 B 2 C 3");
    for (int i = 0; i < 3; i++)
        close(clients[i]);
}

TEST_IO(one_accept_stays_armed_for_many_connections)
{
    io_faults_need_multishot();
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
    io_faults_need_multishot();
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

/* --- select ----------------------------------------------------------------------------------- */

TEST_IO(select_accepts_a_connection_that_is_there_or_comes)
{
    WHORL_AUTO(listener) *l = listen_here();
    struct whorl_addr peer, local;
    for (int i = 0; i < 6; i++) {
        struct whorl_case cases[] = {whorl_case_deadline(whorl_after(WHORL_MINUTE)),
                                     whorl_case_accept(l, i == 5 ? NULL : &peer)};
        int client = dial_it(whorl_listener_addr(l), 'x');
        if (i % 2)
            CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
        CHECK_EQ(whorl_select(cases, 2), 1);
        int fd = cases[1].result;
        CHECK(fd >= 0);
        CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
        if (i < 5) {
            CHECK_OK(whorl_addr_local(client, &local));
            CHECK_EQ(whorl_addr_port(&peer), whorl_addr_port(&local));
        }
        log_byte_of(fd);
        close(fd);
        close(client);
    }
    struct whorl_case none = whorl_case_accept(l, NULL);
    CHECK_ERR(whorl_try_select(&none, 1), -EAGAIN);
}

/* A deadline, a cancel and a connection come within the same few turns. */
TEST_IO(an_accept_case_that_is_not_taken_loses_no_connection)
{
    io_faults_need_multishot();
    WHORL_AUTO(listener) *l = listen_here();
    for (int i = 0; i < 200; i++) {
        struct whorl_scope scope;
        struct whorl_case cases[] = {
            whorl_case_accept(l, NULL),
            whorl_case_deadline(i % 3 == 0 ? whorl_after(i * 500) : WHORL_FOREVER)};
        int client = dial_it(whorl_listener_addr(l), 'x');
        whorl_scope_enter(&scope, whorl_after(i % 3 == 1 ? i * 500 : WHORL_MINUTE));
        int which = whorl_select(cases, 2);
        whorl_scope_leave(&scope, 0);
        CHECK(which == 0 || (which == 1 && i % 3 == 0) || (which == -ECANCELED && i % 3 == 1));
        int fd = which == 0 ? cases[0].result : whorl_accept(l, NULL);
        CHECK(fd >= 0);
        log_byte_of(fd);
        close(fd);
        close(client);
        test_log_clear();
    }
    CHECK_EQ(io_driver_current()->background, 1);
}

struct selector {
    struct whorl_listener *listeners[2];
    char name;
};

static int select_one(void *arg)
{
    struct selector *s = arg;
    struct whorl_case cases[] = {whorl_case_accept(s->listeners[0], NULL),
                                 whorl_case_accept(s->listeners[1], NULL)};
    int which = whorl_select(cases, 2);
    if (which < 0)
        return which;
    if (cases[which].result < 0) {
        test_log("%c:%s", s->name, whorl_error_name(cases[which].result));
        return 0;
    }
    test_log("%c%d", s->name, which);
    return close(cases[which].result);
}

/* Tasks and selects on two listeners, one of them twice in a select: each gets one connection. */
TEST_IO(selects_and_tasks_take_turns_on_a_listener)
{
    struct whorl_listener *a = listen_here(), *b = listen_here();
    struct whorl_group group = {0};
    int clients[3];
    CHECK_OK(whorl_spawn_copy(&group, select_one, (&(struct selector){{a, a}, 'A'})));
    CHECK_OK(whorl_spawn_copy(&group, select_one, (&(struct selector){{a, b}, 'B'})));
    start(&group, a, "C");
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    clients[0] = dial_it(whorl_listener_addr(b), '1');
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    for (int i = 1; i < 3; i++) {
        clients[i] = dial_it(whorl_listener_addr(a), '2');
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "B1 A0 C 2");
    whorl_listener_close(b);
    test_log_clear();
    CHECK_OK(whorl_spawn_copy(&group, select_one, (&(struct selector){{a, a}, 'A'})));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    whorl_listener_close(a);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "A:EPIPE");
    for (int i = 0; i < 3; i++)
        close(clients[i]);
}

TEST_VIRTUAL(without_io_an_accept_case_fails)
{
    WHORL_AUTO(listener) *l = listen_here();
    struct whorl_case c = whorl_case_accept(l, NULL);
    CHECK_EQ(whorl_select(&c, 1), 0);
    CHECK_ERR(c.result, WHORL_ENOIO);
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

TEST_IO(closing_wakes_the_waiters)
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

/* What a service manager passes on: a socket that listens, perhaps one that does not block. */
static int inherited_socket(const struct whorl_addr *addr, int flags)
{
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | flags, 0);
    CHECK(fd >= 0);
    CHECK_OK(whorl_bind(fd, addr));
    CHECK_OK(listen(fd, 10));
    return fd;
}

TEST_IO(a_socket_that_listens_already_becomes_a_listener)
{
    for (int flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
        struct whorl_listen_options options = {.no_delay = true, .backlog = 20};
        WHORL_AUTO(listener) *l = NULL;
        struct whorl_addr addr;
        int value = 0;
        socklen_t len = sizeof value;
        CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
        int socket_fd = inherited_socket(&addr, flags);
        CHECK_OK(whorl_listen_fd(socket_fd, &options, &l));
        CHECK_EQ(fcntl(socket_fd, F_GETFD), FD_CLOEXEC);
        CHECK(whorl_addr_port(whorl_listener_addr(l)) > 0);
        for (int i = 0; i < 3; i++) {
            int client = dial_it(whorl_listener_addr(l), 'x');
            int fd = whorl_accept(l, NULL);
            CHECK(fd >= 0);
            log_byte_of(fd);
            CHECK_OK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len));
            CHECK_EQ(value, 1);
            close(fd);
            close(client);
        }
    }
}

TEST_IO(a_unix_path_that_another_has_bound_stays)
{
    char path[300];
    struct whorl_addr addr;
    struct whorl_listener *l;
    snprintf(path, sizeof path, "%s/socket", test_tmpdir());
    CHECK_OK(whorl_addr_unix(path, &addr));
    CHECK_OK(whorl_listen_fd(inherited_socket(&addr, 0), NULL, &l));
    CHECK_STR(whorl_listener_addr(l)->un.sun_path, path);
    int client = dial_it(&addr, 'x');
    int fd = whorl_accept(l, NULL);
    CHECK(fd >= 0);
    close(fd);
    close(client);
    whorl_listener_close(l);
    CHECK_OK(access(path, F_OK));
}

TEST(what_does_not_listen_becomes_no_listener)
{
    struct whorl_listener *l = NULL;
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0), p[2];
    CHECK_ERR(whorl_listen_fd(fd, NULL, &l), -EINVAL);
    CHECK(fcntl(fd, F_GETFD) >= 0); /* still the caller's */
    CHECK_OK(listen(fd, 1));
    faults_arm(1);
    CHECK_ERR(whorl_listen_fd(fd, NULL, &l), -ENOMEM);
    faults_disarm();
    close(fd);
    CHECK_ERR(whorl_listen_fd(fd, NULL, &l), -EBADF);
    CHECK_OK(pipe(p));
    CHECK_ERR(whorl_listen_fd(p[0], NULL, &l), -ENOTSOCK);
    CHECK(!l);
    close(p[0]);
    close(p[1]);
}

/* Several processes share one socket: each connection is accepted by one of them. */
TEST_IO(a_listener_can_share_its_socket_with_another)
{
    enum { CLIENTS = 8 };
    struct whorl_addr addr;
    struct whorl_listener *a, *b;
    int clients[CLIENTS];
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    int fd = inherited_socket(&addr, SOCK_CLOEXEC);
    CHECK_OK(whorl_listen_fd(dup(fd), NULL, &a));
    CHECK_OK(whorl_listen_fd(fd, NULL, &b));
    addr = *whorl_listener_addr(a);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = dial_it(&addr, 'x');
    for (int i = 0; i < CLIENTS; i++) {
        struct whorl_case cases[] = {whorl_case_accept(a, NULL), whorl_case_accept(b, NULL)};
        int which = whorl_select(cases, 2);
        CHECK(which >= 0 && cases[which].result >= 0);
        close(cases[which].result);
        close(clients[i]);
    }
    whorl_listener_close(a);
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND)); /* its last request ends */
    int client = dial_it(&addr, 'y');             /* and the other listener still works */
    fd = whorl_accept(b, NULL);
    CHECK(fd >= 0);
    log_byte_of(fd);
    CHECK_STR(test_logged(), "y");
    close(fd);
    close(client);
    whorl_listener_close(b);
}

/* Kernels that let an accept on such a socket fail instead of waiting. */
TEST_IO(an_accept_that_would_block_waits_for_the_socket)
{
    WHORL_AUTO(listener) *l = listen_here();
    struct whorl_group group = {0};
    int clients[2];
    io_faults_complete(1, -EAGAIN);
    start(&group, l, "AB");
    CHECK(io_faults_disarm());
    CHECK_EQ(io_driver_current()->in_flight, 1);
    for (int i = 0; i < 2; i++) {
        clients[i] = dial_it(whorl_listener_addr(l), (char)('1' + i));
        wait_for_log(4 * (size_t)i + 3);
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "A 1 B 2");
    close(clients[0]);
    close(clients[1]);
}

TEST_IO(closing_ends_the_wait_for_a_socket_that_would_block)
{
    struct whorl_listener *l = listen_here();
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    io_faults_complete(1, -EAGAIN);
    start(&group, l, "A");
    CHECK(io_faults_disarm());
    whorl_listener_close(l);
    CHECK_ERR(whorl_group_wait(&group), -EPIPE);
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    CHECK_EQ(io_driver_current()->in_flight, 0);
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
    io_faults_need_multishot();
    CHECK_EQ(io_faults_sweep(run_serve_once, NULL, -ENOBUFS), 2);
}

TEST_IO(listen_takes_an_address_as_text)
{
    struct whorl_listener *listener = NULL;
    char text[WHORL_ADDR_TEXT_MAX];
    CHECK_OK(whorl_listen_ip("127.0.0.1", 0, NULL, &listener));
    whorl_addr_text(whorl_listener_addr(listener), text, sizeof text);
    CHECK(strncmp(text, "127.0.0.1:", 10) == 0 && strcmp(text + 10, "0") != 0);
    whorl_listener_close(listener);
    CHECK_ERR(whorl_listen_ip("localhost", 0, NULL, &listener), -EINVAL);
}

TEST_MAIN()
