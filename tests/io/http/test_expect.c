/* SPDX-License-Identifier: MIT */
/* Expect: 100-continue: when a server is asked, and what its answers do to the body. */
#include <stdlib.h>

#include <whorl.h>

#include "fakehttp.h"
#include "test.h"

#define S     WHORL_SECOND
#define LARGE (1024 * 1024 + 1)
#define ASKED "\r\nExpect: 100-continue\r\n"
#define OK    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define GO    "HTTP/1.1 100 Continue\r\n\r\n"

static struct whorl_error error;
static char bytes[LARGE];

static struct whorl_http_body memory(size_t len)
{
    return (struct whorl_http_body){.data = bytes, .len = (int64_t)len};
}

/* Sends a request. Returns the status or the error. With HTTP/2, large bodies ask only if the
 * request says so. */
static WHORL_SUSPENDS int put(struct whorl_http_session *session, struct whorl_http_body body,
                              enum whorl_http_expect expect)
{
    if (fake_is_http2() && expect == WHORL_HTTP_EXPECT_LARGE && (body.len < 0 || body.len >= LARGE))
        expect = WHORL_HTTP_EXPECT_ALWAYS;
    struct whorl_http_request request = {
        .method = "PUT", .url = "http://a.test/", .body = body, .expect = expect};
    WHORL_AUTO(http_response) *response = NULL;
    int err = whorl_http_do(session, &request, &error, &response);
    return err ? err : whorl_http_response_status(response);
}

