/* SPDX-License-Identifier: MIT */
/* Streams over sockets: complete writes, exact reads, ends, and whether a stream can be used
 * again. */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "faults.h"
#include "io_faults.h"
#include "test.h"

struct ends {
    struct whorl_stream *a, *b;
};

static void open_pair(struct ends *ends)
{
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    CHECK_OK(whorl_stream_from_socket(p[0], &ends->a));
    CHECK_OK(whorl_stream_from_socket(p[1], &ends->b));
}

static void close_pair(struct ends *ends)
{
    whorl_stream_close(ends->a);
    whorl_stream_close(ends->b);
}

TEST_IO(bytes_come_out_as_they_went_in)
{
    struct ends s;
    char buf[16] = "";
    open_pair(&s);
    CHECK_OK(whorl_stream_write(s.a, "hello", 5));
    CHECK_ERR(whorl_stream_read(s.b, buf, sizeof buf), 5);
    CHECK_STR(buf, "hello");
    CHECK_OK(whorl_stream_write(s.b, "", 0));
    CHECK_OK(whorl_stream_write(s.b, "back", 4));
    CHECK_OK(whorl_stream_read_exact(s.a, buf, 4));
    CHECK(whorl_stream_fd(s.a) >= 0);
    close_pair(&s);
    whorl_stream_close(NULL);
}

TEST_IO(the_end_is_0_and_ends_read_all_early)
{
    struct ends s;
    char buf[16];
    open_pair(&s);
    CHECK_OK(whorl_stream_write(s.a, "abc", 3));
    CHECK_OK(whorl_stream_close_write(s.a));
    CHECK_ERR(whorl_stream_write(s.a, "d", 1), -EPIPE);
    CHECK_ERR(whorl_stream_read_exact(s.b, buf, 4), -ENODATA);
    CHECK_ERR(whorl_stream_read(s.b, buf, 4), 0);
    CHECK_OK(whorl_stream_read_exact(s.b, buf, 0));
    CHECK_OK(whorl_stream_write(s.b, "still", 5)); /* the other direction is still open */
    CHECK_OK(whorl_stream_read_exact(s.a, buf, 5));
    close_pair(&s);
}

struct job {
    struct whorl_stream *stream;
    size_t len;
};

static char byte_at(size_t i)
{
    return (char)(i * 7 % 253);
}

static int read_and_compare(void *arg)
{
    struct job *job = arg;
    static char buf[5000];
    for (size_t at = 0; at < job->len;) {
        ssize_t n = whorl_stream_read(job->stream, buf, sizeof buf);
        CHECK(n > 0);
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ(buf[i], byte_at(at + (size_t)i));
        at += (size_t)n;
    }
    return 0;
}

/* More parts than one system call takes, some of them empty, and more bytes than fit. */
TEST_IO(many_parts_are_written_in_order_and_whole)
{
    enum { PARTS = 100 };
    static char data[PARTS * 20000];
    struct iovec iov[PARTS], before[PARTS];
    size_t at = 0;
    struct ends s;
    WHORL_AUTO(group) group = {0};
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = byte_at(i);
    for (int i = 0; i < PARTS; i++) {
        size_t len = i % 5 == 0 ? 0 : (size_t)(i * i * 3);
        iov[i] = (struct iovec){data + at, len};
        at += len;
    }
    memcpy(before, iov, sizeof iov);
    open_pair(&s);
    CHECK_OK(whorl_spawn_copy(&group, read_and_compare, (&(struct job){s.b, at})));
    CHECK_OK(whorl_stream_writev(s.a, iov, PARTS));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(memcmp(before, iov, sizeof iov), 0);
    CHECK_OK(whorl_stream_writev(s.a, iov, 0));
    close_pair(&s);
}

/* Short writes at every position: the socket has the smallest possible buffer. */
TEST_IO(short_writes_are_continued)
{
    static char data[200000];
    struct ends s;
    WHORL_AUTO(group) group = {0};
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = byte_at(i);
    open_pair(&s);
    CHECK_OK(setsockopt(whorl_stream_fd(s.a), SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int)));
    CHECK_EQ(fcntl(whorl_stream_fd(s.a), F_SETFL, O_NONBLOCK), 0);
    CHECK_OK(whorl_spawn_copy(&group, read_and_compare, (&(struct job){s.b, sizeof data})));
    struct iovec iov[] = {{data, 70001}, {data + 70001, 1}, {data + 70002, sizeof data - 70002}};
    CHECK_OK(whorl_stream_writev(s.a, iov, 3));
    CHECK_OK(whorl_group_wait(&group));
    close_pair(&s);
}

