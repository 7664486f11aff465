/* SPDX-License-Identifier: MIT */
/* Descriptors: counts, positions, end of file, and closing in all cases. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>
#include <whorl/fd.h>

#include "faults.h"
#include "io_faults.h"
#include "test.h"

static int temporary_file(const char *content)
{
    char path[300];
    snprintf(path, sizeof path, "%s/file", test_tmpdir());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* --- owners ----------------------------------------------------------------------------------- */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

TEST(an_owner_closes_its_descriptor_when_its_block_is_left)
{
    int seen;
    {
        WHORL_AUTO(fd) file = whorl_fd_own(temporary_file("x"));
        seen = whorl_fd_get(&file);
        CHECK(is_open(seen));
        CHECK_EQ(whorl_fd_get(&file), seen);
    }
    CHECK(!is_open(seen));
}

TEST(descriptor_0_is_owned_like_any_other)
{
    int before = dup(STDIN_FILENO);
    {
        WHORL_AUTO(fd) standard = whorl_fd_own(STDIN_FILENO);
        CHECK_EQ(whorl_fd_get(&standard), STDIN_FILENO);
    }
    CHECK(!is_open(STDIN_FILENO));
    CHECK_EQ(dup2(before, STDIN_FILENO), STDIN_FILENO);
    close(before);
}

TEST(an_owner_that_is_zeroed_or_holds_an_error_closes_nothing)
{
    CHECK(is_open(STDIN_FILENO));
    for (int err = -3; err < 0; err++) {
        WHORL_AUTO(fd) file = whorl_fd_own(err);
        CHECK_EQ(whorl_fd_get(&file), err);
    }
    {
        WHORL_AUTO(fd) none = {0};
        CHECK(whorl_fd_get(&none) < 0);
        struct whorl_fd zeroed;
        memset(&zeroed, 0, sizeof zeroed);
        whorl_fd_finish(&zeroed);
    }
    CHECK(is_open(STDIN_FILENO));
}

TEST(a_descriptor_that_is_taken_from_its_owner_stays_open)
{
    int fd;
    {
        WHORL_AUTO(fd) file = whorl_fd_own(temporary_file("x"));
        fd = whorl_fd_take(&file);
        CHECK(whorl_fd_get(&file) < 0);
        CHECK(whorl_fd_take(&file) < 0);
    }
    CHECK(is_open(fd));
    WHORL_AUTO(fd) again = whorl_fd_own(fd);
    whorl_fd_finish(&again);
    CHECK(!is_open(fd));
    CHECK(whorl_fd_get(&again) < 0);
}

static WHORL_SUSPENDS int open_and_fail(void *arg)
{
    WHORL_AUTO(fd) file = whorl_fd_own(temporary_file("x"));
    WHORL_AUTO(fd) missing = whorl_fd_own(whorl_openat(AT_FDCWD, "/nowhere/at/all", O_RDONLY, 0));
    *(int *)arg = whorl_fd_get(&file);
    if (whorl_fd_get(&missing) < 0)
        return whorl_fd_get(&missing);
    return 0;
}

TEST_IO(an_owner_keeps_the_error_of_an_open)
{
    int fd;
    CHECK_ERR(open_and_fail(&fd), -ENOENT);
    CHECK(!is_open(fd));
}

/* --- reading and writing ---------------------------------------------------------------------- */

