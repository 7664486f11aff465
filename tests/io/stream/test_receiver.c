/* SPDX-License-Identifier: MIT */
/* Streams that read ahead: order, ends, errors, cancellation and bounds. With a driver that never
 * reads ahead, the results are the same. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "faults.h"
#include "io/driver/ring_buffers.h"
#include "io_faults.h"
#include "receiver_conn.h"
#include "test.h"

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
