/* SPDX-License-Identifier: MIT */
/* Bytes moved inside the kernel: contents, counts, cancellation. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "io_faults.h"
#include "test.h"

enum { SIZE = 10000000 };

static char byte_at(size_t i)
{
    return (char)(i * 7919 >> 5);
}

static int make_file(size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "%s/file", test_tmpdir());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char *data = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        data[i] = byte_at(i);
    CHECK_EQ(write(fd, data, size), (ssize_t)size);
    free(data);
    return fd;
}

struct sink {
    int fd;
    size_t first, got;
};

static int compare(void *arg)
{
    struct sink *sink = arg;
    static char buf[70000];
    ssize_t n;
    while ((n = whorl_recv(sink->fd, buf, sizeof buf, 0)) > 0)
        for (ssize_t i = 0; i < n; i++, sink->got++)
            if (buf[i] != byte_at(sink->first + sink->got))
                test_fail(__FILE__, __LINE__, "byte %zu differs", sink->got);
    return (int)n;
}

TEST_IO(sendfile_sends_ten_megabytes_to_a_socket)
{
    WHORL_AUTO(group) group = {0};
    int s[2], fd = make_file(SIZE);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
    struct sink sink = {.fd = s[1]};
    CHECK_OK(whorl_spawn(&group, compare, &sink));
    CHECK_ERR(whorl_sendfile(fd, s[0], 0, SIZE), SIZE);
    close(s[0]);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(sink.got, SIZE);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), SIZE); /* unchanged since the file was written */
    close(s[1]);
    close(fd);
}

TEST_IO(sendfile_counts_what_there_is_from_the_offset)
{
    WHORL_AUTO(group) group = {0};
    int s[2], fd = make_file(1000);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
    struct sink sink = {.fd = s[1], .first = 900};
    CHECK_OK(whorl_spawn(&group, compare, &sink));
    CHECK_ERR(whorl_sendfile(fd, s[0], 900, 1 << 30), 100);
    CHECK_ERR(whorl_sendfile(fd, s[0], 1000, 10), 0);
    CHECK_ERR(whorl_sendfile(fd, s[0], 0, 0), 0);
    CHECK_ERR(whorl_sendfile(fd, s[0], -1, 10), -EINVAL);
    CHECK_ERR(whorl_sendfile(fd, s[0], 0, -1), -EINVAL);
    CHECK_ERR(whorl_sendfile(-1, s[0], 0, 10), -EBADF);
    CHECK_ERR(whorl_sendfile(fd, 999, 0, 10), -EBADF);
    close(s[0]);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(sink.got, 100);
    close(s[1]);
    close(fd);
}

TEST_IO(sendfile_to_a_peer_that_hangs_up_fails_without_a_signal)
{
    int s[2], fd = make_file(100);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
    close(s[1]);
    CHECK_ERR(whorl_sendfile(fd, s[0], 0, 100), -EPIPE);
    close(s[0]);
    close(fd);
}

struct filling {
    int fd;
    struct whorl_scope scope;
};

/* Waits until the socket is full: then some bytes have been sent. */
static int cancel_when_full(void *arg)
{
    struct filling *filling = arg;
    struct pollfd pollfd = {.fd = filling->fd, .events = POLLOUT};
    while (poll(&pollfd, 1, 0) > 0)
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    whorl_scope_cancel(&filling->scope);
    return 0;
}

TEST_IO(a_cancelled_sendfile_tells_how_much_went_out)
{
    int s[2], fd = make_file(SIZE);
    WHORL_AUTO(group) group = {0};
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
    struct filling filling = {.fd = s[0]};
    CHECK_OK(whorl_spawn(&group, cancel_when_full, &filling));
    whorl_scope_enter(&filling.scope, WHORL_FOREVER);
    int64_t sent = whorl_sendfile(fd, s[0], 0, SIZE); /* the other end does not read */
    CHECK(sent > 0 && sent < SIZE);
    CHECK_ERR(whorl_sendfile(fd, s[0], sent, SIZE - sent), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&filling.scope, -ECANCELED), -ECANCELED);
    struct sink sink = {.fd = s[1]};
    CHECK_OK(whorl_spawn(&group, compare, &sink));
    CHECK_ERR(whorl_sendfile(fd, s[0], sent, SIZE - sent), SIZE - sent);
    close(s[0]);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(sink.got, SIZE);
    close(s[1]);
    close(fd);
}