TEST_IO(read_and_write_move_the_position)
{
    int fd = temporary_file("0123456789");
    char buf[16] = "";
    CHECK_ERR(whorl_read(fd, buf, 3), 3);
    CHECK_ERR(whorl_write(fd, "abc", 3), 3);
    CHECK_ERR(whorl_read(fd, buf + 3, 10), 4);
    CHECK_STR(buf, "0126789");
    CHECK_ERR(whorl_read(fd, buf, sizeof buf), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
    close(fd);
}

TEST_IO(pread_and_pwrite_leave_the_position_alone)
{
    int fd = temporary_file("0123456789");
    char buf[16] = "";
    CHECK_ERR(whorl_pwrite(fd, "ab", 2, 8), 2);
    CHECK_ERR(whorl_pread(fd, buf, 4, 6), 4);
    CHECK_STR(buf, "67ab");
    CHECK_ERR(whorl_pread(fd, buf, 4, 10), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    CHECK_OK(whorl_pwrite_all(fd, "xyz", 3, 20));
    CHECK_EQ(lseek(fd, 0, SEEK_END), 23);
    close(fd);
}

TEST_IO(preadv_and_pwritev_leave_the_position_alone)
{
    int fd = temporary_file("0123456789");
    char a[3] = "", b[8] = "";
    struct iovec out[] = {{"ab", 2}, {"cd", 2}};
    struct iovec in[] = {{a, 2}, {b, 7}};
    CHECK_ERR(whorl_pwritev(fd, out, 2, 8), 4);
    CHECK_ERR(whorl_preadv(fd, in, 2, 5), 7);
    CHECK_STR(a, "56");
    CHECK_STR(b, "7abcd");
    CHECK_ERR(whorl_preadv(fd, in, 2, 12), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
}

TEST_IO(offsets_below_zero_are_refused_and_not_taken_for_the_position)
{
    int fd = temporary_file("0123456789");
    char buf[4];
    struct iovec iov = {buf, 4};
    CHECK_ERR(whorl_preadv(fd, &iov, 1, -1), -EINVAL);
    CHECK_ERR(whorl_pwritev(fd, &iov, 1, -1), -EINVAL);
    CHECK_ERR(whorl_pwritev(fd, &iov, -1, 0), -EINVAL);
    CHECK_ERR(whorl_pread(fd, buf, 4, -1), -EINVAL);
    CHECK_ERR(whorl_pwrite(fd, buf, 4, -1), -EINVAL);
    CHECK_ERR(whorl_pwrite_all(fd, buf, 4, INT64_MIN), -EINVAL);
    CHECK_ERR(whorl_pwrite(fd, "end", 3, INT64_C(5) << 30), 3); /* beyond 4 GiB */
    CHECK_EQ(lseek(fd, 0, SEEK_END), (INT64_C(5) << 30) + 3);
    close(fd);
}

TEST_IO(readv_and_writev_take_several_parts)
{
    int p[2];
    char a[3], b[8] = "";
    struct iovec out[] = {{"hel", 3}, {"lo ", 3}, {"you", 3}};
    struct iovec in[] = {{a, sizeof a}, {b, sizeof b}};
    CHECK_OK(pipe(p));
    CHECK_ERR(whorl_writev(p[1], out, 3), 9);
    CHECK_ERR(whorl_readv(p[0], in, 2), 9);
    CHECK_EQ(memcmp(a, "hel", 3), 0);
    CHECK_STR(b, "lo you");
    CHECK_ERR(whorl_readv(p[0], in, -1), -EINVAL);
    CHECK_ERR(whorl_writev(p[1], out, IOV_MAX + 1), -EINVAL);
    close(p[0]);
    close(p[1]);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    CHECK_ERR(whorl_writev(p[1], out, IOV_MAX + 1), -EINVAL);
    CHECK_ERR(whorl_readv(p[0], in, IOV_MAX + 1), -EINVAL);
    close(p[0]);
    close(p[1]);
}

TEST_IO(huge_lengths_are_cut_and_not_wrapped)
{
    int p[2];
    char buf[64];
    if (test_on_qemu())
        test_skip("qemu looks for the whole buffer");
    CHECK_OK(pipe(p));
    CHECK_EQ(write(p[1], "hello", 5), 5);
    /* 2^32 cut to 32 bits would be 0, which would look like the end of the file. */
    CHECK_ERR(whorl_read(p[0], buf, (size_t)1 << 32), 5);
    close(p[0]);
    close(p[1]);
}

TEST_IO(errors_are_the_system_calls_own)
{
    char buf[4];
    int p[2];
    CHECK_OK(pipe(p));
    CHECK_ERR(whorl_read(-1, buf, 4), -EBADF);
    CHECK_ERR(whorl_write(p[0], buf, 4), -EBADF);
    CHECK_ERR(whorl_read(p[1], buf, 4), -EBADF);
    CHECK_ERR(whorl_poll_fd(1000, POLLIN), -EBADF);
    CHECK_EQ(write(p[1], "data", 4), 4);
    CHECK_ERR(whorl_read(p[0], NULL, 4), -EFAULT);
    close(p[0]);
    close(p[1]);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static int close_soon(void *arg)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    return whorl_close(*(int *)arg);
}

TEST_IO(a_reader_of_an_empty_pipe_wakes_when_the_writer_closes)
{
    WHORL_AUTO(group) group = {0};
    int p[2];
    char byte;
    CHECK_OK(pipe(p));
    CHECK_OK(whorl_spawn(&group, close_soon, &p[1]));
    CHECK_ERR(whorl_read(p[0], &byte, 1), 0);
    close(p[0]);
}

TEST_IO(poll_wakes_for_a_hangup_nobody_asked_for)
{
    WHORL_AUTO(group) group = {0};
    int p[2];
    CHECK_OK(pipe(p));
    CHECK_OK(whorl_spawn(&group, close_soon, &p[1]));
    CHECK_EQ(whorl_poll_fd(p[0], POLLIN), POLLHUP);
    CHECK_EQ(whorl_poll_fd(p[0], 0), POLLHUP);
    close(p[0]);
    CHECK_OK(pipe(p));
    CHECK_OK(whorl_spawn(&group, close_soon, &p[0]));
    CHECK(whorl_poll_fd(p[1], 0) & POLLERR);
    close(p[1]);
}

TEST_IO(poll_tells_which_events_hold)
{
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    CHECK_EQ(whorl_poll_fd(p[0], POLLIN | POLLOUT), POLLOUT);
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_EQ(whorl_poll_fd(p[0], POLLIN), POLLIN);
    CHECK_EQ(whorl_poll_fd(p[0], POLLIN | POLLOUT), POLLIN | POLLOUT);
    close(p[0]);
    close(p[1]);
}

TEST_IO(descriptors_that_do_not_block_are_waited_for_all_the_same)
{
    WHORL_AUTO(group) group = {0};
    int p[2];
    char byte;
    CHECK_OK(pipe2(p, O_NONBLOCK));
    CHECK_OK(whorl_spawn(&group, close_soon, &p[1]));
    CHECK_ERR(whorl_read(p[0], &byte, 1), 0);
    close(p[0]);
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
    while ((n = whorl_read(sink->fd, buf, sizeof buf)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ(buf[i], (char)((sink->got + (size_t)i) % 251));
        sink->got += (size_t)n;
    }
    return (int)n;
}

TEST_IO(write_all_goes_on_until_everything_is_written)
{
    static char data[1 << 20];
    WHORL_AUTO(group) group = {0};
    int p[2];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i % 251);
    CHECK_OK(pipe(p)); /* holds 64 KiB */
    struct sink sink = {.fd = p[0]};
    CHECK_OK(whorl_spawn(&group, drain, &sink));
    CHECK_OK(whorl_write_all(p[1], data, sizeof data));
    CHECK_OK(whorl_write_all(p[1], data, 0));
    CHECK_OK(whorl_close(p[1]));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(sink.got, sizeof data);
    close(p[0]);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
}

/* Each wait continues with the remaining time. A wait that restarts would never end. */
static int write_in_pieces(void *arg)
{
    int fd = *(int *)arg, err = 0;
    for (int i = 0; i < 4 && err == 0; i++) {
        err = whorl_write_all(fd, "abc", 3);
        if (err == 0)
            err = whorl_sleep(WHORL_MILLISECOND);
    }
    return err ? err : whorl_close(fd);
}

TEST_IO(read_exact_reads_so_many_bytes_or_none)
{
    WHORL_AUTO(group) group = {0};
    char buf[8];
    int p[2];
    CHECK_OK(whorl_pipe(p));
    CHECK_OK(whorl_spawn(&group, write_in_pieces, &p[1]));
    CHECK_OK(whorl_read_exact(p[0], buf, 8));
    CHECK_EQ(memcmp(buf, "abcabcab", 8), 0);
    CHECK_OK(whorl_read_exact(p[0], buf, 0));
    CHECK_OK(whorl_read_exact(p[0], buf, 3));
    CHECK_EQ(memcmp(buf, "cab", 3), 0);
    CHECK_ERR(whorl_read_exact(p[0], buf, 2), -ENODATA); /* one byte, and the end */
    CHECK_ERR(whorl_read_exact(-1, buf, 2), -EBADF);
    CHECK_OK(whorl_close(p[0]));
}

TEST_IO(pread_exact_reads_so_many_bytes_or_none)
{
    int fd = temporary_file("0123456789");
    char buf[11] = "";
    CHECK_OK(whorl_pread_exact(fd, buf, 10, 0));
    CHECK_STR(buf, "0123456789");
    CHECK_ERR(whorl_pread_exact(fd, buf, 5, 6), -ENODATA);
    CHECK_ERR(whorl_pread_exact(fd, buf, 5, -1), -EINVAL);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
}

TEST_IO(signals_at_every_millisecond_neither_shorten_nor_prolong_a_wait)
{
    /* No SA_RESTART, so it interrupts system calls. */
    struct sigaction action = {.sa_handler = on_signal};
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    struct whorl_scope scope;
    int p[2];
    CHECK_OK(pipe(p));
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    int64_t start = whorl_now();
    whorl_scope_enter(&scope, start + 300 * WHORL_MILLISECOND);
    CHECK_ERR(whorl_scope_leave(&scope, whorl_poll_fd(p[0], POLLIN)), -ETIMEDOUT);
    CHECK(whorl_now() - start >= 300 * WHORL_MILLISECOND);
    start = whorl_now();
    CHECK_OK(whorl_sleep(300 * WHORL_MILLISECOND));
    CHECK(whorl_now() - start >= 300 * WHORL_MILLISECOND);
    CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK(signals >= 2);
    close(p[0]);
    close(p[1]);
}

/* --- closing ---------------------------------------------------------------------------------- */

TEST_IO(close_closes_also_where_everything_is_cancelled)
{
    struct whorl_scope scope;
    int p[2];
    CHECK_OK(pipe(p));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_OK(whorl_close(p[0]));
    whorl_scope_leave(&scope, 0);
    CHECK_ERR(fcntl(p[0], F_GETFD), -1);
    CHECK_OK(whorl_close(p[1]));
    CHECK_ERR(whorl_close(p[1]), -EBADF);
}

TEST(close_closes_also_outside_a_run)
{
    int p[2];
    CHECK_OK(pipe(p));
    CHECK_OK(whorl_close(p[0]));
    CHECK_OK(whorl_close(p[1]));
    CHECK_ERR(whorl_close(p[1]), -EBADF);
}

TEST_VIRTUAL(close_closes_also_in_a_run_without_io)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    CHECK_OK(whorl_close(fd));
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
}

/* --- standard input, whatever it was inherited as --------------------------------------------- */

/* Makes `fd` the standard input, with the given flags, which may contain O_NONBLOCK. Closes
 * `fd`. */
static void inherit(int fd, int flags)
{
    CHECK(fd >= 0);
    CHECK_OK(fcntl(fd, F_SETFL, flags));
    CHECK_EQ(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
}

static int say_later(void *arg)
{
    const int *fd = arg;
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    CHECK_EQ(write(*fd, "word\n", 5), 5);
    return 0;
}

/* Checks that standard input reads the word that is written to `say_fd` while a read waits (-1: the
 * word is already there). */
static WHORL_SUSPENDS_SHIELDED void check_stdin_says_word(int say_fd, int flags)
{
    WHORL_AUTO(group) group = {0};
    char buf[8] = "";

    if (say_fd >= 0)
        CHECK_OK(whorl_spawn(&group, say_later, &say_fd));
    CHECK_ERR(whorl_read(STDIN_FILENO, buf, sizeof buf), 5);
    CHECK_STR(buf, "word\n");
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, flags);
}

/* Checks that a read which is cancelled changes nothing either. */
static WHORL_SUSPENDS_SHIELDED void check_stdin_is_silent(int flags)
{
    struct whorl_scope scope;
    char byte;

    whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
    CHECK_ERR(whorl_scope_leave(&scope, (int)whorl_read(STDIN_FILENO, &byte, 1)), -ETIMEDOUT);
    CHECK_EQ(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, flags);
}

static WHORL_SUSPENDS_SHIELDED void check_stdin_ends(int flags)
{
    char byte;

    CHECK_ERR(whorl_read(STDIN_FILENO, &byte, 1), 0);
    CHECK_EQ(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, flags);
}

/* Standard input is p[0]; the peer has p[1]. */
static WHORL_SUSPENDS_SHIELDED void check_stdin_with_peer(const int p[2], int flags)
{
    inherit(p[0], flags);
    check_stdin_is_silent(flags);
    check_stdin_says_word(p[1], flags);
    close(p[1]);
    check_stdin_ends(flags);
}

TEST_IO(stdin_may_be_a_pipe)
{
    for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
        int p[2];
        CHECK_OK(pipe(p));
        check_stdin_with_peer(p, flags);
    }
}

TEST_IO(stdin_may_be_a_socket)
{
    for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
        int p[2];
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
        check_stdin_with_peer(p, flags);
    }
}

