/* SPDX-License-Identifier: MIT */
/* A TCP server that follows a script byte by byte, correctly or incorrectly.
 *
 *     static const struct peer_step script[] = {
 *         PEER_READ_HEAD(), PEER_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
 *         PEER_RESET(),                                         // the first connection ends here
 *         PEER_READ_HEAD(), PEER_SEND_SLOWLY("HTTP/1.1 204 No Content\r\n\r\n", 1, 5),
 *         PEER_CLOSE(),                                         // and the second here
 *         PEER_END,
 *     };
 *     struct scripted_peer *peer = peer_start(script);
 *     ... connect to 127.0.0.1, port peer_port(peer) ...
 *     CHECK(strstr(peer_received(peer, 0, NULL), "GET / HTTP/1.1"));
 *
 * A part of the script goes up to and including a PEER_RESET, PEER_CLOSE or PEER_HANG. Each
 * connection follows one part; the next connection follows the next part, and all later connections
 * follow the last part. Each connection has a thread of its own, so connections may overlap. When
 * the client closes early, the rest of the part is skipped. The peer stops with the test.
 */
#ifndef TEST_SCRIPTED_PEER_H
#define TEST_SCRIPTED_PEER_H

#include <stddef.h>
#include <stdint.h>

enum peer_action {
    PEER_ACTION_END,
    PEER_ACTION_READ_UNTIL,
    PEER_ACTION_READ,
    PEER_ACTION_SEND,
    PEER_ACTION_PAUSE,
    PEER_ACTION_FIN,
    PEER_ACTION_RESET,
    PEER_ACTION_CLOSE,
    PEER_ACTION_HANG,
};

struct peer_step {
    enum peer_action action;
    const char *data;
    size_t len;      /* length of `data`, or number of bytes to read */
    size_t chunk;    /* number of bytes to send at a time; 0: all at once */
    int pause_ms;    /* pause after each chunk, or length of the pause */
    uint64_t repeat; /* number of times to send it; 0 and 1: once */
};

/* Reads up to the empty line that ends a request's head. Bytes after it are kept for later
 * steps. */
#define PEER_READ_HEAD() PEER_READ_UNTIL("\r\n\r\n")
/* Reads until the literal `text` has arrived. */
#define PEER_READ_UNTIL(text)                                                     \
    {                                                                             \
        .action = PEER_ACTION_READ_UNTIL, .data = (text), .len = sizeof(text) - 1 \
    }
/* Reads `count` bytes. */
#define PEER_READ(count)                           \
    {                                              \
        .action = PEER_ACTION_READ, .len = (count) \
    }
/* Sends a literal, including any NUL bytes inside it. */
#define PEER_SEND(text)                                                     \
    {                                                                       \
        .action = PEER_ACTION_SEND, .data = (text), .len = sizeof(text) - 1 \
    }
/* Sends `count` bytes of memory. */
#define PEER_SEND_BYTES(bytes, count)                               \
    {                                                               \
        .action = PEER_ACTION_SEND, .data = (bytes), .len = (count) \
    }
/* Sends a literal in pieces of `size` bytes with a pause of `ms` after each. */
#define PEER_SEND_SLOWLY(text, size, ms)                                                      \
    {                                                                                         \
        .action = PEER_ACTION_SEND, .data = (text), .len = sizeof(text) - 1, .chunk = (size), \
        .pause_ms = (ms)                                                                      \
    }
/* Sends a literal `times` times. */
#define PEER_SEND_TIMES(text, times)                                                           \
    {                                                                                          \
        .action = PEER_ACTION_SEND, .data = (text), .len = sizeof(text) - 1, .repeat = (times) \
    }
/* Sends a literal repeatedly until the client closes. */
#define PEER_SEND_ENDLESSLY(text) PEER_SEND_TIMES(text, UINT64_MAX)
#define PEER_PAUSE(ms)                                \
    {                                                 \
        .action = PEER_ACTION_PAUSE, .pause_ms = (ms) \
    }
/* Half-closes the connection and continues with the script. */
#define PEER_FIN()                \
    {                             \
        .action = PEER_ACTION_FIN \
    }
/* Ends the connection with a RST. */
#define PEER_RESET()                \
    {                               \
        .action = PEER_ACTION_RESET \
    }
/* Closes the connection in order: sends FIN, then reads what the client still sends. */
#define PEER_CLOSE()                \
    {                               \
        .action = PEER_ACTION_CLOSE \
    }
/* Keeps the connection open and sends nothing until the client closes it. */
#define PEER_HANG()                \
    {                              \
        .action = PEER_ACTION_HANG \
    }
#define PEER_END                  \
    {                             \
        .action = PEER_ACTION_END \
    }

struct scripted_peer;

/* Starts a peer. `script` is borrowed until the test ends. */
struct scripted_peer *peer_start(const struct peer_step *script);

uint16_t peer_port(const struct scripted_peer *peer);

/* Number of connections accepted so far. */
int peer_connections(struct scripted_peer *peer);

/* Number of connections that are open now. */
int peer_open(struct scripted_peer *peer);

/* Waits until the peer has accepted `count` connections, or until only `count` are open. Each fails
 * the test after 5 s. They block the thread, so other tasks of the run do not continue. */
void peer_wait_connections(struct scripted_peer *peer, int count);
void peer_wait_open(struct scripted_peer *peer, int count);

/* What connection number `index` has sent so far, NUL-terminated. Valid until the peer stops or the
 * next call for that connection. */
const char *peer_received(struct scripted_peer *peer, int index, size_t *ret_len);

/* Stops the peer before the test ends. Its connections are cut and its port refuses connections. */
void peer_stop(struct scripted_peer *peer);

#endif
