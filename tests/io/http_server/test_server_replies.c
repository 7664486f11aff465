/* SPDX-License-Identifier: MIT */
/* The HTTP server over streams in memory: replies, bodies, framing, keep-alive, pipelining. Every
 * exchange is repeated with other sizes of reads and writes and must give the same bytes. */
#include <stdlib.h>

#include <whorl.h>

#include "memstream.h"
#include "served.h"
#include "test.h"

/* --- a handler with a path for each behaviour --- */

static bool is(const struct whorl_http_incoming *incoming, const char *path)
{
    return strcmp(whorl_http_incoming_path(incoming), path) == 0;
}

static WHORL_SUSPENDS int echo(struct whorl_http_incoming *incoming, struct whorl_http_reply *reply)
{
    char *body;
    size_t len;
    int err = whorl_http_incoming_read_to_end(incoming, 1 << 20, &body, &len);

    if (err)
        return err;
    const char *trailer = whorl_http_incoming_trailer(incoming, "x-sum");
    if (trailer)
        err = whorl_http_reply_add_header(reply, "X-Sum", trailer);
    if (err == 0)
        err = whorl_http_reply_send(reply, 200, "text/plain", body, len);
    free(body);
    return err;
}

static WHORL_SUSPENDS int in_parts(struct whorl_http_reply *reply, int64_t length)
{
    int err = whorl_http_reply_start(reply, 200, length);
    if (err == 0)
        err = whorl_http_reply_write(reply, "he", 2);
    if (err == 0)
        err = whorl_http_reply_write(reply, "llo", 3);
    return err;
}

static WHORL_SUSPENDS int handle(void *arg, struct whorl_http_incoming *incoming,
                                 struct whorl_http_reply *reply)
{
    int err = 0;

    if (arg)
        ++*(int *)arg;
    if (is(incoming, "/echo"))
        return echo(incoming, reply);
    if (is(incoming, "/parts"))
        return in_parts(reply, -1);
    if (is(incoming, "/length"))
        return in_parts(reply, 5);
    if (is(incoming, "/too-short"))
        return in_parts(reply, 7);
    if (is(incoming, "/too-long"))
        return in_parts(reply, 4);
    if (is(incoming, "/start"))
        return whorl_http_reply_start(reply, 200, -1);
    if (is(incoming, "/trailer")) {
        err = in_parts(reply, -1);
        return err ? err : whorl_http_reply_add_trailer(reply, "X-Sum", "7");
    }
    if (is(incoming, "/fail"))
        return -EIO;
    if (is(incoming, "/fail-late")) {
        err = in_parts(reply, -1);
        return err ? err : -EIO;
    }
    if (is(incoming, "/fail-begun")) {
        CHECK_OK(whorl_http_reply_add_header(reply, "X-Lost", "1"));
        err = whorl_http_reply_start(reply, 200, 9);
        return err ? err : -EIO;
    }
    if (is(incoming, "/foreign")) /* a code that does not concern this request */
        return WHORL_EHTTP_HEADER;
    if (is(incoming, "/nothing"))
        return 0;
    if (is(incoming, "/204"))
        return whorl_http_reply_send(reply, 204, NULL, "x", 1);
    if (is(incoming, "/304"))
        return whorl_http_reply_send(reply, 304, NULL, NULL, 0);
    if (is(incoming, "/418"))
        return whorl_http_reply_send(reply, 418, NULL, "x", 1);
    if (is(incoming, "/close"))
        err = whorl_http_reply_add_header(reply, "Connection", "close");
    return err ? err : whorl_http_reply_send(reply, 200, "text/plain", "hello", 5);
}

/* --- expectations --- */

static WHORL_SUSPENDS_SHIELDED void expect(const char *file, int line, const char *requests,
                                           size_t len, const char *replies,
                                           struct served_setup setup)
{
    static const struct {
        size_t chunk, capacity;
    } sizes[] = {{0, 0}, {1, 0}, {7, 0}, {0, 1}, {3, 5}};

    setup.fn = setup.fn ? setup.fn : handle;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        setup.chunk = sizes[i].chunk;
        setup.capacity = sizes[i].capacity;
        char *actual = served_bytes(&setup, requests, len);
        if (strcmp(actual, replies) != 0)
            test_fail(file, line, "read %zu, write %zu:\n%s\nexpected:\n%s", sizes[i].chunk,
                      sizes[i].capacity, actual, replies);
        if (setup.result != 0)
            test_fail(file, line, "the connection ended with %s", whorl_error_name(setup.result));
        free(actual);
    }
}