TEST_IO(stdin_may_be_a_file)
{
    for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
        inherit(temporary_file("word\n"), flags);
        check_stdin_says_word(-1, flags);
        check_stdin_ends(flags);
    }
}

TEST_IO(stdin_may_be_the_null_device)
{
    for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
        inherit(open("/dev/null", O_RDONLY | O_CLOEXEC), flags);
        check_stdin_ends(flags);
        check_stdin_ends(flags);
    }
}

TEST_IO(stdin_may_be_a_terminal)
{
    for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
        int ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        CHECK(ours >= 0 && grantpt(ours) == 0 && unlockpt(ours) == 0);
        inherit(open(ptsname(ours), O_RDWR | O_NOCTTY | O_CLOEXEC), O_RDWR | flags);
        check_stdin_is_silent(flags);
        check_stdin_says_word(ours, flags);
        CHECK_EQ(write(ours, "\4", 1), 1); /* end of input, as typed on a terminal */
        check_stdin_ends(flags);
        CHECK_OK(whorl_write_all(STDIN_FILENO, "answer", 6));
        CHECK_EQ(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, flags);
        close(ours);
    }
}

/* --- to the end ------------------------------------------------------------------------------- */

TEST_IO(read_to_end_returns_all_from_the_position_on)
{
    char *text = NULL;
    size_t len = 99;
    int fd = temporary_file("0123456789");
    CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
    CHECK_OK(whorl_read_to_end(fd, 7, &text, &len));
    CHECK_STR(text, "3456789");
    CHECK_EQ(len, 7);
    free(text);
    CHECK_OK(whorl_read_to_end(fd, 0, &text, NULL));
    CHECK_STR(text, "");
    free(text);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    text = NULL;
    CHECK_ERR(whorl_read_to_end(fd, 9, &text, &len), -EFBIG);
    CHECK_ERR(whorl_read_to_end(-1, 9, &text, &len), -EBADF);
    CHECK(!text);
    close(fd);
}

