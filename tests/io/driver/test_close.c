/* SPDX-License-Identifier: MIT */
/* Closing a descriptor that tasks wait for: they are woken, and nothing of theirs reaches the next
 * file that gets the number. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl.h>

#include "io/driver/op.h"
#include "test.h"

/* --- every kind of wait ----------------------------------------------------------------------- */

enum wait {
    RECV,
    RECV_ALL,
    RECVMSG,
    READ,
    SEND,
    SENDMSG,
    WRITE,
    POLL_IN,
    POLL_PRI,
    SELECT,
    SPLICE,
    WAITS,
};

struct waiting {
    enum wait wait;
    int fd, pipe[2];
    int64_t res;
    bool done;
};

static WHORL_SUSPENDS int64_t wait_in(struct waiting *w)
{
    char buf[10] = "";
    struct iovec part = {buf, 10};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    struct whorl_case cases[] = {whorl_case_fd(w->fd, POLLIN)};
    int64_t res;

    switch (w->wait) {
    case RECV:
        res = whorl_recv(w->fd, buf, 10, 0);
        break;
    case RECV_ALL:
        res = whorl_recv(w->fd, buf, 10, MSG_WAITALL);
        break;
    case RECVMSG:
        res = whorl_recvmsg(w->fd, &msg, 0);
        break;
    case READ:
        res = whorl_read(w->fd, buf, 10);
        break;
    case SEND:
        res = whorl_send(w->fd, buf, 10, 0);
        break;
    case SENDMSG:
        res = whorl_sendmsg(w->fd, &msg, 0);
        break;
    case WRITE:
        res = whorl_write(w->fd, buf, 10);
        break;
    case POLL_IN:
        res = whorl_poll_fd(w->fd, POLLIN);
        break;
    case POLL_PRI:
        res = whorl_poll_fd(w->fd, POLLPRI);
        break;
    case SELECT:
        res = whorl_select(cases, 1);
        res = res < 0 ? res : cases[0].result;
        break;
    default:
        res = whorl_splice(w->fd, w->pipe[1], 10);
    }
    return res;
}

static int run_wait(void *arg)
{
    struct waiting *w = arg;

    w->res = wait_in(w);
    w->done = true;
    return 0;
}

static void make_full(int fd)
{
    while (send(fd, "full", 4, MSG_DONTWAIT) == 4)
        ;
}

/* What happens between the spawn of the waiter and the close. */
enum moment { AT_ONCE, SAME_TURN, PARKED, MOMENTS };

static WHORL_SUSPENDS_SHIELDED void check_wait(enum wait wait, int type, enum moment moment)
{
    WHORL_AUTO(group) group = {0};
    struct waiting w = {.wait = wait};
    char buf[4] = "";
    int fds[2], next[2];

    CHECK_OK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds));
    CHECK_OK(pipe2(w.pipe, O_CLOEXEC));
    make_full(fds[0]);
    w.fd = fds[0];
    CHECK_OK(whorl_spawn(&group, run_wait, &w));
    if (moment == SAME_TURN)
        CHECK_OK(whorl_yield());
    if (moment == PARKED) {
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
        CHECK(!w.done);
    }
    CHECK_OK(whorl_close(fds[0]));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, next));
    CHECK_EQ(next[0], fds[0]);
    CHECK_EQ(write(next[1], "new", 3), 3);
    CHECK_OK(whorl_group_wait(&group));
    if (moment == AT_ONCE) /* the task began after the close, with the new file */
        CHECK(w.res == -EBADF || w.res > 0);
    else
        CHECK_ERR(w.res, -EBADF);
    if (moment != AT_ONCE) {
        CHECK_EQ(read(next[0], buf, 3), 3);
        CHECK_STR(buf, "new");
        CHECK_EQ(recv(next[1], buf, 3, MSG_DONTWAIT), -1);
    }
    close(next[0]);
    close(next[1]);
    close(fds[1]);
    close(w.pipe[0]);
    close(w.pipe[1]);
}

static WHORL_SUSPENDS_SHIELDED void check_waits(int type, enum moment moment)
{
    for (enum wait wait = 0; wait < WAITS; wait++) {
        printf("wait %d\n", (int)wait);
        check_wait(wait, type, moment);
    }
}

TEST_IO(close_wakes_every_kind_of_wait)
{
    check_waits(SOCK_STREAM, PARKED);
    check_waits(SOCK_DGRAM, PARKED);
    check_waits(SOCK_STREAM | SOCK_NONBLOCK, PARKED);
    check_waits(SOCK_DGRAM | SOCK_NONBLOCK, PARKED);
}

TEST_IO(close_ends_requests_of_the_same_turn)
{
    check_waits(SOCK_STREAM, SAME_TURN);
    check_waits(SOCK_DGRAM, SAME_TURN);
    check_waits(SOCK_STREAM | SOCK_NONBLOCK, SAME_TURN);
}

/* --- several waiters, and bytes that have moved ----------------------------------------------- */

TEST_IO(close_wakes_all_that_wait)
{
    enum { COUNT = 300 };
    static struct waiting w[COUNT];
    WHORL_AUTO(group) group = {0};
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    make_full(fds[0]);
    for (int i = 0; i < COUNT; i++) {
        w[i] = (struct waiting){.wait = i % SPLICE, .fd = fds[0]};
        CHECK_OK(whorl_spawn(&group, run_wait, &w[i]));
    }
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    CHECK_OK(whorl_close(fds[0]));
    CHECK_OK(whorl_group_wait(&group));
    for (int i = 0; i < COUNT; i++)
        CHECK_ERR(w[i].res, -EBADF);
    close(fds[1]);
}

