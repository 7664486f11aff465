/* SPDX-License-Identifier: MIT */
/* Streams that read ahead: order, ends, errors, cancellation, bounds, and other readers of the
 * socket. With a driver that never reads ahead, the results are the same. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "certs.h"
#include "faults.h"
#include "forked.h"
#include "io/driver/op.h"
#include "io/driver/ring_buffers.h"
#include "io_faults.h"
#include "test.h"
#include "tls_server.h"

/* --- fixtures --------------------------------------------------------------------------------- */

/* The buffers of this run; NULL: it never reads ahead. */
static struct ring_buffers *buffers(void)
{
    struct io_driver *driver = io_driver_current();
    return driver->ops->buffers ? driver->ops->buffers(driver) : NULL;
}

/* How many streams of this run have a multishot request in flight. */
static unsigned armed(void)
{
    return buffers() ? ring_buffers_stats(buffers()).receives : 0;
}

static unsigned held(void)
{
    return buffers() ? ring_buffers_stats(buffers()).held : 0;
}

struct conn {
    struct whorl_stream *stream;
    int peer;
};

static void open_unix(struct conn *conn)
{
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
    CHECK_OK(whorl_stream_from_socket(p[0], &conn->stream));
    conn->peer = p[1];
}

static WHORL_SUSPENDS_SHIELDED void open_tcp(struct conn *conn)
{
    struct whorl_addr addr;
    WHORL_AUTO(listener) *listener = NULL;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, &(struct whorl_listen_options){.no_delay = true}, &listener));
    conn->peer = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK(conn->peer >= 0);
    CHECK_OK(whorl_connect(conn->peer, whorl_listener_addr(listener)));
    int fd = whorl_accept(listener, NULL);
    CHECK(fd >= 0);
    CHECK_OK(whorl_stream_from_socket(fd, &conn->stream));
}

static void close_conn(struct conn *conn)
{
    whorl_stream_close(conn->stream);
    close(conn->peer);
}