#define EXPECT(requests, replies) \
    expect(__FILE__, __LINE__, requests, sizeof(requests) - 1, replies, (struct served_setup){0})
#define EXPECT_WITH(requests, replies, ...)                             \
    expect(__FILE__, __LINE__, requests, sizeof(requests) - 1, replies, \
           (struct served_setup){__VA_ARGS__})

#define GET(path)   "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define TEXT        "Content-Type: text/plain\r\n"
#define HELLO       "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 5\r\n\r\nhello"
#define HELLO_CLOSE "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 5\r\nConnection: close\r\n\r\nhello"
#define FAILED                                                                 \
    "HTTP/1.1 500 Internal Server Error\r\n" TEXT "Content-Length: 26\r\n\r\n" \
    "500 Internal Server Error\n"

/* --- replies --- */

TEST_VIRTUAL(a_whole_reply_has_its_length)
{
    EXPECT(GET("/"), HELLO);
    EXPECT("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" GET("/"),
           "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 5\r\n\r\n" HELLO);
    EXPECT(GET("/418"), "HTTP/1.1 418 \r\nContent-Length: 1\r\n\r\nx");
}

TEST_VIRTUAL(a_whole_reply_is_one_write)
{
    struct served_setup setup = {.fn = handle};
    struct served_conn conn;
    served_open(&conn, &setup);
    for (size_t i = 1; i <= 3; i++) {
        served_send(&conn, GET("/"), strlen(GET("/")));
        CHECK_OK(whorl_sleep(1));
        CHECK_EQ(memstream_writes(conn.server), i);
    }
    free(served_close(&conn));
}

TEST_VIRTUAL(replies_that_have_no_body_send_none)
{
    EXPECT(GET("/204") GET("/304") GET("/"),
           "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n" HELLO);
}

