/* SPDX-License-Identifier: MIT */
/* HTTP servers in memory, byte for byte: a dialer for sessions whose connections are played by
 * scripts on the scheduler, so that they work on virtual time.
 *
 *     static const struct fake_step hello[] = {
 *         {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: a.test\r\n..."},
 *         {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"},
 *         {0},
 *     };
 *     FAKE fake = {.scripts = {hello}};                  // connection 0 plays hello
 *     struct whorl_http_session_options options = {.dialer = fake_dialer(&fake)};
 *
 * A script that has ended waits until the client closes and then closes too. Connections beyond the
 * last script play the last one again.
 */
#ifndef FAKEHTTP_H
#define FAKEHTTP_H

#include <whorl/http.h>

enum fake_action {
    FAKE_END,    /* wait for the client's close */
    FAKE_EXPECT, /* read exactly `text`; anything else fails the test */
    FAKE_HEAD,   /* read up to and with an empty line; with `text`: the head must contain it */
    FAKE_READ,   /* read `n` bytes, whatever they are */
    FAKE_SEND,   /* `text`; only the first `n` bytes when n is not 0 */
    FAKE_BODY,   /* `n` bytes of a pattern, see fake_pattern() */
    FAKE_SLEEP,  /* `n` nanoseconds */
    FAKE_FINISH, /* no more will be sent; reading goes on */
    FAKE_CLOSE,
    FAKE_RESET,
    FAKE_REPEAT, /* from the first step again */
};

struct fake_step {
    enum fake_action action;
    const char *text;
    int64_t n;
};

struct fake {
    const struct fake_step *scripts[16];
    size_t chunk;          /* each read of the client gives at most so many bytes; 0: no limit */
    size_t capacity;       /* of each direction; writers wait beyond it; 0: no limit */
    int64_t dial_ns;       /* how long dialling takes */
    int dial_err;          /* dialling fails with it */
    const char *dial_text; /* and says so */
    bool yield;            /* each read and write of the client gives way once */
    /* Called with each new connection's client end, e.g. to cut it. */
    void (*on_dial)(struct fake *fake, struct whorl_stream *client, struct whorl_stream *server);

    int dialled;   /* connections so far */
    int open;      /* servers whose client has not closed */
    char last[64]; /* "host:port" of the last dial */
    struct fake_server *servers;
};

/* Ends the servers, which read the scripts up to then. */
WHORL_SUSPENDS_SHIELDED void fake_finish(struct fake *fake);

#define FAKE __attribute__((cleanup(fake_finish))) struct fake

struct whorl_http_dialer fake_dialer(struct fake *fake);

/* Byte number `i` of FAKE_BODY. */
static inline char fake_pattern(int64_t i)
{
    return (char)('a' + (i * 7 + i / 26) % 26);
}

#endif
