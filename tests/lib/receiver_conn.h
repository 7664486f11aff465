/* SPDX-License-Identifier: MIT */
/* Connections for the tests of streams that read ahead. */
#ifndef TEST_RECEIVER_CONN_H
#define TEST_RECEIVER_CONN_H

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "io/driver/op.h"
#include "io/driver/ring_buffers.h"
#include "test.h"

/* The buffers of this run; NULL: it never reads ahead. */
static inline struct ring_buffers *buffers(void)
{
    struct io_driver *driver = io_driver_current();
    return driver->ops->buffers ? driver->ops->buffers(driver) : NULL;
}

/* How many streams of this run have a multishot request in flight. */
static inline unsigned armed(void)
{
    return buffers() ? ring_buffers_stats(buffers()).receives : 0;
}

static inline unsigned held(void)
{
    return buffers() ? ring_buffers_stats(buffers()).held : 0;
}

struct conn {
    struct whorl_stream *stream;
    int peer;
};

static inline void open_unix(struct conn *conn)
{
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
    CHECK_OK(whorl_stream_from_socket(p[0], &conn->stream));
    conn->peer = p[1];
}

static inline WHORL_SUSPENDS_SHIELDED void open_tcp(struct conn *conn)
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

static inline void close_conn(struct conn *conn)
{
    whorl_stream_close(conn->stream);
    close(conn->peer);
}

static inline void feed(const struct conn *conn, const char *text)
{
    CHECK_EQ(send(conn->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline WHORL_SUSPENDS_SHIELDED void expect(const struct conn *conn, const char *text)
{
    char buf[256] = "";
    CHECK(strlen(text) < sizeof buf);
    CHECK_OK(whorl_stream_read_exact(conn->stream, buf, strlen(text)));
    CHECK_STR(buf, text);
}

/* Exchanges small messages until the stream reads ahead. */
static inline WHORL_SUSPENDS_SHIELDED void warm(const struct conn *conn)
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
static inline WHORL_SUSPENDS_SHIELDED void let_arrive(void)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
}

/* Waits until the kernel has ended all multishot requests. */
static inline WHORL_SUSPENDS_SHIELDED void wait_disarmed(void)
{
    while (armed() > 0)
        let_arrive();
}

static inline char byte_at(size_t i)
{
    return (char)(i * 7 % 253);
}

struct writing {
    int fd;
    size_t from, to;
};

static inline int write_pattern(void *arg)
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

static inline WHORL_SUSPENDS_SHIELDED void read_pattern(struct whorl_stream *stream, size_t from,
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

#endif