TEST_IO(a_wait_that_has_moved_bytes_returns_their_count)
{
    WHORL_AUTO(group) group = {0};
    struct waiting w = {.wait = RECV_ALL};
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    CHECK_EQ(write(fds[1], "four", 4), 4);
    w.fd = fds[0];
    CHECK_OK(whorl_spawn(&group, run_wait, &w));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(whorl_close(fds[0]));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(w.res, 4);
    close(fds[1]);
}

TEST_IO(waits_on_a_duplicate_go_on)
{
    WHORL_AUTO(group) group = {0};
    struct waiting w[2] = {{.wait = RECV}, {.wait = RECV}};
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    w[0].fd = fds[0];
    w[1].fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
    for (int i = 0; i < 2; i++)
        CHECK_OK(whorl_spawn(&group, run_wait, &w[i]));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(whorl_close(fds[0]));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_ERR(w[0].res, -EBADF);
    CHECK(!w[1].done);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(w[1].res, 1);
    close(w[1].fd);
    close(fds[1]);
}

TEST_IO(a_wait_that_was_cancelled_before_the_close_says_so)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct waiting w = {.wait = RECV};
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    w.fd = fds[0];
    CHECK_OK(whorl_spawn(&group, run_wait, &w));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_close(fds[0]));
    test_ignore(whorl_group_wait(&group));
    CHECK_ERR(w.res, -ECANCELED);
    close(fds[1]);
}

/* --- waits for the next try ------------------------------------------------------------------- */

static int connect_to(void *arg)
{
    struct waiting *w = arg;
    struct whorl_addr addr;
    char path[100];

    snprintf(path, sizeof path, "@whorl close %d", (int)getpid());
    CHECK_OK(whorl_addr_unix(path, &addr));
    w->res = whorl_connect(w->fd, &addr);
    return 0;
}

TEST_IO(close_wakes_a_connect_that_waits_for_room)
{
    WHORL_AUTO(group) group = {0};
    struct waiting w = {.fd = -1};
    struct whorl_addr addr;
    char path[100];

    snprintf(path, sizeof path, "@whorl close %d", (int)getpid());
    CHECK_OK(whorl_addr_unix(path, &addr));
    int listener = whorl_socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(whorl_bind(listener, &addr));
    CHECK_OK(listen(listener, 0));
    int first = whorl_socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(connect(first, &addr.sa, addr.len));
    w.fd = whorl_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_OK(whorl_spawn(&group, connect_to, &w));
    CHECK_OK(whorl_sleep(3 * WHORL_MILLISECOND));
    CHECK_OK(whorl_close(w.fd));
    int next = whorl_socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(next, w.fd);
    close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(w.res, -EBADF);
    CHECK_EQ(whorl_addr_peer(next, &addr), -ENOTCONN);
    close(next);
    close(first);
    close(listener);
}

/* --- requests on threads ---------------------------------------------------------------------- */

static int cut(void *arg)
{
    return whorl_ftruncate(*(int *)arg, 3);
}

static int lock(void *arg)
{
    return whorl_flock(*(int *)arg, LOCK_SH);
}

TEST_IO(requests_on_a_file_reach_no_other_file)
{
    char path[300], other[300];
    struct stat st;

    snprintf(path, sizeof path, "%s/a", test_tmpdir());
    snprintf(other, sizeof other, "%s/b", test_tmpdir());
    for (int i = 0; i < 200; i++) {
        WHORL_AUTO(group) group = {0};
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK_OK(ftruncate(fd, 100));
        for (int j = 0; j < 8; j++) {
            CHECK_OK(whorl_spawn(&group, lock, &fd));
            CHECK_OK(whorl_spawn(&group, cut, &fd));
        }
        CHECK_OK(whorl_yield());
        CHECK_OK(whorl_close(fd));
        int next = open(other, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        CHECK_EQ(next, fd);
        CHECK_OK(ftruncate(next, 100));
        CHECK_OK(whorl_group_wait(&group));
        CHECK_OK(fstat(next, &st));
        CHECK_EQ(st.st_size, 100);
        close(next);
    }
}

/* --- descriptors that nobody waits for -------------------------------------------------------- */

TEST_IO(close_of_what_is_not_open_fails_and_wakes_nobody)
{
    WHORL_AUTO(group) group = {0};
    struct waiting w = {.wait = READ, .fd = eventfd(0, EFD_CLOEXEC)};

    CHECK_OK(whorl_spawn(&group, run_wait, &w));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_ERR(whorl_close(-1), -EBADF);
    CHECK_ERR(whorl_close(99999), -EBADF);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK(!w.done);
    CHECK_OK(whorl_close(w.fd));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(w.res, -EBADF);
}

static int accept_one(void *arg)
{
    struct io_op op = {.code = IO_OP_ACCEPT, .fd = *(int *)arg, .flags = SOCK_CLOEXEC};

    return io_op_run(&op, "accept");
}

TEST_IO(close_wakes_an_accept)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_addr addr;

    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(whorl_bind(fd, &addr));
    CHECK_OK(listen(fd, 1));
    CHECK_OK(whorl_spawn(&group, accept_one, &fd));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(whorl_close(fd));
    CHECK_ERR(whorl_group_wait(&group), -EBADF);
}

TEST_MAIN()