static int relay(void *arg)
{
    int *fds = arg;
    ssize_t n;
    while ((n = whorl_splice(fds[0], fds[1], 1 << 20)) > 0)
        ;
    close(fds[1]);
    return (int)n;
}

static int produce(void *arg)
{
    static char buf[33333];
    int fd = *(int *)arg;
    for (size_t sent = 0; sent < 1000000; sent += sizeof buf) {
        size_t n = 1000000 - sent < sizeof buf ? 1000000 - sent : sizeof buf;
        for (size_t i = 0; i < n; i++)
            buf[i] = byte_at(sent + i);
        CHECK_OK(whorl_send_all(fd, buf, n, 0));
    }
    close(fd);
    return 0;
}

TEST_IO(splice_waits_for_both_ends)
{
    WHORL_AUTO(group) group = {0};
    int in[2], out[2], p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out));
    CHECK_OK(whorl_pipe(p));
    struct sink sink = {.fd = out[1]};
    CHECK_OK(whorl_spawn_copy(&group, relay, (int(*)[2]) & (int[2]){in[1], p[1]}));
    CHECK_OK(whorl_spawn_copy(&group, relay, (int(*)[2]) & (int[2]){p[0], out[0]}));
    CHECK_OK(whorl_spawn(&group, compare, &sink));
    CHECK_OK(whorl_spawn(&group, produce, &in[0]));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(sink.got, 1000000);
    close(in[1]);
    close(out[1]);
    close(p[0]);
}

static int count_turns(void *arg)
{
    for (;;) {
        int err = whorl_yield();
        if (err)
            return err;
        ++*(int *)arg;
    }
}

/* Neither end of these splices ever waits. */
TEST_IO(other_tasks_run_between_splices)
{
    static char bytes[4096];
    WHORL_AUTO(group) group = {0};
    int in[2], out[2], turns = 0;

    CHECK_OK(whorl_pipe(in));
    CHECK_OK(whorl_pipe(out));
    CHECK_EQ(write(in[1], bytes, sizeof bytes), sizeof bytes);
    CHECK_OK(whorl_spawn(&group, count_turns, &turns));
    for (int i = 0; i < 10; i++)
        CHECK_ERR(whorl_splice(in[0], out[1], 1), 1);
    CHECK(turns >= 9);
    whorl_group_cancel(&group);
    test_ignore(whorl_group_wait(&group));
    for (int i = 0; i < 2; i++) {
        close(in[i]);
        close(out[i]);
    }
}

static WHORL_SUSPENDS_SHIELDED void check_splice_fails(int err)
{
    int p[2], q[2];

    CHECK_OK(whorl_pipe(p));
    CHECK_OK(whorl_pipe(q));
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_ERR(whorl_splice(p[0], q[1], 1), err);
    for (int i = 0; i < 2; i++) {
        close(p[i]);
        close(q[i]);
    }
}

TEST(splice_needs_a_task)
{
    check_splice_fails(WHORL_ENOTASK);
}

TEST_VIRTUAL(splice_needs_a_run_with_io)
{
    check_splice_fails(WHORL_ENOIO);
}

TEST_IO(splice_refuses_what_cannot_be_spliced)
{
    int s[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
    CHECK_EQ(write(s[1], "x", 1), 1);
    CHECK_ERR(whorl_splice(s[0], s[1], 1), -EINVAL);
    CHECK_ERR(whorl_splice(-1, s[1], 1), -EBADF);
    CHECK_ERR(whorl_splice(s[0], 999, 1), -EBADF);
    close(s[0]);
    close(s[1]);
}

static int send_root(void *arg)
{
    int s[2], fd = *(int *)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
        return -errno;
    int64_t n = whorl_sendfile(fd, s[0], 0, 100);
    close(s[0]);
    close(s[1]);
    return n < 0 ? (int)n : n == 100 ? 0 : -EIO;
}

static int run_send(void *arg)
{
    return whorl_io_run(send_root, arg);
}

TEST(every_failed_request_is_reported)
{
    int fd = make_file(100);
    CHECK(io_faults_sweep(run_send, &fd, -EIO) > 2);
    close(fd);
}

TEST_MAIN()
