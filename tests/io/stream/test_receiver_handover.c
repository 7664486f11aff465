/* SPDX-License-Identifier: MIT */
/* Streams that read ahead, when another reader takes over the socket: a caller that asks for the
 * descriptor, splice, TLS, or a forked process. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "certs.h"
#include "forked.h"
#include "receiver_conn.h"
#include "test.h"
#include "tls_server.h"

/* --- other readers of the socket -------------------------------------------------------------- */

/* Takes what was read ahead. Returns the count. */
static WHORL_SUSPENDS_SHIELDED size_t take_all(struct whorl_stream *stream, char *buf, size_t len)
{
    size_t got = 0;
    ssize_t n;
    while ((n = whorl_stream_take_received(stream, buf + got, len - got)) > 0)
        got += (size_t)n;
    CHECK_ERR(n, 0);
    return got;
}

TEST_IO(taking_what_was_received_leaves_the_rest_in_the_socket)
{
    struct conn c;
    char buf[64] = "";
    open_tcp(&c);
    warm(&c);
    feed(&c, "abc");
    while (buffers() && held() == 0)
        let_arrive();
    size_t n = take_all(c.stream, buf, sizeof buf);
    CHECK_EQ(n, buffers() ? 3 : 0);
    CHECK_EQ(armed(), 0);
    feed(&c, "def");
    let_arrive();
    CHECK_ERR(whorl_recv(whorl_stream_fd(c.stream), buf + n, sizeof buf - n, 0), 6 - n);
    CHECK_STR(buf, "abcdef");
    for (int i = 0; i < 10; i++) { /* it never reads ahead again */
        feed(&c, "small");
        expect(&c, "small");
    }
    CHECK_EQ(armed(), 0);
    CHECK_ERR(whorl_stream_take_received(c.stream, buf, 0), -EINVAL);
    close_conn(&c);
}

TEST_IO(the_end_and_errors_stay_for_the_next_reader)
{
    struct conn c;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    char buf[8];
    open_tcp(&c);
    warm(&c);
    CHECK_OK(shutdown(c.peer, SHUT_WR));
    let_arrive();
    CHECK_ERR(whorl_stream_take_received(c.stream, buf, sizeof buf), 0);
    CHECK_ERR(whorl_recv(whorl_stream_fd(c.stream), buf, sizeof buf, 0), 0);
    CHECK_ERR(whorl_stream_read(c.stream, buf, sizeof buf), 0);
    close_conn(&c);

    open_tcp(&c);
    warm(&c);
    CHECK_OK(setsockopt(c.peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    close(c.peer);
    let_arrive();
    ssize_t n = whorl_stream_take_received(c.stream, buf, sizeof buf);
    if (n == 0)
        n = whorl_stream_read(c.stream, buf, sizeof buf);
    CHECK_ERR(n, -ECONNRESET);
    whorl_stream_close(c.stream);
}

TEST_IO(a_descriptor_that_was_asked_for_can_be_polled)
{
    struct conn c;
    open_unix(&c);
    int fd = whorl_stream_fd(c.stream);
    for (int i = 0; i < 10; i++) {
        feed(&c, "hello");
        CHECK_ERR(whorl_poll_fd(fd, POLLIN), POLLIN);
        expect(&c, "hello");
    }
    CHECK_EQ(armed(), 0);
    close_conn(&c);
}

TEST_IO(a_descriptor_for_options_does_not_end_reading_ahead)
{
    struct conn c;
    open_unix(&c);
    int fd = whorl_stream_option_fd(c.stream);
    CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int)));
    warm(&c);
    CHECK_EQ(armed(), buffers() ? 1 : 0);
    CHECK_EQ(whorl_stream_option_fd(c.stream), fd);
    feed(&c, "more");
    expect(&c, "more");
    CHECK_EQ(armed(), buffers() ? 1 : 0);
    close_conn(&c);
}