TEST_VIRTUAL(a_body_in_parts_has_chunks_or_a_length)
{
    EXPECT(GET("/parts") GET("/"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n" HELLO);
    EXPECT(GET("/length") GET("/"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" HELLO);
    EXPECT(GET("/start") GET("/"),
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HELLO);
    EXPECT("HEAD /parts HTTP/1.1\r\nHost: h\r\n\r\n" GET("/"),
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" HELLO);
    EXPECT("HEAD /length HTTP/1.1\r\nHost: h\r\n\r\n" GET("/"),
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" HELLO);
}

TEST_VIRTUAL(trailers_follow_the_last_chunk)
{
    EXPECT(GET("/trailer"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 7\r\n\r\n");
    EXPECT("GET /trailer HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
}

TEST_VIRTUAL(a_body_of_the_wrong_length_ends_the_connection)
{
    EXPECT(GET("/too-short") GET("/"), "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nhello");
    EXPECT(GET("/too-long") GET("/"), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhe");
}

TEST_VIRTUAL(a_handler_that_fails_gives_500_or_ends_the_connection)
{
    EXPECT(GET("/fail") GET("/"), FAILED HELLO);
    EXPECT(GET("/fail-begun") GET("/"), FAILED HELLO);
    EXPECT(GET("/foreign") GET("/"), FAILED HELLO);
    EXPECT(GET("/nothing") GET("/"), FAILED HELLO);
    EXPECT(GET("/fail-late") GET("/"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       "2\r\nhe\r\n3\r\nllo\r\n");
}

static WHORL_SUSPENDS int misuse(void *arg, struct whorl_http_incoming *incoming,
                                 struct whorl_http_reply *reply)
{
    static const char *const names[] = {"Content-Length",
                                        "transfer-encoding",
                                        "TE",
                                        "Upgrade",
                                        "Keep-Alive",
                                        "Date",
                                        "a b",
                                        "",
                                        "a:",
                                        "a\r\nb"};
    static const char *const values[] = {"a\r\nb: c", "\n", "\x01", "\x7f"};
    (void)arg, (void)incoming;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK_ERR(whorl_http_reply_add_header(reply, names[i], "x"), WHORL_EHTTP_REPLY);
        CHECK_ERR(whorl_http_reply_add_trailer(reply, names[i], "x"), WHORL_EHTTP_REPLY);
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        CHECK_ERR(whorl_http_reply_add_header(reply, "X", values[i]), WHORL_EHTTP_REPLY);
        CHECK_ERR(whorl_http_reply_add_trailer(reply, "X", values[i]), WHORL_EHTTP_REPLY);
        CHECK_ERR(whorl_http_reply_send(reply, 200, values[i], "", 0), WHORL_EHTTP_REPLY);
    }
    CHECK_ERR(whorl_http_reply_add_header(reply, "Connection", "upgrade"), WHORL_EHTTP_REPLY);
    CHECK_ERR(whorl_http_reply_write(reply, "x", 1), WHORL_EHTTP_REPLY);
    CHECK_ERR(whorl_http_reply_send(reply, 101, NULL, "", 0), WHORL_EHTTP_REPLY);
    CHECK_ERR(whorl_http_reply_send(reply, 1000, NULL, "", 0), WHORL_EHTTP_REPLY);
    CHECK_ERR(whorl_http_reply_start(reply, 100, 0), WHORL_EHTTP_REPLY);
    CHECK_EQ(whorl_http_reply_status(reply), 0);
    CHECK_OK(whorl_http_reply_add_header(reply, "Set-Cookie", "a\t=1"));
    CHECK_OK(whorl_http_reply_add_header(reply, "Set-Cookie", "b=2"));
    CHECK_OK(whorl_http_reply_send(reply, 200, NULL, "", 0));
    CHECK_EQ(whorl_http_reply_status(reply), 200);
    CHECK_ERR(whorl_http_reply_send(reply, 200, NULL, "", 0), WHORL_EHTTP_REPLY);
    CHECK_ERR(whorl_http_reply_start(reply, 200, 0), WHORL_EHTTP_REPLY);
    CHECK_ERR(whorl_http_reply_write(reply, "x", 1), WHORL_EHTTP_REPLY);
    CHECK_ERR(whorl_http_reply_add_header(reply, "X", "x"), WHORL_EHTTP_REPLY);
    CHECK_ERR(whorl_http_reply_add_trailer(reply, "X", "x"), WHORL_EHTTP_REPLY);
    return 0;
}

TEST_VIRTUAL(what_would_change_the_framing_of_a_reply_is_refused)
{
    EXPECT_WITH(GET("/"),
                "HTTP/1.1 200 OK\r\nSet-Cookie: a\t=1\r\nSet-Cookie: b=2\r\n"
                "Content-Length: 0\r\n\r\n",
                .fn = misuse);
}

/* --- connections --- */

TEST_VIRTUAL(a_connection_is_kept_as_version_and_header_say)
{
    EXPECT("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET("/"), HELLO_CLOSE);
    EXPECT("GET / HTTP/1.0\r\n\r\n" GET("/"), HELLO_CLOSE);
    EXPECT("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET("/"),
           "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 5\r\nConnection: keep-alive\r\n\r\n"
           "hello" HELLO);
    EXPECT(GET("/close") GET("/"), HELLO_CLOSE);
    EXPECT("GET /parts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET("/"),
           "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
}

TEST_VIRTUAL(requests_that_arrive_together_are_answered_in_order)
{
    EXPECT("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none" GET(
               "/") "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\ntwo\r\n0\r\nX-Sum: 9\r\n\r\n\r\n" GET("/"),
           "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 3\r\n\r\none" HELLO
           "HTTP/1.1 200 OK\r\nX-Sum: 9\r\n" TEXT "Content-Length: 3\r\n\r\ntwo" HELLO);
}

TEST_VIRTUAL(an_empty_connection_is_closed_without_a_word)
{
    EXPECT("", "");
}

static void count_call(void *ctx)
{
    ++*(int *)ctx;
}

/* TLS tells the client of the end by an alert, which a close does not send. */
TEST_VIRTUAL(a_connection_that_is_no_socket_is_half_closed_at_its_end)
{
    struct served_setup setup = {.fn = handle};
    struct served_conn conn;
    int calls = 0;
    served_open(&conn, &setup);
    memstream_hook(conn.server, count_call, &calls);
    served_send(&conn, GET("/"), strlen(GET("/")));
    free(served_close(&conn));
    CHECK_EQ(calls, 4); /* a read, a write, the read of the client's end, a half-close */
    calls = 0;
    served_open(&conn, &setup);
    memstream_hook(conn.server, count_call, &calls);
    served_send(&conn, "x\r\n\r\n", 5);
    free(served_close(&conn));
    CHECK_EQ(calls, 4); /* a read, a write, a half-close, the read of the client's end */
}

TEST_VIRTUAL(a_connection_with_more_requests_than_are_answered_stays_open_for_the_reply)
{
    struct served_setup setup = {.fn = handle, .stay_open = true};
    struct served_conn conn;
    char reply[256] = "";
    served_open(&conn, &setup);
    served_send(&conn, GET("/close") GET("/"), strlen(GET("/close") GET("/")));
    CHECK(whorl_stream_read(conn.client, reply, sizeof reply - 1) > 0);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_EQ(setup.result, 1);
    free(served_close(&conn));
    CHECK_OK(setup.result);
}

static WHORL_SUSPENDS int send_twice(void *arg, struct whorl_http_incoming *incoming,
                                     struct whorl_http_reply *reply)
{
    struct whorl_scope scope;
    char text[300];
    (void)arg, (void)incoming;
    CHECK_OK(whorl_http_reply_add_header(reply, "A", "b"));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    int err = whorl_http_reply_send(reply, 200, "text/plain", memset(text, 'x', 300), 300);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ECANCELED);
    return whorl_http_reply_send(reply, 200, "text/html", "hello", 5);
}

TEST_VIRTUAL(a_reply_that_was_cancelled_before_it_began_leaves_nothing)
{
    EXPECT_WITH(GET("/"),
                "HTTP/1.1 200 OK\r\nA: b\r\nContent-Type: text/html\r\n"
                "Content-Length: 5\r\n\r\nhello",
                .fn = send_twice);
}

static WHORL_SUSPENDS int cancel_own_write(void *arg, struct whorl_http_incoming *incoming,
                                           struct whorl_http_reply *reply)
{
    struct whorl_scope scope;
    (void)arg, (void)incoming;
    whorl_scope_enter_timeout(&scope, WHORL_SECOND);
    int err = whorl_http_reply_send(reply, 200, NULL, "hello", 5);
    return whorl_scope_leave(&scope, err);
}

TEST_VIRTUAL(a_handler_that_cancels_its_own_write_ends_the_connection_only)
{
    struct served_setup setup = {.fn = cancel_own_write, .capacity = 10};
    struct served_conn conn;
    served_open(&conn, &setup);
    served_send(&conn, GET("/") GET("/"), 2 * strlen(GET("/")));
    CHECK_OK(whorl_sleep(2 * WHORL_SECOND));
    free(served_close(&conn));
    CHECK_OK(setup.result);
}

/* --- bodies of requests --- */

static int write_reply(void *arg)
{
    int err = whorl_http_reply_start(arg, 200, -1);
    return err ? err : whorl_http_reply_write(arg, "hello", 5);
}

/* One task reads while the other one replies. */
static WHORL_SUSPENDS int duplex(void *arg, struct whorl_http_incoming *incoming,
                                 struct whorl_http_reply *reply)
{
    WHORL_AUTO(group) group = {0};
    char byte;
    (void)arg;
    int err = whorl_spawn(&group, write_reply, reply);
    if (err == 0)
        err = (int)whorl_http_incoming_read(incoming, &byte, 1);
    return err < 0 ? err : whorl_group_wait(&group);
}

TEST_VIRTUAL(continue_and_a_reply_do_not_mix)
{
    struct served_setup setup = {.fn = duplex, .capacity = 3};
    struct served_conn conn;
    static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                               "Content-Length: 5\r\n\r\n";
    served_open(&conn, &setup);
    served_send(&conn, head, sizeof head - 1);
    CHECK_OK(whorl_sleep(1));
    served_send(&conn, "hello", 5);
    char *reply = served_close(&conn);
    CHECK_STR(reply, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    free(reply);
}

TEST_VIRTUAL(a_large_body_is_read_whatever_its_framing)
{
    enum { LEN = 300000 };
    struct served_setup setup = {.fn = handle};
    char *request = malloc(LEN + 400), *body = malloc(LEN + 1);
    for (size_t i = 0; i < LEN; i++)
        body[i] = (char)('a' + i % 23);
    body[LEN] = '\0';
    sprintf(request, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s%s", LEN, body,
            GET("/"));
    char *replies = served(&setup, request);
    char *at = strstr(replies, "\r\n\r\n") + 4;
    CHECK(memcmp(at, body, LEN) == 0);
    CHECK_STR(at + LEN, HELLO);
    free(replies);
    sprintf(request,
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            "%x\r\n%s\r\n0\r\n\r\n%s",
            LEN, body, GET("/"));
    replies = served(&setup, request);
    at = strstr(replies, "\r\n\r\n") + 4;
    CHECK(memcmp(at, body, LEN) == 0);
    CHECK_STR(at + LEN, HELLO);
    free(replies);
    free(request);
    free(body);
}

TEST_VIRTUAL(a_short_body_that_nobody_reads_is_dropped)
{
    EXPECT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /" GET("/"), HELLO HELLO);
    EXPECT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5\r\nGET /\r\n0\r\n\r\n" GET("/"),
           HELLO HELLO);
    EXPECT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" GET("/"), HELLO);
}

#define LONG    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
#define CHUNKED "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"

TEST_VIRTUAL(a_long_body_that_nobody_reads_ends_the_connection)
{
    struct served_setup setup = {.fn = handle};
    size_t len = 200000;
    char *request = calloc(1, len + 1);
    memset(request, 'x', len);
    memcpy(request, LONG, sizeof LONG - 1);
    char *replies = served(&setup, request);
    CHECK_STR(replies, HELLO_CLOSE);
    CHECK_OK(setup.result);
    free(replies);
    /* Of chunks the length is not known in advance. */
    memset(request, 'x', len);
    memcpy(request, CHUNKED, sizeof CHUNKED - 1);
    replies = served(&setup, request);
    CHECK_STR(replies, HELLO);
    CHECK_OK(setup.result);
    free(replies);
    /* Nor is a whole body of that length dropped. */
    size_t at = sizeof CHUNKED - 1 - 7;
    at += (size_t)sprintf(request + at, "%x\r\n", 100000);
    request[at] = 'x';
    at += 100000;
    strcpy(request + at, "\r\n0\r\n\r\n" GET("/"));
    replies = served(&setup, request);
    CHECK_STR(replies, HELLO);
    free(replies);
    free(request);
}

TEST_VIRTUAL(continue_is_sent_when_the_handler_reads)
{
    struct served_setup setup = {.fn = handle};
    struct served_conn conn;
    char text[64] = "";
    static const char head[] = "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n"
                               "Content-Length: 5\r\n\r\n";
    served_open(&conn, &setup);
    served_send(&conn, head, sizeof head - 1);
    CHECK_EQ(whorl_stream_read(conn.client, text, sizeof text), 25);
    CHECK_STR(text, "HTTP/1.1 100 Continue\r\n\r\n");
    served_send(&conn, "hello", 5);
    char *reply = served_close(&conn);
    CHECK_STR(reply, HELLO);
    free(reply);
    /* A body that is there already needs no invitation, and HTTP/1.0 knows none. */
    EXPECT("GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", HELLO);
    EXPECT("POST /echo HTTP/1.0\r\nExpect: x\r\nContent-Length: 5\r\n\r\nhello", HELLO_CLOSE);
}

TEST_VIRTUAL(a_client_that_waits_for_continue_gets_the_reply_instead)
{
    EXPECT("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
           HELLO_CLOSE);
}

static WHORL_SUSPENDS int reply_then_read(void *arg, struct whorl_http_incoming *incoming,
                                          struct whorl_http_reply *reply)
{
    char byte;
    (void)arg;
    int err = whorl_http_reply_send(reply, 200, "text/plain", "hello", 5);
    return err ? err : (int)whorl_http_incoming_read(incoming, &byte, 1) < 0;
}

TEST_VIRTUAL(continue_never_follows_a_reply)
{
    EXPECT_WITH("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                "Content-Length: 5\r\n\r\n",
                HELLO_CLOSE, .fn = reply_then_read);
}

static WHORL_SUSPENDS int read_with_patience(void *arg, struct whorl_http_incoming *incoming,
                                             struct whorl_http_reply *reply)
{
    struct whorl_scope scope;
    char buf[8];
    (void)arg;
    whorl_scope_enter_timeout(&scope, WHORL_SECOND);
    ssize_t n = whorl_http_incoming_read(incoming, buf, sizeof buf);
    CHECK_ERR(whorl_scope_leave(&scope, (int)n), -ETIMEDOUT);
    n = whorl_http_incoming_read(incoming, buf, sizeof buf);
    return n < 0 ? (int)n : whorl_http_reply_send(reply, 200, "text/plain", buf, (size_t)n);
}

TEST_VIRTUAL(a_read_that_was_cancelled_can_be_continued)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
    struct served_setup setup = {.fn = read_with_patience};
    struct served_conn conn;
    served_open(&conn, &setup);
    served_send(&conn, head, sizeof head - 1);
    CHECK_OK(whorl_sleep(2 * WHORL_SECOND));
    served_send(&conn, "hello", 5);
    char *reply = served_close(&conn);
    CHECK_STR(reply, HELLO);
    free(reply);
}

TEST_MAIN()