/* The kernel reports a reset once. */
TEST_IO(a_reset_that_a_write_has_seen_is_no_end_for_the_reader)
{
    WHORL_AUTO(listener) *listener = NULL;
    struct linger at_once = {.l_onoff = 1};
    struct whorl_stream *stream;
    struct whorl_addr addr;
    char buf[8];
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &listener));
    int client = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(whorl_connect(client, whorl_listener_addr(listener)));
    int server = whorl_accept(listener, NULL);
    CHECK(server >= 0);
    CHECK_OK(whorl_stream_from_socket(client, &stream));
    CHECK_OK(setsockopt(server, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
    close(server); /* sends a reset */
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    CHECK_ERR(whorl_stream_write(stream, "x", 1), -ECONNRESET);
    CHECK_ERR(whorl_stream_read(stream, buf, sizeof buf), -ECONNRESET);
    CHECK_ERR(whorl_stream_read(stream, buf, sizeof buf), -ECONNRESET);
    whorl_stream_close(stream);
}

TEST_IO(a_quiet_stream_is_idle_and_no_other)
{
    struct ends s;
    char byte;
    open_pair(&s);
    CHECK(whorl_stream_is_idle(s.a));
    CHECK_OK(whorl_stream_write(s.b, "x", 1));
    CHECK(!whorl_stream_is_idle(s.a)); /* the peer has sent unexpected data */
    CHECK_OK(whorl_stream_read_exact(s.a, &byte, 1));
    CHECK(whorl_stream_is_idle(s.a));
    CHECK_OK(whorl_stream_close_write(s.b));
    CHECK(!whorl_stream_is_idle(s.a)); /* the peer has half-closed */
    close_pair(&s);
}

TEST_IO(a_cancelled_read_loses_no_byte)
{
    struct ends s;
    struct whorl_scope scope;
    char buf[4];
    open_pair(&s);
    whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
    ssize_t n = whorl_stream_read(s.a, buf, sizeof buf);
    CHECK_ERR(whorl_scope_leave(&scope, (int)n), -ETIMEDOUT);
    CHECK_OK(whorl_stream_write(s.b, "abc", 3));
    CHECK_OK(whorl_stream_read_exact(s.a, buf, 3));
    CHECK_EQ(memcmp(buf, "abc", 3), 0);
    close_pair(&s);
}

TEST_IO(every_call_is_a_cancel_point)
{
    struct ends s;
    struct whorl_scope scope;
    char byte, *text;
    open_pair(&s);
    CHECK_OK(whorl_stream_write(s.b, "x", 1));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_stream_read(s.a, &byte, 1), -ECANCELED);
    CHECK_ERR(whorl_stream_read_exact(s.a, &byte, 0), -ECANCELED);
    CHECK_ERR(whorl_stream_read_to_end(s.a, 10, &text, NULL), -ECANCELED);
    CHECK_ERR(whorl_stream_write(s.a, "x", 1), -ECANCELED);
    CHECK_ERR(whorl_stream_write(s.a, "x", 0), -ECANCELED);
    CHECK_ERR(whorl_stream_writev(s.a, NULL, 0), -ECANCELED);
    CHECK_ERR(whorl_stream_close_write(s.a), -ECANCELED);
    whorl_scope_leave(&scope, 0);
    close_pair(&s);
}

TEST_IO(read_to_end_returns_the_rest_or_says_that_it_is_too_much)
{
    struct ends s;
    char *text = NULL, byte;
    size_t len;
    open_pair(&s);
    CHECK_OK(whorl_stream_write(s.a, "hello, world", 12));
    CHECK_OK(whorl_stream_close_write(s.a));
    CHECK_ERR(whorl_stream_read(s.b, &byte, 1), 1);
    CHECK_OK(whorl_stream_read_to_end(s.b, 11, &text, &len));
    CHECK_STR(text, "ello, world");
    CHECK_EQ(len, 11);
    free(text);
    CHECK_OK(whorl_stream_read_to_end(s.b, 11, &text, NULL));
    CHECK_STR(text, "");
    free(text);
    CHECK_OK(whorl_stream_write(s.b, "back", 4));
    text = NULL;
    CHECK_ERR(whorl_stream_read_to_end(s.a, 3, &text, &len), -EFBIG);
    CHECK(!text);
    close_pair(&s);
}

static int read_for_ever(void *arg)
{
    char byte;
    return (int)whorl_stream_read(arg, &byte, 1);
}

static int close_under_a_reader(void *arg)
{
    struct ends s;
    WHORL_AUTO(group) group = {0};
    (void)arg;
    open_pair(&s);
    CHECK_OK(whorl_spawn(&group, read_for_ever, s.a));
    CHECK_OK(whorl_yield());
    whorl_stream_close(s.a);
    return 0;
}

TEST(closing_a_stream_under_a_reader_is_a_mistake_and_says_so)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        int err = whorl_io_run(close_under_a_reader, NULL);
        _exit(err != 0); /* not reached: the close aborts */
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
}

static int exchange(void *arg)
{
    struct ends s = {0};
    char buf[8], *text;
    int p[2];
    struct iovec iov[] = {{"ab", 2}, {"cd", 2}};

    (void)arg;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    int err = -ENOMEM;
    if (whorl_stream_from_socket(p[0], &s.a) != 0)
        close(p[0]);
    if (whorl_stream_from_socket(p[1], &s.b) != 0)
        close(p[1]);
    if (s.a && s.b)
        err = whorl_stream_writev(s.a, iov, 2);
    if (err == 0)
        err = whorl_stream_write(s.a, "ef", 2);
    if (err == 0)
        err = whorl_stream_read_exact(s.b, buf, 6);
    if (err == 0)
        err = whorl_stream_close_write(s.a);
    if (err == 0 && (err = whorl_stream_read_to_end(s.b, 0, &text, NULL)) == 0)
        free(text);
    close_pair(&s);
    return err;
}

static int run_exchange(void *arg)
{
    return whorl_io_run(exchange, arg);
}

TEST(no_failed_request_or_allocation_leaks)
{
    CHECK_EQ(io_faults_sweep(run_exchange, NULL, -EIO), 8);
    CHECK(faults_sweep(run_exchange, NULL) >= 4);
}

TEST(stream_from_a_closed_descriptor_is_ebadf)
{
    struct whorl_stream *stream = NULL;

    CHECK_ERR(whorl_stream_from_socket(-1, &stream), -EBADF);
    CHECK_ERR(whorl_stream_from_socket(1023, &stream), -EBADF);
    CHECK_ERR(whorl_stream_from_pipe(1023, -1, &stream), -EBADF);
    CHECK_ERR(whorl_stream_from_pipe(-1, 1023, &stream), -EBADF);
    CHECK(!stream);
}

TEST_MAIN()
