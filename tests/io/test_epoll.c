/* SPDX-License-Identifier: MIT */
/* The epoll driver: choosing it, and what is its own beside the requests all drivers carry out. */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "io/epoll.h"
#include "io_faults.h"
#include "test.h"

static void on_epoll(void)
{
    setenv("WHORL_DRIVER", "epoll", 1);
}

__attribute__((constructor)) static void choose_epoll(void)
{
    test_at_start(on_epoll);
}

static const struct epoll_stats *stats(void)
{
    return epoll_driver_stats(io_driver_current());
}

static int name_driver(void *arg)
{
    (void)arg;
    return strcmp(whorl_io_driver(), "epoll") == 0 ? 1 : 2;
}

TEST(a_refused_ring_is_replaced_and_other_failures_are_told)
{
    unsetenv("WHORL_DRIVER");
    io_faults_setup(-EPERM, 0);
    CHECK_EQ(whorl_io_run(name_driver, NULL), 1);
    io_faults_setup(-ENOSYS, 0);
    CHECK_EQ(whorl_io_run(name_driver, NULL), 1);
    io_faults_setup(-EMFILE, 0);
    CHECK_ERR(whorl_io_run(name_driver, NULL), -EMFILE);
    io_faults_setup(-EPERM, 0);
    setenv("WHORL_DRIVER", "io_uring", 1);
    CHECK_ERR(whorl_io_run(name_driver, NULL), -EPERM);
    setenv("WHORL_DRIVER", "epoll", 1);
    CHECK_EQ(whorl_io_run(name_driver, NULL), 1);
}

struct reader {
    int fd;
    const char *name;
};

static int read_one(void *arg)
{
    struct reader *r = arg;
    char byte;
    ssize_t n = whorl_read(r->fd, &byte, 1);
    if (n == 1)
        test_log("%s%c", r->name, byte);
    else
        test_log("%s:%d", r->name, (int)n);
    return 0;
}

TEST_IO(readers_take_turns_and_a_hang_up_alone_wakes_the_rest)
{
    WHORL_AUTO(group) group = {0};
    int p[2];
    CHECK_OK(pipe(p));
    struct reader a = {p[0], "a"}, b = {p[0], "b"}, c = {p[0], "c"};
    CHECK_OK(whorl_spawn(&group, read_one, &a));
    CHECK_OK(whorl_spawn(&group, read_one, &b));
    CHECK_OK(whorl_spawn(&group, read_one, &c));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(write(p[1], "12", 2), 2);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    close(p[1]);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a1 b2 c:0");
    close(p[0]);
}

TEST_IO(a_descriptor_closed_behind_our_back_and_used_again_is_a_new_one)
{
    char byte;
    int p[2], number = -1;
    for (int i = 0; i < 5; i++) {
        struct whorl_scope scope;
        CHECK_OK(pipe(p));
        CHECK(number < 0 || p[0] == number);
        number = p[0];
        whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
        CHECK_ERR(whorl_scope_leave(&scope, (int)whorl_read(p[0], &byte, 1)), -ETIMEDOUT);
        close(p[0]);
        close(p[1]);
    }
    CHECK_OK(pipe(p));
    WHORL_AUTO(group) group = {0};
    struct reader r = {p[0], "r"};
    CHECK_OK(whorl_spawn(&group, read_one, &r));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "rx");
    close(p[0]);
    close(p[1]);
}

TEST_IO(blocking_flags_are_left_as_they_were)
{
    struct whorl_scope scope;
    char byte;
    int p[2];
    CHECK_OK(pipe(p));
    int before = fcntl(p[0], F_GETFL);
    whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
    CHECK_ERR(whorl_scope_leave(&scope, (int)whorl_read(p[0], &byte, 1)), -ETIMEDOUT);
    CHECK_EQ(fcntl(p[0], F_GETFL), before);
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    struct whorl_addr addr;
    CHECK_OK(whorl_addr_parse(&addr, "127.0.0.1", 1));
    before = fcntl(fd, F_GETFL);
    CHECK_ERR(whorl_connect(fd, &addr), -ECONNREFUSED);
    CHECK_EQ(fcntl(fd, F_GETFL), before);
    close(fd);
    close(p[0]);
    close(p[1]);
}

TEST_IO(files_are_read_and_written_by_threads)
{
    char path[512], text[8] = "";
    snprintf(path, sizeof path, "%s/file", test_tmpdir());
    int fd = whorl_openat(AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    CHECK_OK(whorl_write_all(fd, "hello", 5));
    CHECK_OK(whorl_fsync(fd, true));
    CHECK_ERR(whorl_pread(fd, text, sizeof text, 0), 5);
    CHECK_STR(text, "hello");
    CHECK_ERR(whorl_read(fd, text, sizeof text), 0);
    CHECK_OK(whorl_close(fd));
    CHECK(stats()->threaded >= 3);
}

TEST_IO(a_deadline_a_fraction_of_a_millisecond_away_does_not_spin)
{
    int p[2];
    CHECK_OK(pipe(p));
    uint64_t waits = stats()->waits;
    for (int i = 0; i < 20; i++) {
        struct whorl_scope scope;
        int64_t start = whorl_now();
        whorl_scope_enter(&scope, start + 400 * WHORL_MICROSECOND);
        CHECK_ERR(whorl_scope_leave(&scope, whorl_poll_fd(p[0], POLLIN)), -ETIMEDOUT);
        CHECK(whorl_now() - start >= 400 * WHORL_MICROSECOND);
    }
    CHECK(stats()->waits - waits <= 100);
    close(p[0]);
    close(p[1]);
}

TEST_IO(kicks_before_the_loop_looks_cost_one_wake)
{
    struct whorl_poller *poller = whorl_poller_current();
    for (int i = 0; i < 100; i++)
        poller->ops->kick(poller);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(stats()->kicks, 1);
    poller->ops->kick(poller);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(stats()->kicks, 2);
}

TEST_MAIN()
