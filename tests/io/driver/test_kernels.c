/* SPDX-License-Identifier: MIT */
/* Older kernels: with the io_uring of each release, every kind of request gives its result, and
 * nothing is submitted that the kernel does not know. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <liburing.h>

#include <whorl.h>

#include "io/driver/op.h"
#include "io/driver/ring.h"
#include "io_faults.h"
#include "test.h"

static uint64_t tried; /* a bit for each kind of request that was made, 1 << enum io_op_code */

WHORL_SUSPENDS static int run_op(struct io_op op)
{
    tried |= (uint64_t)1 << op.code;
    return io_op_run(&op, "test");
}

static uint64_t address(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* --- every kind of request -------------------------------------------------------------------- */

static WHORL_SUSPENDS_SHIELDED void use_files(int dir)
{
    char buf[4096], text[8] = "";
    struct iovec part = {buf, 5};
    struct statx st;
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};

    CHECK_OK(run_op((struct io_op){.code = IO_OP_NOP}));
    CHECK_OK(run_op(
        (struct io_op){.code = IO_OP_MKDIRAT, .fd = dir, .addr = address("sub"), .len = 0700}));
    int fd = run_op((struct io_op){.code = IO_OP_OPENAT,
                                   .fd = dir,
                                   .addr = address("sub/file"),
                                   .len = 0600,
                                   .flags = O_RDWR | O_CREAT | O_CLOEXEC});
    CHECK(fd >= 0);
    CHECK_EQ(run_op((struct io_op){
                 .code = IO_OP_WRITE, .fd = fd, .addr = address("hello"), .len = 5, .off = 0}),
             5);
    memcpy(buf, "world", 5);
    CHECK_EQ(run_op((struct io_op){
                 .code = IO_OP_WRITEV, .fd = fd, .addr = address(&part), .len = 1, .off = 5}),
             5);
    CHECK_EQ(run_op((struct io_op){
                 .code = IO_OP_READ, .fd = fd, .addr = address(text), .len = 5, .off = 3}),
             5);
    CHECK_STR(text, "lowor");
    CHECK_EQ(run_op((struct io_op){
                 .code = IO_OP_READV, .fd = fd, .addr = address(&part), .len = 1, .off = 5}),
             5);
    CHECK_OK(run_op((struct io_op){.code = IO_OP_FSYNC, .fd = fd}));
    int err = run_op((struct io_op){.code = IO_OP_FALLOCATE, .fd = fd, .addr = 20});
    CHECK(err == 0 || err == -EOPNOTSUPP);
    CHECK_OK(run_op((struct io_op){.code = IO_OP_FTRUNCATE, .fd = fd, .off = 7}));
    CHECK_OK(run_op((struct io_op){.code = IO_OP_FLOCK, .fd = fd, .flags = 2 | 4}));
    CHECK_OK(run_op((struct io_op){
        .code = IO_OP_UTIMENSAT, .fd = dir, .addr = address("sub/file"), .addr2 = address(times)}));
    CHECK_OK(run_op((struct io_op){.code = IO_OP_STATX,
                                   .fd = dir,
                                   .addr = address("sub/file"),
                                   .addr2 = address(&st),
                                   .len = STATX_SIZE}));
    CHECK_EQ(st.stx_size, 7);
    CHECK_OK(run_op((struct io_op){.code = IO_OP_LINKAT,
                                   .fd = dir,
                                   .addr = address("sub/file"),
                                   .addr2 = address("hard"),
                                   .len = (uint32_t)dir}));
    CHECK_OK(run_op((struct io_op){
        .code = IO_OP_SYMLINKAT, .fd = dir, .addr = address("hard"), .addr2 = address("soft")}));
    CHECK_EQ(run_op((struct io_op){.code = IO_OP_READLINKAT,
                                   .fd = dir,
                                   .addr = address("soft"),
                                   .addr2 = address(buf),
                                   .len = sizeof buf}),
             4);
    CHECK_OK(run_op((struct io_op){.code = IO_OP_RENAMEAT,
                                   .fd = dir,
                                   .addr = address("hard"),
                                   .addr2 = address("new"),
                                   .len = (uint32_t)dir}));
    CHECK(run_op((struct io_op){
              .code = IO_OP_GETDENTS, .fd = dir, .addr = address(buf), .len = sizeof buf}) > 0);
    CHECK_OK(lseek(dir, 0, SEEK_SET));
    static const char *const names[] = {"new", "soft", "sub/file"};
    for (size_t i = 0; i < 3; i++)
        CHECK_OK(
            run_op((struct io_op){.code = IO_OP_UNLINKAT, .fd = dir, .addr = address(names[i])}));
    CHECK_OK(run_op((struct io_op){
        .code = IO_OP_UNLINKAT, .fd = dir, .addr = address("sub"), .flags = AT_REMOVEDIR}));
    CHECK_OK(run_op((struct io_op){.code = IO_OP_CLOSE, .fd = fd}));
}

