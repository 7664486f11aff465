/* SPDX-License-Identifier: MIT */
/* Requests that the HTTP server refuses: each is sent whole and in pieces, is answered with the
 * same status and "Connection: close", and never reaches the handler. */
#include <stdlib.h>

#include <whorl.h>

#include "memstream.h"
#include "served.h"
#include "test.h"

static int never(void *arg, struct whorl_http_incoming *incoming, struct whorl_http_reply *reply)
{
    (void)arg, (void)reply;
    test_fail(__FILE__, __LINE__, "%s reached the handler", whorl_http_incoming_target(incoming));
}

static WHORL_SUSPENDS int read_all(void *arg, struct whorl_http_incoming *incoming,
                                   struct whorl_http_reply *reply)
{
    char *body;
    (void)arg;
    int err = whorl_http_incoming_read_to_end(incoming, 10, &body, NULL);
    if (err)
        return err;
    free(body);
    return whorl_http_reply_send(reply, 200, NULL, "", 0);
}

static int status_of(const char *replies)
{
    int status = 0;
    sscanf(replies, "HTTP/1.1 %d ", &status);
    return status;
}

/* Sends the requests in all pieces and expects one reply with the status. */
static WHORL_SUSPENDS_SHIELDED void expect(const char *file, int line, const char *requests,
                                           size_t len, int status, struct served_setup setup)
{
    static const size_t chunks[] = {0, 1, 2, 13};

    setup.fn = setup.fn ? setup.fn : never;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        setup.chunk = chunks[i];
        char *replies = served_bytes(&setup, requests, len);
        char *first = strstr(replies, "HTTP/1.1");
        if (status_of(replies) != status || !strstr(replies, "\r\nConnection: close\r\n") ||
            strstr(first + 1, "HTTP/1.1") || setup.result != 0)
            test_fail(file, line, "in pieces of %zu: %s, and %s; expected %d", chunks[i], replies,
                      whorl_error_name(setup.result), status);
        free(replies);
    }
}

#define REFUSED(status, requests) \
    expect(__FILE__, __LINE__, requests, sizeof(requests) - 1, status, (struct served_setup){0})
#define REFUSED_WITH(status, requests, ...)                            \
    expect(__FILE__, __LINE__, requests, sizeof(requests) - 1, status, \
           (struct served_setup){__VA_ARGS__})

#define H    "Host: h\r\n"
#define GET  "GET / HTTP/1.1\r\n" H
#define POST "POST / HTTP/1.1\r\n" H
#define NEXT "GET /next HTTP/1.1\r\n" H "\r\n"
#define X99                                                                                 \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234" \
    "56789012345678"