static void feed(const struct conn *conn, const char *text)
{
    CHECK_EQ(send(conn->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static WHORL_SUSPENDS_SHIELDED void expect(const struct conn *conn, const char *text)
{
    char buf[256] = "";
    CHECK(strlen(text) < sizeof buf);
    CHECK_OK(whorl_stream_read_exact(conn->stream, buf, strlen(text)));
    CHECK_STR(buf, text);
}

/* Exchanges small messages until the stream reads ahead. */
static WHORL_SUSPENDS_SHIELDED void warm(const struct conn *conn)
{
    uint64_t before = buffers() ? ring_buffers_stats(buffers()).taken : 0;
    for (int i = 0; i < 5; i++) {
        feed(conn, "warming");
        expect(conn, "warming");
    }
    if (buffers())
        CHECK_EQ(ring_buffers_stats(buffers()).taken, before + 1);
}

/* Gives the kernel time to deliver what was sent, and the loop a turn to see it. */
static WHORL_SUSPENDS_SHIELDED void let_arrive(void)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
}

/* Waits until the kernel has ended all multishot requests. */
static WHORL_SUSPENDS_SHIELDED void wait_disarmed(void)
{
    while (armed() > 0)
        let_arrive();
}

static char byte_at(size_t i)
{
    return (char)(i * 7 % 253);
}

struct writing {
    int fd;
    size_t from, to;
};

static int write_pattern(void *arg)
{
    const struct writing *w = arg;
    char buf[30000];
    for (size_t at = w->from; at < w->to;) {
        size_t n = w->to - at < sizeof buf ? w->to - at : sizeof buf;
        for (size_t i = 0; i < n; i++)
            buf[i] = byte_at(at + i);
        CHECK_OK(whorl_send_all(w->fd, buf, n, 0));
        at += n;
    }
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void read_pattern(struct whorl_stream *stream, size_t from,
                                                 size_t to, size_t len)
{
    char *buf = malloc(len);
    CHECK(buf);
    while (from < to) {
        ssize_t n = whorl_stream_read(stream, buf, to - from < len ? to - from : len);
        CHECK(n > 0);
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ(buf[i], byte_at(from + (size_t)i));
        from += (size_t)n;
    }
    free(buf);
}

/* --- both ways of receiving ------------------------------------------------------------------- */

TEST_IO(small_messages_are_read_ahead)
{
    struct conn c;
    open_tcp(&c);
    warm(&c);
    uint64_t taken = buffers() ? ring_buffers_stats(buffers()).taken : 0;
    for (int i = 0; i < 1000; i++) {
        feed(&c, "hello");
        expect(&c, "hello");
    }
    if (buffers())
        CHECK_EQ(ring_buffers_stats(buffers()).taken - taken, 1000);
    CHECK_EQ(held(), 0);
    close_conn(&c);
}

TEST_IO(a_message_is_read_in_parts_and_several_at_once)
{
    struct conn c;
    char buf[16] = "";
    open_unix(&c);
    warm(&c);
    feed(&c, "abcdef");
    CHECK_ERR(whorl_stream_read(c.stream, buf, 2), 2);
    CHECK_ERR(whorl_stream_read(c.stream, buf + 2, 3), 3);
    feed(&c, "ghi");
    let_arrive();
    feed(&c, "jkl");
    let_arrive();
    CHECK_OK(whorl_stream_read_exact(c.stream, buf + 5, 7));
    CHECK_STR(buf, "abcdefghijkl");
    close_conn(&c);
}

TEST_IO(a_stream_switches_between_small_messages_and_bulk)
{
    enum { BULK = 4 << 20 };
    struct conn c;
    open_tcp(&c);
    for (int round = 0; round < 3; round++) {
        WHORL_AUTO(group) group = {0};
        warm(&c);
        CHECK_OK(whorl_spawn_copy(&group, write_pattern, (&(struct writing){c.peer, 0, BULK})));
        read_pattern(c.stream, 0, BULK, 100000);
        wait_disarmed(); /* the bulk goes straight into the caller's memory */
        CHECK_OK(whorl_group_wait(&group));
    }
    close_conn(&c);
}

TEST_IO(a_caller_with_little_room_reads_bulk_in_order)
{
    enum { BULK = 1 << 20 };
    struct conn c;
    WHORL_AUTO(group) group = {0};
    open_tcp(&c);
    warm(&c);
    CHECK_OK(whorl_spawn_copy(&group, write_pattern, (&(struct writing){c.peer, 0, BULK})));
    read_pattern(c.stream, 0, BULK, 1001);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(held(), 0);
    close_conn(&c);
}

TEST_IO(packets_are_neither_cut_nor_joined)
{
    struct conn c;
    static char packet[5000], buf[sizeof packet];
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p));
    CHECK_OK(whorl_stream_from_socket(p[0], &c.stream));
    c.peer = p[1];
    for (int i = 0; i < 8; i++) {
        feed(&c, "small");
        CHECK_ERR(whorl_stream_read(c.stream, buf, sizeof buf), 5);
    }
    feed(&c, "one");
    feed(&c, "two");
    let_arrive();
    CHECK_ERR(whorl_stream_read(c.stream, buf, sizeof buf), 3);
    CHECK_ERR(whorl_stream_read(c.stream, buf, sizeof buf), 3);
    CHECK_EQ(send(c.peer, packet, sizeof packet, 0), sizeof packet);
    CHECK_ERR(whorl_stream_read(c.stream, buf, sizeof buf), sizeof packet);
    close_conn(&c);
}

TEST_IO(a_nonblocking_socket_behaves_the_same)
{
    struct conn c;
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p));
    CHECK_OK(whorl_stream_from_socket(p[0], &c.stream));
    c.peer = p[1];
    for (int i = 0; i < 100; i++) {
        feed(&c, "hello");
        expect(&c, "hello");
        CHECK_OK(whorl_yield());
    }
    close_conn(&c);
}

/* --- ends and errors -------------------------------------------------------------------------- */

TEST_IO(the_end_follows_the_last_byte)
{
    struct conn c;
    char byte;
    open_tcp(&c);
    warm(&c);
    feed(&c, "last");
    CHECK_OK(shutdown(c.peer, SHUT_WR));
    let_arrive();
    expect(&c, "last");
    CHECK_ERR(whorl_stream_read(c.stream, &byte, 1), 0);
    CHECK_ERR(whorl_stream_read(c.stream, &byte, 1), 0);
    CHECK_OK(whorl_stream_write(c.stream, "ok", 2)); /* the other direction is still open */
    CHECK_ERR(recv(c.peer, &byte, 1, 0), 1);
    close_conn(&c);
}

static int end_soon(void *arg)
{
    struct conn *c = arg;
    CHECK_OK(whorl_yield());
    CHECK_OK(shutdown(c->peer, SHUT_WR));
    return 0;
}

TEST_IO(the_end_wakes_the_reader)
{
    struct conn c;
    char byte;
    WHORL_AUTO(group) group = {0};
    open_unix(&c);
    warm(&c);
    CHECK_OK(whorl_spawn(&group, end_soon, &c));
    CHECK_ERR(whorl_stream_read(c.stream, &byte, 1), 0);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(armed(), 0);
    close_conn(&c);
}