static int seven(void *arg)
{
    *(int *)arg = 7;
    return 8;
}

static WHORL_SUSPENDS_SHIELDED void call_on_a_thread(void)
{
    int set = 0;

    CHECK_EQ(run_op((struct io_op){.code = IO_OP_CALL,
                                   .addr = (uint64_t)(uintptr_t)seven,
                                   .addr2 = address(&set),
                                   .off = address("a file")}),
             8);
    CHECK_EQ(set, 7);
}

static int connect_back(void *arg)
{
    const struct whorl_addr *addr = arg;
    char buf[8];
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);

    CHECK_OK(run_op((struct io_op){
        .code = IO_OP_CONNECT, .fd = fd, .addr = address(&addr->sa), .len = addr->len}));
    CHECK_EQ(
        run_op((struct io_op){.code = IO_OP_SEND, .fd = fd, .addr = address("hello"), .len = 5}),
        5);
    CHECK_EQ(run_op((struct io_op){
                 .code = IO_OP_RECV, .fd = fd, .addr = address(buf), .len = sizeof buf}),
             3);
    return whorl_close(fd);
}

static WHORL_SUSPENDS_SHIELDED void use_sockets(void)
{
    WHORL_AUTO(group) group = {0};
    WHORL_AUTO(listener) *listener = NULL;
    struct whorl_addr addr;
    char buf[8] = "abc";
    struct iovec part = {buf, 3};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};

    tried |= (uint64_t)1 << IO_OP_ACCEPT;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &listener));
    addr = *whorl_listener_addr(listener);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_spawn(&group, connect_back, &addr));
        int fd = whorl_accept(listener, NULL);
        CHECK(fd >= 0);
        CHECK_EQ(run_op((struct io_op){.code = IO_OP_POLL, .fd = fd, .len = POLLIN}), POLLIN);
        CHECK_EQ(run_op((struct io_op){.code = IO_OP_SENDMSG, .fd = fd, .addr = address(&msg)}), 3);
        part.iov_len = 5;
        CHECK_EQ(run_op((struct io_op){.code = IO_OP_RECVMSG, .fd = fd, .addr = address(&msg)}), 5);
        part.iov_len = 3;
        CHECK_OK(whorl_close(fd));
    }
    CHECK_OK(whorl_group_wait(&group));
}

static WHORL_SUSPENDS_SHIELDED void use_pipes(void)
{
    int p[2], q[2];
    char buf[8];

    CHECK_OK(whorl_pipe(p));
    CHECK_OK(whorl_pipe(q));
    CHECK_EQ(write(p[1], "hello", 5), 5);
    CHECK_EQ(run_op((struct io_op){.code = IO_OP_SPLICE,
                                   .fd = q[1],
                                   .addr = UINT64_MAX,
                                   .addr2 = (uint64_t)p[0],
                                   .off = UINT64_MAX,
                                   .len = 5}),
             5);
    CHECK_EQ(read(q[0], buf, sizeof buf), 5);
    for (int i = 0; i < 2; i++) {
        close(p[i]);
        close(q[i]);
    }
}

/* --- what needs more than one request --------------------------------------------------------- */

static WHORL_SUSPENDS_SHIELDED void cancel_a_read(void)
{
    struct whorl_scope scope;
    uint64_t count;
    int fd = eventfd(0, EFD_CLOEXEC);

    whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
    int err = (int)whorl_read(fd, &count, sizeof count);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    close(fd);
}