TEST_VIRTUAL(a_large_body_waits_for_the_100)
{
    static const struct fake_step steps[] = {{FAKE_HEAD, ASKED, 0},
                                             {.action = FAKE_SLEEP, .n = S / 2},
                                             {FAKE_SEND, "HTTP/1.1 103 Early\r\n\r\n", 0},
                                             {.action = FAKE_SLEEP, .n = S / 4},
                                             {FAKE_SEND, GO, 0},
                                             {FAKE_READ, NULL, LARGE},
                                             {FAKE_SEND, OK, 0},
                                             {0}};
    FAKE fake = {.scripts = {steps}, .capacity = 4096};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    int64_t start = whorl_now();

    CHECK_EQ(put(session, memory(LARGE), WHORL_HTTP_EXPECT_LARGE), 200);
    CHECK_EQ(whorl_now() - start, S * 3 / 4);
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(a_server_that_does_not_know_the_question_gets_the_body_after_a_second)
{
    static const struct fake_step steps[] = {
        {FAKE_HEAD, ASKED, 0}, {FAKE_READ, NULL, LARGE}, {FAKE_SEND, OK, 0}, {0}};
    FAKE fake = {.scripts = {steps}, .capacity = 4096};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    int64_t start = whorl_now();

    CHECK_EQ(put(session, memory(LARGE), WHORL_HTTP_EXPECT_LARGE), 200);
    CHECK_EQ(whorl_now() - start, S);
}

TEST_VIRTUAL(the_response_begins_after_the_body_and_not_with_the_100)
{
    static const struct fake_step steps[] = {
        {FAKE_HEAD, ASKED, 0},    {.action = FAKE_SLEEP, .n = S / 4},
        {FAKE_SEND, GO, 0},       {.action = FAKE_SLEEP, .n = S / 2},
        {FAKE_READ, NULL, LARGE}, {.action = FAKE_SLEEP, .n = S / 8},
        {FAKE_SEND, OK, 0},       {0}};
    FAKE fake = {.scripts = {steps}, .capacity = 4096};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_request request = {.method = "PUT",
                                         .url = "http://a.test/",
                                         .body = memory(LARGE),
                                         .expect = WHORL_HTTP_EXPECT_ALWAYS};
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_info info;

    CHECK_OK(whorl_http_do(session, &request, &error, &response));
    whorl_http_response_get_info(response, &info);
    CHECK_EQ(info.first_byte_ns, S / 8);
    CHECK_EQ(info.body_ns, 0);
    CHECK_EQ(info.total_ns, S * 7 / 8);
}

TEST_VIRTUAL(a_100_counts_although_another_head_follows_at_once)
{
    static const struct fake_step steps[] = {{FAKE_HEAD, ASKED, 0},
                                             {FAKE_SEND, GO "HTTP/1.1 103 Early\r\n\r\n", 0},
                                             {FAKE_READ, NULL, LARGE},
                                             {FAKE_SEND, OK, 0},
                                             {0}};
    FAKE fake = {.scripts = {steps}, .capacity = 4096};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    int64_t start = whorl_now();

    CHECK_EQ(put(session, memory(LARGE), WHORL_HTTP_EXPECT_LARGE), 200);
    CHECK_EQ(whorl_now() - start, 0);
}

/* How many bytes the next read may give; the test fails when it is called and there are none. */
struct source {
    size_t left;
    bool is_forbidden;
};

static WHORL_SUSPENDS ssize_t read_source(void *arg, void *buf, size_t len)
{
    struct source *source = arg;
    CHECK(!source->is_forbidden);
    size_t n = source->left < len ? source->left : len;
    memset(buf, 'x', n);
    source->left -= n;
    return (ssize_t)n;
}

static struct whorl_http_body callback(struct source *source)
{
    return (struct whorl_http_body){.read = read_source, .arg = source, .len = -1};
}

TEST_VIRTUAL(a_final_status_instead_of_the_100_is_the_response)
{
    static const struct fake_step refuses[] = {
        {FAKE_HEAD, ASKED, 0},
        {FAKE_SEND, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", 0},
        {0}};
    static const struct fake_step accepts[] = {{FAKE_HEAD, ASKED, 0}, {FAKE_SEND, OK, 0}, {0}};
    FAKE fake = {.scripts = {refuses, accepts}, .capacity = 4096};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct source source = {.is_forbidden = true};

    CHECK_EQ(put(session, callback(&source), WHORL_HTTP_EXPECT_LARGE), 403);
    /* The server may still wait for the body, so the connection or stream is not used again. */
    CHECK_EQ(put(session, callback(&source), WHORL_HTTP_EXPECT_LARGE), 200);
    CHECK_EQ(fake.dialled, fake_is_http2() ? 1 : 2);
}

TEST_VIRTUAL(a_417_is_answered_without_the_question)
{
    static const struct fake_step refuses[] = {
        {FAKE_HEAD, ASKED, 0}, {FAKE_SEND, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", 0}, {0}};
    static const struct fake_step takes[] = {
        {FAKE_EXPECT,
         "PUT / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: t\r\nAccept: */*\r\n"
         "Accept-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\nxxx\r\n0\r\n\r\n",
         0},
        {FAKE_SEND, OK, 0},
        {0}};
    static const struct fake_step always[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", 0}, {0}};
    FAKE fake = {.scripts = {refuses, takes, always}, .capacity = 4096};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct source source = {.left = 3}; /* it cannot be read twice, and need not be */
    int64_t start = whorl_now();

    CHECK_EQ(put(session, callback(&source), WHORL_HTTP_EXPECT_LARGE), 200);
    CHECK_EQ(whorl_now(), start);
    CHECK_EQ(fake.dialled, fake_is_http2() ? 1 : 2);
    fake.scripts[1] = always;
    whorl_http_session_close_idle(session);
    CHECK_EQ(put(session, memory(LARGE), WHORL_HTTP_EXPECT_LARGE), 417); /* not for ever */
}

TEST_VIRTUAL(a_redirect_before_the_body_does_not_need_it_twice)
{
    static const struct fake_step moves[] = {
        {FAKE_HEAD, ASKED, 0},
        {FAKE_SEND, "HTTP/1.1 307 T\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", 0},
        {0}};
    static const struct fake_step takes[] = {{FAKE_HEAD, ASKED, 0},
                                             {FAKE_SEND, GO, 0},
                                             {FAKE_EXPECT, "3\r\nxxx\r\n0\r\n\r\n", 0},
                                             {FAKE_SEND, OK, 0},
                                             {0}};
    FAKE fake = {.scripts = {moves, takes}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct source source = {.left = 3};

    CHECK_EQ(put(session, callback(&source), WHORL_HTTP_EXPECT_LARGE), 200);
}

#define PLAIN                                                            \
    "PUT / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: t\r\nAccept: */*\r\n" \
    "Accept-Encoding: identity\r\n"

TEST_VIRTUAL(small_bodies_and_those_that_say_so_do_not_ask)
{
    static const struct fake_step steps[] = {
        {FAKE_EXPECT, PLAIN "Content-Length: 1048576\r\n\r\n", 0},
        {FAKE_READ, NULL, LARGE - 1},
        {FAKE_SEND, OK, 0},
        {FAKE_EXPECT, PLAIN "Content-Length: 1048577\r\n\r\n", 0},
        {FAKE_READ, NULL, LARGE},
        {FAKE_SEND, OK, 0},
        {FAKE_EXPECT, PLAIN "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", 0},
        {FAKE_SEND, GO, 0},
        {FAKE_READ, NULL, 3},
        {FAKE_SEND, OK, 0},
        {FAKE_EXPECT, PLAIN "Content-Length: 0\r\n\r\n", 0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {steps}, .capacity = 4096};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    int64_t start = whorl_now();

    CHECK_EQ(put(session, memory(LARGE - 1), WHORL_HTTP_EXPECT_LARGE), 200);
    CHECK_EQ(put(session, memory(LARGE), WHORL_HTTP_EXPECT_NEVER), 200);
    CHECK_EQ(put(session, memory(3), WHORL_HTTP_EXPECT_ALWAYS), 200);
    CHECK_EQ(put(session, (struct whorl_http_body){0}, WHORL_HTTP_EXPECT_ALWAYS), 200);
    CHECK_EQ(whorl_now(), start);
}

TEST_VIRTUAL(the_wait_counts_for_the_total_limit_and_ends_with_the_connection)
{
    static const struct fake_step mute[] = {{.action = FAKE_HEAD}, {0}};
    static const struct fake_step closes[] = {{.action = FAKE_HEAD}, {.action = FAKE_CLOSE}, {0}};
    FAKE fake = {.scripts = {mute, closes}, .capacity = 4096};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_request request = {.method = "PUT",
                                         .url = "http://a.test/",
                                         .body = memory(LARGE),
                                         .timeouts = {.total_ns = S / 4}};
    struct whorl_http_response *response;
    int64_t start = whorl_now();

    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_TOTAL_TIMEOUT);
    CHECK_EQ(whorl_now() - start, S / 4);
    start = whorl_now();
    CHECK_ERR(put(session, memory(LARGE), WHORL_HTTP_EXPECT_LARGE), WHORL_EHTTP_NO_RESPONSE);
    CHECK_EQ(whorl_now(), start);
}

TEST_VIRTUAL(a_cancelled_wait_ends_at_once)
{
    static const struct fake_step mute[] = {{.action = FAKE_HEAD}, {0}};
    FAKE fake = {.scripts = {mute}, .capacity = 4096};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_scope scope;
    int64_t start = whorl_now();

    whorl_scope_enter(&scope, whorl_after(S / 4));
    int err = put(session, memory(LARGE), WHORL_HTTP_EXPECT_LARGE);
    CHECK_ERR(err, -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_EQ(whorl_now() - start, S / 4);
}

/* --- whorl's own server --- */

static int sum_up(void *arg, struct whorl_http_incoming *incoming, struct whorl_http_reply *reply)
{
    size_t len;
    char *body, text[64];
    (void)arg;
    CHECK_STR(whorl_http_incoming_header(incoming, "Expect"), "100-continue");
    CHECK_OK(whorl_http_incoming_read_to_end(incoming, LARGE, &body, &len));
    snprintf(text, sizeof text, "%zu %s", len, whorl_http_incoming_trailer(incoming, "X-Sum"));
    free(body);
    return whorl_http_reply_send(reply, 200, "text/plain", text, strlen(text));
}

static int serve_one(void *arg)
{
    WHORL_AUTO(stream) *stream = arg;
    return whorl_http_serve_stream(stream, NULL, sum_up, NULL);
}

static WHORL_SUSPENDS int dial_server(void *arg, const char *host, uint16_t port,
                                      struct whorl_error *dial_error, struct whorl_stream **ret)
{
    struct whorl_stream *server;
    (void)host, (void)port, (void)dial_error;
    CHECK_OK(whorl_stream_pair(NULL, ret, &server));
    return whorl_spawn(arg, serve_one, server);
}

TEST_VIRTUAL(the_servers_100_comes_when_its_handler_reads_and_trailers_arrive)
{
    struct whorl_group group = {0};
    struct whorl_http_session_options options = {.dialer = {.dial = dial_server, .arg = &group}};
    struct whorl_http_session *session = NULL;
    struct source source = {.left = 100000};
    struct whorl_http_header trailer = {"X-Sum", "42"};
    struct whorl_http_request request = {
        .method = "PUT", .url = "http://a.test/", .body = callback(&source)};
    struct whorl_http_response *response;
    int64_t start = whorl_now();
    char *body;

    request.body.trailers = &trailer;
    request.body.trailers_count = 1;
    CHECK_OK(whorl_http_session_create(&options, &session));
    CHECK_OK(whorl_http_do(session, &request, &error, &response));
    CHECK_OK(whorl_http_response_read_to_end(response, 100, &body, NULL));
    CHECK_STR(body, "100000 42");
    CHECK_EQ(whorl_now(), start);
    free(body);
    whorl_http_response_close(response);
    whorl_http_session_destroy(session);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_MAIN()