TEST_IO(a_stream_whose_descriptor_is_asked_for_late_loses_nothing)
{
    struct conn c;
    open_unix(&c);
    warm(&c);
    feed(&c, "abc");
    let_arrive();
    CHECK(whorl_stream_fd(c.stream) >= 0);
    feed(&c, "def");
    expect(&c, "abcdef");
    wait_disarmed();
    feed(&c, "ghi");
    CHECK_ERR(whorl_poll_fd(whorl_stream_fd(c.stream), POLLIN), POLLIN);
    expect(&c, "ghi");
    close_conn(&c);
}

TEST_IO(splice_continues_where_the_stream_has_stopped)
{
    enum { TOTAL = 300000 };
    struct conn c;
    int p[2];
    static char got[TOTAL];
    WHORL_AUTO(group) group = {0};
    open_tcp(&c);
    warm(&c);
    CHECK_OK(whorl_spawn_copy(&group, write_pattern, (&(struct writing){c.peer, 0, TOTAL})));
    let_arrive();
    size_t at = take_all(c.stream, got, sizeof got);
    CHECK_OK(whorl_pipe(p));
    while (at < TOTAL) {
        ssize_t n = whorl_splice(whorl_stream_fd(c.stream), p[1], 4096);
        CHECK(n > 0);
        for (ssize_t i = 0; i < n;) {
            ssize_t m = whorl_read(p[0], got + at, (size_t)(n - i));
            CHECK(m > 0);
            i += m;
            at += (size_t)m;
        }
    }
    for (size_t i = 0; i < TOTAL; i++)
        CHECK_EQ(got[i], byte_at(i));
    CHECK_OK(whorl_group_wait(&group));
    close(p[0]);
    close(p[1]);
    close_conn(&c);
}

/* The peer of a stream that begins with plain messages and continues with TLS. */
static int serve_plain_then_tls(void *arg)
{
    struct whorl_stream *stream = arg;
    char buf[64];
    ssize_t n;
    for (int i = 0; i < 6; i++) {
        CHECK_OK(whorl_stream_read_exact(stream, buf, 5));
        CHECK_OK(whorl_stream_write(stream, buf, 5));
    }
    struct tls_server *server = tls_server_create(stream, NULL);
    CHECK_OK(tls_server_handshake(server));
    while ((n = tls_server_read(server, buf, sizeof buf)) > 0)
        CHECK_OK(tls_server_write(server, buf, (size_t)n));
    tls_server_destroy(server);
    return 0;
}

TEST_IO(tls_begins_on_a_stream_that_reads_ahead)
{
    struct whorl_tls_options options = {.ca_file = cert_path("ca.pem")};
    WHORL_AUTO(tls_config) *config = NULL;
    struct whorl_stream *near, *far, *tls;
    WHORL_AUTO(group) group = {0};
    char buf[64];
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
    CHECK_OK(whorl_stream_from_socket(p[0], &near));
    CHECK_OK(whorl_stream_from_socket(p[1], &far));
    CHECK_OK(whorl_spawn(&group, serve_plain_then_tls, far));
    for (int i = 0; i < 6; i++) {
        CHECK_OK(whorl_stream_write(near, "plain", 5));
        CHECK_OK(whorl_stream_read_exact(near, buf, 5));
    }
    CHECK_EQ(armed(), buffers() ? 2 : 0);
    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    CHECK_OK(whorl_tls_connect(config, near, "localhost", NULL, &tls));
    for (int i = 0; i < 20; i++) {
        CHECK_OK(whorl_stream_write(tls, "secret", 6));
        CHECK_OK(whorl_stream_read_exact(tls, buf, 6));
        CHECK_EQ(memcmp(buf, "secret", 6), 0);
    }
    CHECK_ERR(whorl_stream_take_received(tls, buf, sizeof buf), -EOPNOTSUPP);
    CHECK_OK(whorl_stream_close_write(tls));
    CHECK_OK(whorl_group_wait(&group));
    whorl_stream_close(tls);
}

