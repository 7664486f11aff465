/* SPDX-License-Identifier: MIT */
/* HTTP servers in memory, exact to the byte: a dialer for sessions whose connections follow
 * scripts. They run on the scheduler, so they work on virtual time.
 *
 *     static const struct fake_step hello[] = {
 *         {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test\r\n..."},
 *         {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"},
 *         {0},
 *     };
 *     FAKE fake = {.scripts = {hello}};                  // connection 0 follows hello
 *     struct whorl_http_session_options options = {.dialer = fake_dialer(&fake)};
 *
 * When a script has ended, its server waits until the client closes and then closes too.
 * Connections after the last script follow the last one again.
 */
#ifndef FAKEHTTP_H
#define FAKEHTTP_H

#include <whorl/http.h>
#include <whorl/task.h>

#include "test.h"

enum fake_action {
    FAKE_END,    /* wait for the client's close */
    FAKE_EXPECT, /* read exactly `text`; other bytes fail the test */
    FAKE_HEAD,   /* read up to and including an empty line; with `text`: the head must contain it */
    FAKE_READ,   /* read `n` bytes, whatever they are */
    FAKE_SEND,   /* send `text`; only its first `n` bytes when n is not 0 */
    FAKE_BODY,   /* send `n` bytes of a pattern, see fake_pattern() */
    FAKE_SLEEP,  /* sleep for `n` nanoseconds */
    FAKE_FINISH, /* half-close; the server can still read */
    FAKE_CLOSE,
    FAKE_RESET,
    FAKE_REPEAT, /* repeat from the first step */
};

struct fake_step {
    enum fake_action action;
    const char *text;
    int64_t n;
};

struct fake {
    const struct fake_step *scripts[16];
    /* Each read of the client returns at most this many bytes; 0: no limit. */
    size_t chunk;
    /* Buffer size of each direction; a writer waits when it is full; 0: no limit. */
    size_t capacity;
    int64_t dial_ns;       /* duration of dialling */
    int dial_err;          /* error code with which dialling fails */
    const char *dial_text; /* error text of that failure */
    bool yield;            /* each read and write of the client yields once */
    /* Called with the client end of each new connection, for example to cut it. */
    WHORL_SUSPENDS_SHIELDED void (*on_dial)(struct fake *fake, struct whorl_stream *client,
                                            struct whorl_stream *server);

    int dialled;   /* number of connections so far */
    int open;      /* number of servers whose client has not closed */
    char last[64]; /* "host:port" of the last dial */
    struct fake_server *servers;
    struct fakehttp2 *gateways;
    int played, scripts_open; /* number of scripts so far, and of those that have not ended */
};

/* Ends the servers. They read the scripts until then. */
WHORL_SUSPENDS_SHIELDED void fake_finish(struct fake *fake);

#define FAKE __attribute__((cleanup(fake_finish))) struct fake

struct whorl_http_dialer fake_dialer(struct fake *fake);

/* With TEST_HTTP=2 in the environment, clients of these servers speak HTTP/2: a gateway translates
 * for the scripts (fakehttp2.c), so the same test holds for both versions. Use this as the version
 * of sessions. */
bool fake_is_http2(void);

static inline enum whorl_http_version fake_version(void)
{
    return fake_is_http2() ? WHORL_HTTP_2 : WHORL_HTTP_ANY;
}

/* A session with these options whose connections go to `fake`. Its version is fake_version(), and
 * its user agent is "t", so that heads are short, unless the options have others. */
struct whorl_http_session *fake_session_with(struct fake *fake,
                                             struct whorl_http_session_options options);

static inline struct whorl_http_session *fake_session(struct fake *fake)
{
    return fake_session_with(fake, (struct whorl_http_session_options){0});
}

/* Waits until an HTTP/2 client knows that the server has closed a connection, or has closed one
 * itself, which takes up to 2 s. With HTTP/1.1 these are immediate. */
static inline WHORL_SUSPENDS_SHIELDED void fake_settle(void)
{
    if (fake_is_http2())
        CHECK_OK(whorl_sleep(3 * WHORL_SECOND));
}

/* A test of something that HTTP/2 does not have: the bytes of HTTP/1.1, or its connections with one
 * exchange at a time. It does not exist with TEST_HTTP=2. */
#define TEST_VIRTUAL_HTTP1(name) TEST_DEFINE_IF(name, TEST_ROOT_VIRTUAL, 20, !fake_is_http2())
#define TEST_IO_HTTP1(name)      TEST_DEFINE_IF(name, TEST_ROOT_IO, 20, !fake_is_http2())
#define TEST_HTTP1(name)         TEST_DEFINE_IF(name, TEST_PLAIN, 20, !fake_is_http2())

/* Byte number `i` of FAKE_BODY. */
static inline char fake_pattern(int64_t i)
{
    return (char)('a' + (i * 7 + i / 26) % 26);
}

#endif