TEST_IO(a_reset_follows_the_last_byte)
{
    struct conn c;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    char byte;
    open_tcp(&c);
    warm(&c);
    feed(&c, "last");
    let_arrive();
    CHECK_OK(setsockopt(c.peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    close(c.peer);
    let_arrive();
    expect(&c, "last");
    CHECK_ERR(whorl_stream_read(c.stream, &byte, 1), -ECONNRESET);
    CHECK_ERR(whorl_stream_read(c.stream, &byte, 1), 0);
    whorl_stream_close(c.stream);
}

TEST_IO(a_stream_with_received_bytes_or_an_end_is_not_idle)
{
    struct conn c;
    char byte;
    open_tcp(&c);
    warm(&c);
    CHECK(whorl_stream_is_idle(c.stream));
    feed(&c, "x");
    CHECK(!whorl_stream_is_idle(c.stream)); /* the byte is in the socket */
    let_arrive();
    CHECK(!whorl_stream_is_idle(c.stream)); /* the byte is in the queue */
    expect(&c, "x");
    CHECK(whorl_stream_is_idle(c.stream));
    CHECK_OK(shutdown(c.peer, SHUT_WR));
    let_arrive();
    CHECK(!whorl_stream_is_idle(c.stream));
    CHECK_ERR(whorl_stream_read(c.stream, &byte, 1), 0);
    CHECK(!whorl_stream_is_idle(c.stream));
    close_conn(&c);
}

/* --- cancellation ----------------------------------------------------------------------------- */

static int feed_slowly(void *arg)
{
    const struct writing *w = arg;
    for (size_t at = w->from; at < w->to;) {
        char buf[40];
        size_t n = at % 37 + 1;
        if (n > w->to - at)
            n = w->to - at;
        for (size_t i = 0; i < n; i++)
            buf[i] = byte_at(at + i);
        CHECK_OK(whorl_send_all(w->fd, buf, n, 0));
        at += n;
        CHECK_OK(at % 3 ? whorl_yield() : whorl_sleep(50 * WHORL_MICROSECOND));
    }
    return 0;
}

TEST_IO(a_cancelled_read_leaves_its_bytes_for_the_next)
{
    enum { TOTAL = 20000 };
    struct conn c;
    char buf[64];
    int cancelled = 0;
    WHORL_AUTO(group) group = {0};
    open_tcp(&c);
    warm(&c);
    CHECK_OK(whorl_spawn_copy(&group, feed_slowly, (&(struct writing){c.peer, 0, TOTAL})));
    for (size_t at = 0, round = 0; at < TOTAL; round++) {
        struct whorl_scope scope;
        whorl_scope_enter(&scope, whorl_after((int64_t)(round % 7) * 10 * WHORL_MICROSECOND));
        ssize_t n = whorl_stream_read(c.stream, buf, at % sizeof buf + 1);
        int err = whorl_scope_leave(&scope, n < 0 ? (int)n : 0);
        if (n < 0)
            CHECK_ERR(err, -ETIMEDOUT);
        cancelled += n < 0;
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ(buf[i], byte_at(at++));
    }
    CHECK(cancelled > 0);
    CHECK_OK(whorl_group_wait(&group));
    close_conn(&c);
}

TEST_IO(a_read_of_received_bytes_is_a_cancel_point)
{
    struct conn c;
    struct whorl_scope scope;
    char byte;
    open_unix(&c);
    warm(&c);
    feed(&c, "x");
    let_arrive();
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_stream_read(c.stream, &byte, 1), -ECANCELED);
    CHECK_ERR(whorl_stream_take_received(c.stream, &byte, 1), -ECANCELED);
    whorl_scope_leave(&scope, 0);
    expect(&c, "x");
    close_conn(&c);
}

/* --- bounds ----------------------------------------------------------------------------------- */

/* As many connections as the limit of descriptors allows, at most `count`. */
static size_t raise_limit(size_t count)
{
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    size_t most = (limit.rlim_max - 100) / 2;
    return most < count ? most : count;
}

static void burst(struct conn *conns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(send(conns[i].peer, &i, sizeof i, 0), sizeof i);
}

static int read_number(void *arg)
{
    struct conn *c = arg;
    size_t number;
    CHECK_OK(whorl_stream_read_exact(c->stream, &number, sizeof number));
    c->peer ^= (int)number; /* a trace that burst_and_read() removes */
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void burst_and_read(struct conn *conns, size_t count, bool wait)
{
    WHORL_AUTO(group) group = {0};
    if (wait) {
        burst(conns, count);
        let_arrive();
    }
    for (size_t i = 0; i < count; i++)
        CHECK_OK(whorl_spawn(&group, read_number, &conns[i]));
    if (!wait) {
        CHECK_OK(whorl_yield());
        CHECK_OK(whorl_yield());
        burst(conns, count);
    }
    CHECK_OK(whorl_group_wait(&group));
    for (size_t i = 0; i < count; i++)
        conns[i].peer ^= (int)i;
}

static WHORL_SUSPENDS_SHIELDED void exchange_on_many(struct conn *conns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        open_unix(&conns[i]);
    for (int round = 0; round < 12; round++) {
        burst_and_read(conns, count, round % 2);
        CHECK_EQ(held(), 0);
    }
}

TEST_SLOW(connections_outnumber_the_buffers, TEST_ROOT_IO, 60)
{
    size_t count = raise_limit(2000);
    struct conn *conns = calloc(count, sizeof *conns);
    CHECK(conns);
    if (buffers())
        ring_buffers_limit(buffers(), RING_BUFFERS_CHUNK);
    exchange_on_many(conns, count);
    if (buffers()) {
        CHECK(ring_buffers_stats(buffers()).short_of > 0);
        CHECK_EQ(ring_buffers_stats(buffers()).allocated, RING_BUFFERS_CHUNK);
    }
    for (size_t i = 0; i < count; i++)
        close_conn(&conns[i]);
    free(conns);
}

TEST_SLOW(the_buffers_follow_the_load, TEST_ROOT_IO, 60)
{
    size_t count = raise_limit(1000);
    struct conn *conns = calloc(count, sizeof *conns);
    CHECK(conns);
    exchange_on_many(conns, count);
    if (buffers()) {
        CHECK(ring_buffers_stats(buffers()).allocated > RING_BUFFERS_CHUNK);
        CHECK(armed() > 0);
    }
    for (int i = 0; i < 20000; i++) {
        feed(&conns[0], "little");
        expect(&conns[0], "little");
    }
    if (buffers())
        CHECK(ring_buffers_stats(buffers()).allocated <= 2 * RING_BUFFERS_CHUNK);
    burst_and_read(conns, count, true);
    for (size_t i = 0; i < count; i++)
        close_conn(&conns[i]);
    wait_disarmed();
    if (buffers()) {
        CHECK(ring_buffers_stats(buffers()).allocated <= RING_BUFFERS_CHUNK);
    }
    free(conns);
}

/* Sends as much as the socket takes. Returns how much. */
static size_t flood(int fd, size_t at)
{
    char buf[8192];
    size_t sent = 0;
    for (;;) {
        for (size_t i = 0; i < sizeof buf; i++)
            buf[i] = byte_at(at + sent + i);
        ssize_t n = send(fd, buf, sizeof buf, MSG_DONTWAIT);
        if (n <= 0)
            return sent;
        sent += (size_t)n;
    }
}

TEST_IO(a_stream_that_nothing_reads_does_not_fill_memory)
{
    enum { MANY = 300 };
    static struct conn many[MANY];
    struct conn c, other;
    size_t sent = 0;
    exchange_on_many(many, MANY); /* so that there are many buffers to take */
    if (buffers())
        CHECK(ring_buffers_stats(buffers()).allocated >= MANY);
    open_unix(&c);
    open_unix(&other);
    warm(&c);
    warm(&other);
    for (int i = 0; i < 50; i++) {
        sent += flood(c.peer, sent);
        CHECK_OK(whorl_yield());
        let_arrive();
    }
    CHECK(held() <= 128);
    feed(&other, "still served");
    expect(&other, "still served");
    read_pattern(c.stream, 0, sent, 3000);
    CHECK_EQ(held(), 0);
    close_conn(&c);
    close_conn(&other);
    for (int i = 0; i < MANY; i++)
        close_conn(&many[i]);
}

struct idling {
    struct conn conn;
    bool cancel; /* a read is cancelled before */
};

static int idle_for_ever(void *arg)
{
    struct idling *idling = arg;
    struct whorl_event never = {0};
    struct whorl_scope scope;
    char byte;
    open_unix(&idling->conn);
    warm(&idling->conn);
    if (idling->cancel) {
        whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
        int err = (int)whorl_stream_read(idling->conn.stream, &byte, 1);
        CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    }
    return whorl_event_wait(&never);
}

/* The read that would begin to read ahead is cancelled before it waits. */
static int cancel_and_idle(void *arg)
{
    struct conn *c = arg;
    struct whorl_event never = {0};
    struct whorl_scope scope;
    char byte;
    open_unix(c);
    for (int i = 0; i < 4; i++) {
        feed(c, "warming");
        expect(c, "warming");
    }
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_stream_read(c->stream, &byte, 1), -ECANCELED);
    whorl_scope_leave(&scope, 0);
    return whorl_event_wait(&never);
}

TEST(an_idle_stream_does_not_keep_a_run_alive)
{
    struct idling idling = {0};
    CHECK_ERR(whorl_io_run(idle_for_ever, &idling), -EDEADLK);
    close_conn(&idling.conn);
    idling.cancel = true;
    CHECK_ERR(whorl_io_run(idle_for_ever, &idling), -EDEADLK);
    close_conn(&idling.conn);
    CHECK_ERR(whorl_io_run(cancel_and_idle, &idling.conn), -EDEADLK);
    close_conn(&idling.conn);
}

/* --- closing, and the end of the run ---------------------------------------------------------- */

TEST_IO(closing_tells_the_peer)
{
    struct conn c;
    char byte;
    open_tcp(&c);
    warm(&c);
    feed(&c, "unread");
    let_arrive();
    whorl_stream_close(c.stream);
    CHECK_EQ(held(), 0);
    ssize_t n = whorl_recv(c.peer, &byte, 1, 0);
    CHECK(n == 0 || n == -ECONNRESET);
    wait_disarmed();
    close(c.peer);
}

TEST_IO(bytes_that_arrive_during_the_close_are_dropped)
{
    for (int i = 0; i < 100; i++) {
        struct conn c;
        open_unix(&c);
        warm(&c);
        feed(&c, "early");
        if (i % 2)
            CHECK_OK(whorl_yield());
        whorl_stream_close(c.stream);
        test_ignore(send(c.peer, "late", 4, MSG_NOSIGNAL));
        close(c.peer);
    }
    wait_disarmed();
    CHECK_EQ(held(), 0);
}

static int close_at_the_end(void *arg)
{
    struct conn c;
    (void)arg;
    open_unix(&c);
    warm(&c);
    close_conn(&c);
    return 0;
}

TEST(a_run_may_end_while_a_stream_closes)
{
    CHECK_OK(whorl_io_run(close_at_the_end, NULL));
}

static int leave_unread(void *arg)
{
    struct conn *c = arg;
    open_unix(c);
    warm(c);
    feed(c, "one ");
    let_arrive();
    feed(c, "two ");
    let_arrive();
    return 0;
}

static int read_the_rest(void *arg)
{
    const struct conn *c = arg;
    char byte;
    feed(c, "three");
    CHECK_OK(shutdown(c->peer, SHUT_WR));
    CHECK(!whorl_stream_is_idle(c->stream));
    CHECK_ERR(whorl_stream_read(c->stream, &byte, 1), 1);
    CHECK_EQ(byte, 'o');
    expect(c, "ne two three");
    CHECK_ERR(whorl_stream_read(c->stream, &byte, 1), 0);
    return 0;
}

TEST(the_next_run_reads_what_the_last_one_has_received)
{
    struct conn c;
    CHECK_OK(whorl_io_run(leave_unread, &c));
    CHECK_OK(whorl_io_run(read_the_rest, &c));
    close_conn(&c);
    CHECK_OK(whorl_io_run(leave_unread, &c));
    close_conn(&c);
}

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

/* --- shortages -------------------------------------------------------------------------------- */

static int exchange(void *arg)
{
    struct whorl_stream *near = NULL, *far = NULL;
    char buf[8];
    int p[2];
    (void)arg;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
    int err = whorl_stream_from_socket(p[0], &near);
    if (err)
        close(p[0]);
    else if ((err = whorl_stream_from_socket(p[1], &far)) != 0)
        whorl_stream_close(near);
    if (err) {
        close(p[1]);
        return err;
    }
    for (int i = 0; i < 8 && err == 0; i++) {
        err = whorl_stream_write(near, "hello", 5);
        if (err == 0)
            err = whorl_stream_read_exact(far, buf, 5);
        if (err == 0)
            CHECK_EQ(memcmp(buf, "hello", 5), 0);
    }
    if (err == 0)
        err = whorl_stream_write(near, "x", 1);
    if (err == 0)
        err = whorl_sleep(WHORL_MICROSECOND);
    whorl_stream_close(near);
    whorl_stream_close(far);
    return err;
}

static int run_exchange(void *arg)
{
    return whorl_io_run(exchange, arg);
}

TEST(no_failed_request_or_allocation_leaks)
{
    CHECK(io_faults_sweep(run_exchange, NULL, -EIO) > 8);
    CHECK(faults_sweep(run_exchange, NULL) >= 4);
}

TEST_MAIN()