TEST_IO(streams_that_never_read_ahead_have_nothing_to_take)
{
    struct whorl_stream *stream;
    char byte;
    int p[2];
    CHECK_OK(whorl_pipe(p));
    CHECK_OK(whorl_stream_from_pipe(p[0], p[1], &stream));
    CHECK_ERR(whorl_stream_take_received(stream, &byte, 1), 0);
    whorl_stream_close(stream);
}

/* --- forks ------------------------------------------------------------------------------------ */

static void check_can_fork_in_tasks(void)
{
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer does not follow a fork out of a task");
#endif
}

struct forking {
    struct conn conn;
    pid_t child;
};

static int fork_with_received_bytes(void *arg)
{
    struct forking *f = arg;
    char byte;
    open_unix(&f->conn);
    warm(&f->conn);
    feed(&f->conn, "parent");
    let_arrive();
    f->child = fork_child();
    if (f->child == 0) {
        CHECK_ERR(whorl_stream_read(f->conn.stream, &byte, 1), WHORL_ENOIO);
        CHECK_ERR(whorl_stream_take_received(f->conn.stream, &byte, 1), WHORL_ENOIO);
        return 0;
    }
    expect_success(f->child);
    expect(&f->conn, "parent");
    feed(&f->conn, "more");
    expect(&f->conn, "more");
    let_arrive();
    feed(&f->conn, "x");
    expect(&f->conn, "x");
    wait_disarmed(); /* the socket may be shared, so all further bytes stay in it */
    close_conn(&f->conn);
    return 0;
}

static int exercise(void *arg)
{
    struct conn c;
    (void)arg;
    open_unix(&c);
    warm(&c);
    feed(&c, "bytes");
    let_arrive();
    expect(&c, "bytes");
    close_conn(&c);
    return 0;
}

TEST(a_forked_child_leaves_what_its_parent_has_received)
{
    struct forking f;
    check_can_fork_in_tasks();
    CHECK_OK(whorl_io_run(fork_with_received_bytes, &f));
    if (f.child == 0) {
        close_conn(&f.conn);
        _exit(whorl_io_run(exercise, NULL) ? 1 : 0);
    }
}

static int read_in_child(void *arg)
{
    const struct conn *c = arg;
    feed(c, "for the child");
    expect(c, "for the child");
    for (int i = 0; i < 10; i++) {
        feed(c, "again");
        expect(c, "again");
    }
    return 0;
}

static int fork_and_give_away(void *arg)
{
    struct forking *f = arg;
    char byte;
    open_unix(&f->conn);
    warm(&f->conn);
    CHECK_ERR(whorl_stream_take_received(f->conn.stream, &byte, 1), 0);
    f->child = fork_child();
    if (f->child > 0)
        expect_success(f->child);
    return 0;
}

TEST(a_forked_child_reads_on_a_stream_that_was_given_to_it)
{
    struct forking f;
    check_can_fork_in_tasks();
    CHECK_OK(whorl_io_run(fork_and_give_away, &f));
    if (f.child == 0)
        _exit(whorl_io_run(read_in_child, &f.conn) ? 1 : 0);
    close_conn(&f.conn);
}

static int wait_in_read(void *arg)
{
    struct conn *c = arg;
    char byte;
    return (int)whorl_stream_read(c->stream, &byte, 1);
}

static int fork_beside_reader(void *arg)
{
    struct forking *f = arg;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    open_unix(&f->conn);
    warm(&f->conn);
    CHECK_OK(whorl_spawn(&group, wait_in_read, &f->conn));
    CHECK_OK(whorl_yield());
    f->child = fork_child();
    if (f->child > 0) {
        expect_success(f->child);
        feed(&f->conn, "x");
        CHECK_OK(whorl_group_wait(&group));
    }
    return 0; /* in the child, the end of the block cancels the reader */
}

TEST(a_forked_child_leaves_a_run_in_which_a_task_reads)
{
    struct forking f;
    check_can_fork_in_tasks();
    CHECK_OK(whorl_io_run(fork_beside_reader, &f));
    close_conn(&f.conn);
    if (f.child == 0)
        _exit(whorl_io_run(exercise, NULL) ? 1 : 0);
}

TEST_MAIN()