struct flood {
    int fd;
    size_t len;
};

static int write_flood(void *arg)
{
    const struct flood *flood = arg;
    char *bytes = malloc(flood->len + 1);
    for (size_t i = 0; i < flood->len; i++)
        bytes[i] = (char)('a' + i % 23);
    int err = whorl_write_all(flood->fd, bytes, flood->len);
    free(bytes);
    whorl_close(flood->fd);
    return err;
}

/* Sizes around those at which the memory grows, all of them at the limit and one byte over it. */
TEST_IO(read_to_end_takes_any_length_up_to_its_limit)
{
    static const size_t lens[] = {1, 4095, 4096, 4097, 8192, 8193, 8194, 100000, 3000000};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
        for (size_t less = 0; less < 2; less++) {
            WHORL_AUTO(group) group = {0};
            char *text = NULL;
            size_t len = 0;
            int p[2];
            CHECK_OK(whorl_pipe(p));
            CHECK_OK(whorl_spawn_copy(&group, write_flood, (&(struct flood){p[1], lens[i]})));
            int err = whorl_read_to_end(p[0], lens[i] - less, &text, &len);
            close(p[0]);
            if (less) {
                CHECK_ERR(err, -EFBIG);
                test_ignore(whorl_group_wait(&group)); /* it may have got -EPIPE */
                continue;
            }
            CHECK_OK(err);
            CHECK_OK(whorl_group_wait(&group));
            CHECK_EQ(len, lens[i]);
            CHECK_EQ(strlen(text), len);
            for (size_t k = 0; k < len; k++)
                CHECK(text[k] == (char)('a' + k % 23));
            free(text);
        }
}