TEST_VIRTUAL(framing_that_can_be_read_in_two_ways_is_400)
{
    REFUSED(400, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" NEXT);
    REFUSED(400, POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" NEXT);
    REFUSED(400, POST "Content-Length: 5, 5\r\n\r\nhello" NEXT);
    REFUSED(400, POST "Content-Length: +5\r\n\r\nhello" NEXT);
    REFUSED(400, POST "Content-Length: 5 5\r\n\r\nhello" NEXT);
    REFUSED(400, POST "Content-Length:\r\n\r\nhello" NEXT);
    REFUSED(400, POST "Content-Length: 18446744073709551616\r\n\r\n" NEXT);
    REFUSED(400, POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT);
    REFUSED(400, POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" NEXT);
    REFUSED(400, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" NEXT);
    REFUSED(400, POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" NEXT);
    REFUSED(400, POST "Transfer-Encoding: identity\r\n\r\n" NEXT);
    REFUSED(400, POST "Transfer-Encoding: \x0b"
                      "chunked\r\n\r\n0\r\n\r\n" NEXT);
    REFUSED(400, POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" NEXT);
    REFUSED(400, POST "Transfer-Encoding\r\n : chunked\r\n\r\n0\r\n\r\n" NEXT);
    REFUSED(400, "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT);
}

TEST_VIRTUAL(malformed_heads_are_400)
{
    REFUSED(400, "nonsense\r\n\r\n");
    REFUSED(400, "\r\n\r\n");
    REFUSED(400, "GET /\r\n\r\n");
    REFUSED(400, "GET  / HTTP/1.1\r\n" H "\r\n");
    REFUSED(400, "GET / HTTP/1.1\n" H "\r\n");
    REFUSED(400, GET "A: b\r\n c\r\n\r\n" NEXT);
    REFUSED(400, GET "A: b\rC: d\r\n\r\n" NEXT);
    REFUSED(400, GET "A: b\n\r\n" NEXT);
    REFUSED(400, GET "A : b\r\n\r\n" NEXT);
    REFUSED(400, GET "A: b\0c\r\n\r\n" NEXT);
    REFUSED(400, GET "A: \x01\r\n\r\n" NEXT);
    REFUSED(400, GET ": b\r\n\r\n" NEXT);
    REFUSED(400, "GET / HTTP/1.1\r\n\r\n" NEXT);
    REFUSED(400, GET H "\r\n" NEXT);
    REFUSED(400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n" NEXT);
    REFUSED(400, "GET x HTTP/1.1\r\n" H "\r\n" NEXT);
    REFUSED(400, "GET /%0 HTTP/1.1\r\n" H "\r\n" NEXT);
    REFUSED(400, "GET /a%00 HTTP/1.1\r\n" H "\r\n" NEXT);
    REFUSED(400, "GET /\x80 HTTP/1.1\r\n" H "\r\n" NEXT);
    REFUSED(400, "\x16\x03\x01\x02\x01\x01\r\n\r\n");
    REFUSED(400, "GET / HTTP/1.1\r\nHost: h\r\nA: cut"); /* the client closes */
}

TEST_VIRTUAL(what_the_server_does_not_do_has_its_own_status)
{
    REFUSED(505, "GET / HTTP/2.0\r\n" H "\r\n");
    REFUSED(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    REFUSED(501, "CONNECT h:443 HTTP/1.1\r\n" H "\r\n");
    REFUSED(501, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJK / HTTP/1.1\r\n" H "\r\n");
    REFUSED(417, POST "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello" NEXT);
}

TEST_VIRTUAL(heads_above_the_limits_are_414_and_431)
{
    REFUSED_WITH(414, "GET /" X99 X99 " HTTP/1.1\r\n" H "\r\n", .options.target_bytes_max = 100);
    REFUSED_WITH(431, GET "A: " X99 X99 "\r\n\r\n" NEXT, .options.head_bytes_max = 200);
    REFUSED_WITH(431, GET "A: b\r\nA: b\r\nA: b\r\n\r\n" NEXT, .options.headers_max = 3);
    REFUSED_WITH(431, GET "A: " X99 X99, .options.head_bytes_max = 200); /* it never ends */
}

TEST_VIRTUAL(the_default_limits_end_floods)
{
    size_t len = 1 << 20;
    char *flood = malloc(len + 1);
    struct served_setup setup = {.fn = never};
    memset(flood, 'x', len);
    flood[len] = '\0';
    memcpy(flood, "GET /", 5);
    char *replies = served(&setup, flood);
    CHECK_EQ(status_of(replies), 414);
    free(replies);
    memcpy(flood, GET "A: ", sizeof GET "A: " - 1);
    replies = served(&setup, flood);
    CHECK_EQ(status_of(replies), 431);
    free(replies);
    size_t at = sizeof GET - 1;
    for (; at + 6 < len; at += 6)
        memcpy(flood + at, "A: b\r\n", 6);
    replies = served(&setup, flood);
    CHECK_EQ(status_of(replies), 431);
    free(replies);
    free(flood);
}

TEST_VIRTUAL(bodies_that_are_wrong_are_refused_when_they_are_read)
{
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
    REFUSED_WITH(400, CHUNKED "x\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "0x1\r\na\r\n0\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "1\na\r\n0\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "1\r\nab\r\n0\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "1;\x01\r\na\r\n0\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "0\r\nA: b\r\n c\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "5\r\nhel", .fn = read_all);
    REFUSED_WITH(400, POST "Content-Length: 5\r\n\r\nhel", .fn = read_all);
}

TEST_VIRTUAL(bodies_above_the_limits_are_413)
{
    REFUSED_WITH(413, POST "Content-Length: 11\r\n\r\nhello world", .options.body_bytes_max = 10);
    REFUSED_WITH(413, POST "Content-Length: 11\r\n\r\nhello world", .fn = read_all);
    REFUSED_WITH(413, CHUNKED "b\r\nhello world\r\n0\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(413, CHUNKED "b\r\nhello world\r\n0\r\n\r\n" NEXT, .fn = read_all,
                 .options.body_bytes_max = 10);
}

TEST_MAIN()