static int read_later(void *arg)
{
    static char buf[300000];

    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    while (recv(*(int *)arg, buf, sizeof buf, MSG_DONTWAIT) > 0)
        ;
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void poll_beside_a_half_closed_peer(void)
{
    WHORL_AUTO(group) group = {0};
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    while (send(fds[0], "full", 4, MSG_DONTWAIT) == 4)
        ;
    CHECK_OK(shutdown(fds[1], SHUT_WR));
    CHECK_OK(whorl_spawn(&group, read_later, &fds[1]));
    CHECK_EQ(run_op((struct io_op){.code = IO_OP_POLL, .fd = fds[0], .len = POLLOUT}), POLLOUT);
    CHECK_OK(whorl_group_wait(&group));
    close(fds[0]);
    close(fds[1]);
}

static WHORL_SUSPENDS_SHIELDED void kick(void)
{
    struct whorl_poller *poller = whorl_poller_current();

    for (int i = 0; i < 3; i++) {
        uint64_t kicks = ring_stats(io_driver_current())->kicks;
        poller->ops->kick(poller);
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
        CHECK_EQ(ring_stats(io_driver_current())->kicks, kicks + 1);
    }
}

static int use_everything(void *arg)
{
    use_files(*(int *)arg);
    call_on_a_thread();
    use_sockets();
    use_pipes();
    cancel_a_read();
    poll_beside_a_half_closed_peer();
    kick();
    return 0;
}

/* --- the releases ----------------------------------------------------------------------------- */

static void check_release(const char *version)
{
    int dir = open(test_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (test_on_qemu())
        test_skip("qemu has no io_uring");
    CHECK(dir >= 0);
    setenv("WHORL_DRIVER", "io_uring", 1);
    io_faults_kernel(version);
    CHECK_OK(whorl_io_run(use_everything, &dir));
    CHECK_EQ(tried, ((uint64_t)1 << IO_OP_CODES) - 1); /* all that the table has */
    CHECK_EQ(io_faults_refused().opcodes, 0);
    close(dir);
}

TEST(every_request_works_as_on_the_kernel_that_runs)
{
    check_release(NULL);
    CHECK_EQ(io_faults_refused().flags, 0);
}

TEST(every_request_works_on_5_11)
{
    check_release("5.11");
}

TEST(every_request_works_on_5_15)
{
    check_release("5.15");
}

TEST(every_request_works_on_5_19)
{
    check_release("5.19");
}

TEST(every_request_works_on_6_1)
{
    check_release("6.1");
}

TEST(every_request_works_on_6_12)
{
    check_release("6.12");
}

/* A flag is tried where the kernel's answer is needed, and not again and again. */
TEST(flags_that_a_kernel_lacks_are_tried_a_few_times)
{
    int dir = open(test_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (test_on_qemu())
        test_skip("qemu has no io_uring");
    setenv("WHORL_DRIVER", "io_uring", 1);
    for (const char *const *version = io_faults_kernels; *version; version++) {
        io_faults_kernel(*version);
        CHECK_OK(whorl_io_run(use_everything, &dir));
        unsigned flags = io_faults_refused().flags;
        printf("%s: %u flags refused\n", *version, flags);
        CHECK(flags <= 20);
        if (strcmp(*version, "5.19") == 0 || (*version)[0] == '6')
            CHECK_EQ(flags, 0);
        else
            CHECK(flags > 0);
    }
    close(dir);
}

/* The imitation itself: a kernel refuses an opcode that it lacks. */
static int submit_unknown(void *arg)
{
    (void)arg;
    io_faults_opcodes(IORING_OP_NOP);
    return whorl_poll_fd(0, POLLIN);
}

TEST(a_request_that_the_kernel_does_not_know_is_refused)
{
    if (test_on_qemu())
        test_skip("qemu has no io_uring");
    setenv("WHORL_DRIVER", "io_uring", 1);
    CHECK_ERR(whorl_io_run(submit_unknown, NULL), -EINVAL);
    CHECK(io_faults_refused().opcodes > 0);
}

TEST_MAIN()
