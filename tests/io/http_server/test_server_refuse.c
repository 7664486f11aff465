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

#define H       "Host: h\r\n"
#define GET     "GET / HTTP/1.1\r\n" H
#define POST    "POST / HTTP/1.1\r\n" H
#define NEXT    "GET /next HTTP/1.1\r\n" H "\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
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
    REFUSED(501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" NEXT);
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
    REFUSED_WITH(400, CHUNKED "x\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "0x1\r\na\r\n0\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "1\na\r\n0\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "1\r\nab\r\n0\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "1;\x01\r\na\r\n0\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "0\r\nA: b\r\n c\r\n\r\n" NEXT, .fn = read_all);
    REFUSED_WITH(400, CHUNKED "5\r\nhel", .fn = read_all);
    REFUSED_WITH(400, POST "Content-Length: 5\r\n\r\nhel", .fn = read_all);
}

/* --- the hostile responses of tests/io/http/test_http1.c, as requests --- */

/* Bytes that a hostile peer sends in the place of `%s`. Each must give the status. */
struct hostile {
    const char *request; /* with one %s */
    int status;
    const char *const *values;
};

#define VALUES(...)       \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static const struct hostile hostile[] = {
    {"%s", 400,
     VALUES("SSH-2.0-OpenSSH_9.2\r\n\r\n", "\x15\x03\x01\x01\x02\r\n\r\n", "<html>\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: h\r\n\r\n", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n", "ICY / HTTP/1.1 200\r\n\r\n")},
    {"GET / %s\r\nHost: h\r\n\r\n", 505, VALUES("HTTP/0.9", "HTTP/1.2", "HTTP/2.0")},
    {"GET / %s\r\nHost: h\r\n\r\n", 400,
     VALUES("HTTP/2", "HTTP/1", "HTTP/11.1", "HTTP/1.10", "http/1.1", "HTTP/1.1 ", "HTTP/1,1",
            "HTTP/+1.1", "HTTP/ 1.1", "", "HTTP/1.1\r")},
    /* Folded lines are refused everywhere: RFC 9112 §5.2 lets a server choose. */
    {GET "%s\r\n\r\n" NEXT, 400,
     VALUES("A: b\r\n c", "A: b\r\n\tc", "A:\r\n b", "A: b\r\n ", " A: b", "\tA: b",
            "Content-Length: 1\r\n 0", "Transfer-Encoding:\r\n chunked",
            "Transfer-Encoding:\r\n\tchunked", "Cookie: a=b;\r\n Domain=c")},
    {GET "%s\r\n\r\n" NEXT, 400,
     VALUES("A: b\n", "A: b\r\n\nB: c", "\n", "A: b\rC: d", "A: b\r", "A\r: b", "A: b\r\n\rC: d",
            ": x", "no colon", "nocolon", "Content-Length : 5", "Content-Length\t: 5",
            "Transfer-Encoding : chunked", "Connection : close", "(a): b", "a\xc3\xa4: b", "a/b: c",
            "\"a\": b", "a,b: c", "a@b: c", "[a]: b", "{a}: b", "a\x7f: b")},
    {POST "Content-Length: %s\r\n\r\n", 400,
     VALUES("", "-1", "+1", "0x5", "5,5", "5, 5", "5 5", "5.0", "1e3", "five", "5;a", "\"5\"",
            "5\t5", " -5", "5 ,", ",5", "5x", "\xc2\xb2", "9223372036854775808",
            "18446744073709551615", "18446744073709551616", "99999999999999999999999999999999",
            "5\r\nContent-Length: 5", "5\r\nA: b\r\ncontent-length: 6",
            "5\r\nTransfer-Encoding: chunked", "5\r\nTransfer-Encoding: gzip, chunked")},
    {POST "Transfer-Encoding: %s\r\n\r\n0\r\n\r\n", 400,
     VALUES("gzip", "chunked, gzip", "chunked, chunked", "identity", "chunked;a=b", "xchunked",
            "chunkedx", "chunke", "", "\"chunked\"", "chunked,", ",chunked", "chunked identity",
            "\x0b chunked", "chunked\tgzip", "chunked\r\nTransfer-Encoding: chunked",
            "chunked\r\nTransfer-Encoding: gzip", "gzip, chunked, chunked",
            "chunked\r\nContent-Length: 5", "gzip, \"chunked\"", "gzip;q=1, chunked")},
    {POST "Transfer-Encoding: %s\r\n\r\n0\r\n\r\n", 501,
     VALUES("gzip, chunked", "gzip,chunked", "deflate,\tCHUNKED", "a, b, chunked")},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: %s\r\n\r\n0\r\n\r\n", 400,
     VALUES("chunked", "gzip, chunked")},
    /* of bodies, which the handler reads */
    {CHUNKED "%s0\r\n\r\n" NEXT, 400,
     VALUES("\r\n", "x\r\n", "-1\r\n", "+5\r\nhello", "0x5\r\nhello", " 5\r\nhello", "5 x\r\nhello",
            "5\nhello\r\n", "5\rhello\r\n", "5;\x01\r\nhello", "5;a\nhello", "5;a\rb\r\nhello",
            ";a\r\n", "5,\r\nhello", "G\r\n", "8000000000000000\r\n", "10000000000000000\r\n",
            "00000000000000005\r\nhello\r\n", "5;\x7f\r\n", "5_\r\nhello", "5\r\nhelloX\r\n",
            "5\r\nhello\n", "5\r\nhello\r5", "5\r\nhello")},
    {CHUNKED "0\r\n%s\r\n\r\n" NEXT, 400,
     VALUES("bad trailer", "A: b\n", "\n", ": b", "A: b\r\n c", " A: b", "A : b", "A: \x01",
            "A\x01: b", "A: b\rC: d")},
};

TEST_VIRTUAL(every_hostile_response_that_the_client_refuses_is_refused_as_a_request)
{
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        const struct hostile *h = &hostile[i];
        for (const char *const *value = h->values; *value; value++) {
            char request[512];
            struct served_setup setup = {0};
            setup.fn = strncmp(h->request, CHUNKED, sizeof CHUNKED - 1) == 0 ? read_all : never;
            int len = snprintf(request, sizeof request, h->request, *value);
            expect(*value, (int)i, request, (size_t)len, h->status, setup);
        }
    }
}

/* NUL and the other control bytes, in every place of a head and in a trailer. */
TEST_VIRTUAL(control_bytes_are_refused_everywhere)
{
    static const char *const places[] = {
        "GET /?x HTTP/1.1\r\n" H "\r\n",
        "G?T / HTTP/1.1\r\n" H "\r\n",
        "GET / HTTP/1.1\r\nHost: h?\r\n\r\n",
        GET "A: b?c\r\n\r\n",
        GET "A?: b\r\n\r\n",
        GET "?A: b\r\n\r\n",
        CHUNKED "0\r\nA: ?\r\n\r\n",
    };
    for (int c = 0; c < 0x80; c++) {
        if (c == '\t' || c == '\r' || c == '\n' || (c >= 0x20 && c != 0x7f))
            continue;
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            char request[128];
            struct served_setup setup = {.fn = i == 6 ? read_all : never};
            size_t len = strlen(strcpy(request, places[i]));
            *strchr(request, '?') = (char)c;
            expect(places[i], c, request, len, 400, setup);
        }
    }
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
