/* SPDX-License-Identifier: MIT */
/* Passing descriptors over Unix sockets: they arrive, and none leaks when they cannot. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "test.h"

static void make_pair(int fds[2], int type)
{
    CHECK_OK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds));
}

static int send_soon(void *arg)
{
    int *fds = arg; /* the socket, the descriptor to send */
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_ERR(whorl_send_fds(fds[0], "two", 3, fds + 1, 2), 3);
    return 0;
}

TEST_IO(descriptors_arrive_with_their_bytes_and_are_close_on_exec)
{
    WHORL_AUTO(group) group = {0};
    int s[2], p[2], got[4];
    size_t count;
    char buf[8] = "";
    make_pair(s, SOCK_STREAM);
    CHECK_OK(whorl_pipe(p));
    CHECK_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
    CHECK_OK(whorl_spawn_copy(&group, send_soon, (int(*)[3]) & (int[3]){s[0], p[0], p[1]}));
    CHECK_ERR(whorl_recv_fds(s[1], buf, sizeof buf, got, 4, &count), 3);
    CHECK_STR(buf, "two");
    CHECK_EQ(count, 2);
    CHECK_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
    close(p[0]);
    close(p[1]);
    CHECK_ERR(whorl_write(got[1], "x", 1), 1);
    CHECK_ERR(whorl_read(got[0], buf, 1), 1);
    close(got[0]);
    close(got[1]);
    CHECK_ERR(whorl_send_fds(s[0], "none", 4, NULL, 0), 4);
    CHECK_ERR(whorl_recv_fds(s[1], buf, sizeof buf, got, 4, &count), 4);
    CHECK_EQ(count, 0);
    close(s[0]);
    CHECK_ERR(whorl_recv_fds(s[1], buf, sizeof buf, got, 4, &count), 0);
    CHECK_EQ(count, 0);
    close(s[1]);
}

TEST_IO(more_than_expected_are_closed_and_reported)
{
    int s[2], many[WHORL_PASSED_FDS_MAX], got[WHORL_PASSED_FDS_MAX];
    size_t count;
    char byte;
    make_pair(s, SOCK_SEQPACKET);
    int before = test_open_fds();
    for (size_t i = 0; i < WHORL_PASSED_FDS_MAX; i++)
        many[i] = s[0];
    CHECK_ERR(whorl_send_fds(s[0], "x", 1, many, 3), 1);
    CHECK_ERR(whorl_recv_fds(s[1], &byte, 1, got, 2, &count), -EMSGSIZE);
    CHECK_EQ(test_open_fds(), before);
    CHECK_ERR(whorl_send_fds(s[0], "x", 1, many, WHORL_PASSED_FDS_MAX), 1);
    CHECK_ERR(whorl_recv_fds(s[1], &byte, 1, got, WHORL_PASSED_FDS_MAX, &count), 1);
    CHECK_EQ(count, WHORL_PASSED_FDS_MAX);
    for (size_t i = 0; i < count; i++)
        close(got[i]);
    CHECK_ERR(whorl_send_fds(s[0], "x", 1, many, WHORL_PASSED_FDS_MAX + 1), -EINVAL);
    CHECK_ERR(whorl_send_fds(s[0], "", 0, many, 1), -EINVAL);
    CHECK_ERR(whorl_send_fds(s[0], "x", 1, &(int){999}, 1), -EBADF);
    CHECK_EQ(test_open_fds(), before);
    close(s[0]);
    close(s[1]);
}

TEST_IO(those_that_cannot_be_installed_are_reported_and_none_is_left)
{
    int s[2], got[8];
    size_t count;
    char byte;
    struct rlimit old;
    make_pair(s, SOCK_STREAM);
    int before = test_open_fds();
    CHECK_ERR(whorl_send_fds(s[0], "x", 1, (int[]){0, 1, 2, 0}, 4), 1);
    int next = dup(0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &old);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next + 2, old.rlim_max});
    ssize_t n = whorl_recv_fds(s[1], &byte, 1, got, 8, &count);
    setrlimit(RLIMIT_NOFILE, &old);
    CHECK_ERR(n, -EMFILE);
    CHECK_EQ(test_open_fds(), before);
    close(s[0]);
    close(s[1]);
}

TEST_MAIN()