TEST_IO(a_cancelled_read_to_end_frees_what_it_had)
{
    struct whorl_scope scope;
    char *text = NULL;
    int p[2];
    CHECK_OK(whorl_pipe(p));
    CHECK_OK(whorl_write_all(p[1], "some", 4));
    whorl_scope_enter(&scope, whorl_after(2 * WHORL_MILLISECOND));
    CHECK_ERR(whorl_read_to_end(p[0], SIZE_MAX, &text, NULL), -ECANCELED);
    CHECK_ERR(whorl_read_to_end(p[0], SIZE_MAX, &text, NULL), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK(!text);
    close(p[0]);
    close(p[1]);
}

/* --- faults ----------------------------------------------------------------------------------- */

static int copy(void *arg)
{
    int p[2];
    char buf[8], *text;
    struct iovec part = {buf, sizeof buf};

    (void)arg;
    if (pipe(p) < 0)
        return -errno;
    int err = whorl_write_all(p[1], "hello", 5);
    if (err == 0)
        err = whorl_poll_fd(p[0], POLLIN);
    if (err > 0)
        err = (int)whorl_readv(p[0], &part, 1);
    if (err >= 0)
        err = whorl_write_all(p[1], "hello", 5);
    whorl_close(p[1]);
    if (err == 0 && (err = whorl_read_to_end(p[0], 5, &text, NULL)) == 0)
        free(text);
    whorl_close(p[0]);
    return err < 0 ? err : 0;
}

static int run_copy(void *arg)
{
    return whorl_io_run(copy, arg);
}

TEST(every_failing_request_or_allocation_is_reported)
{
    CHECK_EQ(io_faults_sweep(run_copy, NULL, -EIO), 12);
    CHECK(faults_sweep(run_copy, NULL) > 3);
}

TEST_MAIN()
