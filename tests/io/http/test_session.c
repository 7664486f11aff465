/* SPDX-License-Identifier: MIT */
/* Sessions: the requests that are sent, the responses that are returned, connections that are kept
 * or closed. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/scope.h>
#include <whorl/stream.h>
#include <whorl/task.h>
#include <whorl/url.h>

#include "fakehttp.h"
#include "memstream.h"
#include "session_stats.h"
#include "test.h"

/* Gets `url` and returns its body, which the caller frees. */
static WHORL_SUSPENDS char *fetch(struct whorl_http_session *session, const char *url)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *body = NULL;
    CHECK_OK(whorl_http_get(session, url, &response));
    CHECK_OK(whorl_http_response_read_to_end(response, 1 << 20, &body, NULL));
    return body;
}

static WHORL_SUSPENDS_SHIELDED void check_fetch(struct whorl_http_session *session, const char *url,
                                                const char *expected)
{
    char *body = fetch(session, url);
    CHECK_STR(body, expected);
    free(body);
}

static const struct fake_step hello[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0},
    {.action = FAKE_REPEAT},
};

TEST_VIRTUAL(a_get_is_one_exact_head_and_the_response_is_told)
{
    static const struct fake_step script[] = {
        {FAKE_EXPECT,
         "GET /a?b HTTP/1.1\r\nHost: a.test:8080\r\nUser-Agent: t\r\nAccept: */*\r\n"
         "Accept-Encoding: identity\r\n\r\n",
         0},
        {FAKE_SEND,
         "HTTP/1.1 404 Not Here\r\nContent-Length: 5\r\nX-A: 1\r\nX-B: 2\r\nx-a: 3\r\n\r\nhello",
         0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_header header;
    struct whorl_http_timing timing;
    char buf[16];

    CHECK_OK(whorl_http_get(session, "http://a.test:8080/a?b#c", &response));
    CHECK_STR(fake.last, "a.test:8080");
    CHECK_EQ(whorl_http_response_status(response), 404);
    CHECK_STR(whorl_http_response_reason(response), fake_is_http2() ? "" : "Not Here");
    CHECK_STR(whorl_http_response_header(response, "x-A"), "1");
    CHECK(!whorl_http_response_header(response, "x-c"));
    CHECK(whorl_http_response_header_at(response, 3, &header));
    CHECK_STR(header.name, "x-a");
    CHECK_STR(header.value, "3");
    CHECK(!whorl_http_response_header_at(response, 4, &header));
    CHECK_EQ(whorl_http_response_length(response), 5);
    CHECK_STR(whorl_http_response_url(response)->text, "http://a.test:8080/a?b");
    CHECK_EQ(whorl_http_response_read(response, buf, 2), 2);
    CHECK_EQ(whorl_http_response_read(response, buf + 2, sizeof buf - 2), 3);
    CHECK(memcmp(buf, "hello", 5) == 0);
    CHECK_EQ(whorl_http_response_received(response), 5);
    CHECK_EQ(whorl_http_response_read(response, buf, sizeof buf), 0);
    CHECK_EQ(whorl_http_response_read(response, buf, sizeof buf), 0);
    whorl_http_response_get_timing(response, &timing);
    CHECK(!timing.reused);
    CHECK_EQ(timing.queue_ns, -1);
    CHECK_EQ(timing.tls_ns, -1);
    CHECK_EQ(timing.redirects, 0);
}

TEST_VIRTUAL(a_connection_is_kept_for_the_next_request)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    for (int i = 0; i < 3; i++)
        check_fetch(session, "http://a.test/", "hello");
    CHECK_EQ(fake.dialled, 1);
    CHECK_EQ(session_stats(session).requests, 3);
    CHECK_EQ(session_stats(session).connections, 1);
    CHECK_EQ(session_stats(session).reuses, 2);
    CHECK_EQ(session_stats(session).idle, 1);
    whorl_http_session_close_idle(session);
    CHECK_EQ(session_stats(session).open, 0);
}

TEST_VIRTUAL(the_connection_comes_free_with_the_last_byte_of_the_body_not_the_close)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    char buf[5];

    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    CHECK_EQ(session_stats(session).idle, 0);
    CHECK_EQ(whorl_http_response_read(response, buf, 5), 5);
    CHECK_EQ(session_stats(session).idle, 1);
    check_fetch(session, "http://a.test/", "hello");
    CHECK_EQ(fake.dialled, 1);
    CHECK_STR(whorl_http_response_header(response, "content-length"), "5");
}

TEST_VIRTUAL(a_rest_that_is_already_there_is_read_by_the_close)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_response *response;

    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    whorl_http_response_close(response);
    CHECK_EQ(session_stats(session).idle, 1);
}

/* With HTTP/2, it ends only the stream. */
TEST_VIRTUAL_HTTP1(a_rest_that_is_not_there_closes_the_connection)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_response *response;

    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    whorl_http_response_close(response);
    CHECK_EQ(session_stats(session).open, 0);
}

/* Each body arrives after its head, and the caller does not read it. */
static const struct fake_step late[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 0},
    {FAKE_SLEEP, NULL, WHORL_MILLISECOND},
    {FAKE_SEND, "hello", 0},
    {.action = FAKE_REPEAT},
};

TEST_VIRTUAL(a_drain_keeps_the_connection)
{
    FAKE fake = {.scripts = {late}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    char buf[8];

    for (int i = 0; i < 20; i++) {
        WHORL_AUTO(http_response) *response = NULL;
        CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
        if (i % 2)
            CHECK_EQ(whorl_http_response_read(response, buf, 2), 2);
        CHECK_OK(whorl_http_response_drain(response, 5));
        CHECK_EQ(session_stats(session).idle, 1);
        CHECK_OK(whorl_http_response_drain(response, 0));
        CHECK_EQ(whorl_http_response_read(response, buf, sizeof buf), 0);
    }
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(a_drain_has_a_limit)
{
    static const struct fake_step chunks[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
        {FAKE_SLEEP, NULL, WHORL_MILLISECOND},
        {FAKE_SEND, "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 0},
        {.action = FAKE_REPEAT}};
    static const size_t pieces[] = {0, 1, 3};
    for (size_t i = 0; i < 2 * sizeof pieces / sizeof *pieces; i++) {
        FAKE fake = {.scripts = {i % 2 ? late : chunks}, .chunk = pieces[i / 2]};
        WHORL_AUTO(http_session) *session = fake_session(&fake);
        WHORL_AUTO(http_response) *response = NULL, *next = NULL;
        CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
        CHECK_OK(whorl_http_response_drain(response, 5));
        CHECK_EQ(session_stats(session).idle, 1);
        CHECK_OK(whorl_http_get(session, "http://a.test/", &next));
        CHECK_ERR(whorl_http_response_drain(next, 4), WHORL_EHTTP_BODY_TOO_LARGE);
        CHECK_ERR(whorl_http_response_drain(next, 9), WHORL_EHTTP_BODY_TOO_LARGE);
        CHECK_ERR(whorl_http_response_error(next)->code, WHORL_EHTTP_BODY_TOO_LARGE);
    }
}

TEST_VIRTUAL(a_drain_of_a_response_without_a_body_reads_nothing)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 0},
        {.action = FAKE_REPEAT}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_request request = {.method = "HEAD", .url = "http://a.test/"};
    WHORL_AUTO(http_response) *response = NULL;

    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    CHECK_OK(whorl_http_response_drain(response, 0));
    CHECK_EQ(session_stats(session).idle, 1);
}

TEST_VIRTUAL(a_drain_that_was_cancelled_continues)
{
    FAKE fake = {.scripts = {late}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_scope scope;

    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    whorl_scope_enter_timeout(&scope, 10);
    int err = whorl_http_response_drain(response, 5);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_OK(whorl_http_response_drain(response, 5));
    CHECK_EQ(session_stats(session).idle, 1);
}

/* A compressed body is dropped without decoding it, so it may be damaged. */
TEST_VIRTUAL(a_drain_decodes_nothing)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", 0},
        {FAKE_SLEEP, NULL, WHORL_MILLISECOND},
        {FAKE_SEND, "hello", 0},
        {.action = FAKE_REPEAT}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_request request = {.url = "http://a.test/", .decode = true};
    WHORL_AUTO(http_response) *response = NULL;
    char buf[8];

    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    CHECK_OK(whorl_http_response_drain(response, 5));
    CHECK_EQ(whorl_http_response_read(response, buf, sizeof buf), 0);
    CHECK_EQ(session_stats(session).idle, 1);
}

TEST_VIRTUAL(bodiless_responses_end_with_their_head)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, "HEAD / HTTP/1.1\r\n", 0},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 0},
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 204 No Content\r\n\r\n", 0},
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 0},
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0},
        {0}};
    static const int statuses[] = {200, 204, 304, 200};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    for (int i = 0; i < 4; i++) {
        struct whorl_http_request request = {.url = "http://a.test/",
                                             .method = i == 0 ? "HEAD" : NULL};
        struct whorl_http_response *response;
        char c;
        CHECK_OK(whorl_http_do(session, &request, NULL, &response));
        CHECK_EQ(session_stats(session).idle, 1);
        CHECK_EQ(whorl_http_response_status(response), statuses[i]);
        CHECK_EQ(whorl_http_response_length(response), i == 0 || i == 2 ? 500 : i == 1 ? -1 : 0);
        CHECK_EQ(whorl_http_response_read(response, &c, 1), 0);
        whorl_http_response_close(response);
    }
    CHECK_EQ(fake.dialled, 1);
}

/* Checks that the connection is not kept: after each script the next request opens a second one. */
static WHORL_SUSPENDS_SHIELDED void check_not_kept(const struct fake_step *script,
                                                   const char *expected)
{
    FAKE fake = {.scripts = {script, hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    check_fetch(session, "http://a.test/", expected);
    fake_settle();
    CHECK_EQ(session_stats(session).open, 0);
    check_fetch(session, "http://a.test/", "hello");
    CHECK_EQ(fake.dialled, 2);
}

#define RESPONDS(text)                               \
    (const struct fake_step[])                       \
    {                                                \
        {.action = FAKE_HEAD}, {FAKE_SEND, text, 0}, \
        {                                            \
            0                                        \
        }                                            \
    }

TEST_VIRTUAL(a_connection_the_server_closes_is_not_kept)
{
    check_not_kept(RESPONDS("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"),
                   "hi");
}

TEST_VIRTUAL_HTTP1(an_http_1_0_connection_is_not_kept_unless_it_says_so)
{
    check_not_kept(RESPONDS("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"), "hi");

    FAKE fake = {.scripts = {RESPONDS(
                     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n"
                     "hi")}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    check_fetch(session, "http://a.test/", "hi");
    CHECK_EQ(session_stats(session).idle, 1);
}

TEST_VIRTUAL_HTTP1(a_connection_with_surplus_bytes_is_not_kept)
{
    check_not_kept(RESPONDS("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n"),
                   "hi");
}

TEST_VIRTUAL(a_connection_that_spoke_while_idle_is_not_used_again)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0},
        {.action = FAKE_SLEEP, .n = WHORL_SECOND},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", 0},
        {0}};
    FAKE fake = {.scripts = {script, hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    check_fetch(session, "http://a.test/", "hi");
    CHECK_EQ(session_stats(session).idle, 1);
    CHECK_OK(whorl_sleep(2 * WHORL_SECOND));
    check_fetch(session, "http://a.test/", "hello");
    CHECK_EQ(fake.dialled, 2);
}

TEST_VIRTUAL_HTTP1(a_request_that_says_close_ends_its_connection)
{
    static const struct whorl_http_header close_header = {"Connection", "close"};
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_request request = {
        .url = "http://a.test/", .headers = &close_header, .headers_count = 1};
    struct whorl_http_response *response;

    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    whorl_http_response_close(response);
    CHECK_EQ(session_stats(session).open, 0);
}

TEST_VIRTUAL_HTTP1(durations_of_the_stages_are_told)
{
    static const struct fake_step slow[] = {
        {.action = FAKE_HEAD},
        {.action = FAKE_SLEEP, .n = WHORL_SECOND},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0},
        {.action = FAKE_REPEAT}};
    FAKE fake = {.scripts = {slow}};
    struct whorl_http_session_options options = {
        .conns_per_host_max = 2, .dialer = fake_dialer(&fake), .version = fake_version()};
    WHORL_AUTO(http_session) *session = NULL;
    CHECK_OK(whorl_http_session_create(&options, &session));
    WHORL_AUTO(http_response) *a = NULL, *b = NULL, *c = NULL;
    struct whorl_http_timing timing;
    (void)b;

    CHECK_OK(whorl_http_get(session, "http://a.test/", &a));
    CHECK_OK(whorl_http_get(session, "http://a.test/", &b));
    CHECK_EQ(session_stats(session).open, 2);
    whorl_http_response_close(a);
    a = NULL;
    CHECK_OK(whorl_http_get(session, "http://a.test/", &c));
    whorl_http_response_get_timing(c, &timing);
    CHECK(timing.reused);
    CHECK_EQ(timing.queue_ns, -1);
    CHECK_EQ(timing.connect_ns, -1);
    CHECK_EQ(timing.first_byte_ns, WHORL_SECOND);
    CHECK_EQ(fake.dialled, 2);
}

TEST_VIRTUAL(other_origins_get_connections_of_their_own)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    check_fetch(session, "http://a.test/", "hello");
    check_fetch(session, "http://a.test:81/", "hello");
    check_fetch(session, "http://b.test/", "hello");
    CHECK_EQ(fake.dialled, 3);
    check_fetch(session, "http://A.TEST:80/", "hello");
    CHECK_EQ(fake.dialled, 3);
    CHECK_EQ(session_stats(session).idle, 3);
}

TEST_VIRTUAL(informational_responses_are_skipped)
{
    FAKE fake = {.scripts = {RESPONDS("HTTP/1.1 100 Continue\r\n\r\n"
                                      "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                                      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    check_fetch(session, "http://a.test/", "hi");
}

/* With HTTP/2, only its stream is. */
TEST_VIRTUAL(a_cancelled_request_fails_and_its_connection_is_dropped)
{
    static const struct fake_step mute[] = {{.action = FAKE_HEAD}, {0}};
    FAKE fake = {.scripts = {mute}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_response *response = NULL;
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(WHORL_SECOND));
    int err = whorl_http_get(session, "http://a.test/", &response);
    CHECK_ERR(err, -ECANCELED); /* not a timeout of the session */
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK(!response);
    CHECK_EQ(session_stats(session).open, fake_is_http2());
    CHECK_OK(whorl_yield());
    CHECK_EQ(fake.open, fake_is_http2());
    fake_settle();
    CHECK_EQ(fake.scripts_open, 0);
}

TEST_VIRTUAL(a_cancelled_read_can_be_taken_up_again)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhe", 0},
        {.action = FAKE_SLEEP, .n = 2 * WHORL_SECOND},
        {FAKE_SEND, "re", 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_scope scope;
    char buf[20000];

    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    CHECK_EQ(whorl_http_response_read(response, buf, sizeof buf), 2);
    whorl_scope_enter(&scope, whorl_after(WHORL_SECOND));
    ssize_t n = whorl_http_response_read(response, buf + 2, sizeof buf - 2);
    CHECK_ERR(n, -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, (int)n), -ETIMEDOUT);
    CHECK_EQ(whorl_http_response_read(response, buf + 2, 1), 1);
    CHECK_EQ(whorl_http_response_read(response, buf + 3, sizeof buf - 3), 1);
    CHECK(memcmp(buf, "here", 4) == 0);
    CHECK_EQ(whorl_http_response_read(response, buf, sizeof buf), 0);
    CHECK_EQ(session_stats(session).idle, 1);
}

/* Errors: step and text */

static WHORL_SUSPENDS_SHIELDED void check_error(struct fake *fake, const char *url, int code,
                                                const char *step, const char *text)
{
    WHORL_AUTO(http_session) *session = fake_session(fake);
    struct whorl_error error = {0};
    struct whorl_http_request request = {.url = url};
    struct whorl_http_response *response = NULL;

    CHECK_ERR(whorl_http_do(session, &request, &error, &response), code);
    CHECK(!response);
    CHECK_EQ(error.code, code);
    CHECK_STR(error.step, step);
    if (text)
        CHECK_STR(error.text, text);
    CHECK_EQ(session_stats(session).open, 0);
    CHECK_EQ(session_stats(session).queued, 0);
}

TEST(a_session_outside_a_task_is_refused)
{
    struct whorl_http_session *session = NULL;
    CHECK_ERR(whorl_http_session_create(NULL, &session), WHORL_ENOTASK);
    CHECK(!session);
}

TEST_VIRTUAL(a_response_has_no_error_until_its_body_fails)
{
    static const struct fake_step cut[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", 0},
        {.action = FAKE_CLOSE},
        {0}};
    FAKE fake = {.scripts = {cut}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_error error = {0};
    struct whorl_http_request request = {.url = "http://a.test/"};
    char *body = NULL;

    CHECK_OK(whorl_http_do(session, &request, &error, &response));
    CHECK_EQ(error.code, 0);
    CHECK_EQ(whorl_http_response_error(response)->code, 0);
    CHECK_ERR(whorl_http_response_read_to_end(response, 100, &body, NULL), WHORL_EHTTP_TRUNCATED);
    CHECK_EQ(whorl_http_response_error(response)->code, WHORL_EHTTP_TRUNCATED);
    CHECK_STR(whorl_http_response_error(response)->step, "body");
    CHECK_EQ(error.code, 0);
    CHECK_EQ(session_stats(session).open, 0);
}

TEST_VIRTUAL(errors_say_step_and_cause)
{
    FAKE none = {0};
    check_error(&none, "ftp://a.test/", WHORL_EHTTP_SCHEME, "URL", NULL);
    check_error(&none, "nonsense", WHORL_EHTTP_URL, "URL", NULL);

    FAKE refused = {.dial_err = -ECONNREFUSED};
    check_error(&refused, "http://a.test/", -ECONNREFUSED, "connect",
                "a.test:80: connection refused");
    FAKE wordy = {.dial_err = -ECONNREFUSED, .dial_text = "1.2.3.4:80: no, thanks"};
    check_error(&wordy, "http://a.test/", -ECONNREFUSED, "connect", "1.2.3.4:80: no, thanks");

    FAKE silent = {
        .scripts = {(const struct fake_step[]){{.action = FAKE_HEAD}, {.action = FAKE_CLOSE}}}};
    check_error(&silent, "http://a.test/", WHORL_EHTTP_NO_RESPONSE, "response", NULL);
    if (fake_is_http2())
        return;
    FAKE babble = {.scripts = {RESPONDS("SSH-2.0-OpenSSH\r\n\r\n")}};
    check_error(&babble, "http://a.test/", WHORL_EHTTP_STATUS_LINE, "response", NULL);
}

TEST_VIRTUAL(a_request_that_cannot_be_sent_is_refused_before_it_is)
{
    static const struct whorl_http_header bad = {"X", "a\r\nY: b"};
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_error error = {0};
    struct whorl_http_request request = {
        .url = "http://a.test/", .headers = &bad, .headers_count = 1};
    struct whorl_http_response *response;

    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_REQUEST_HEADER);
    CHECK_STR(error.step, "request");
    request.headers_count = 0;
    request.method = "GET /x";
    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_METHOD);
    CHECK_EQ(session_stats(session).open, session_stats(session).idle);
    CHECK_EQ(fake.played, fake.dialled * !fake_is_http2());
}

TEST_VIRTUAL(the_caps_on_a_head_are_kept)
{
    struct whorl_error error = {0};
    FAKE many = {.scripts = {RESPONDS("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n")}};
    struct whorl_http_session_options options = {
        .headers_max = 2, .dialer = fake_dialer(&many), .version = fake_version()};
    WHORL_AUTO(http_session) *session = NULL;
    CHECK_OK(whorl_http_session_create(&options, &session));
    struct whorl_http_request request = {.url = "http://a.test/"};
    struct whorl_http_response *response;

    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_HEADERS_TOO_MANY);
    CHECK_STR(error.step, "response");
}

static int get_one(void *arg)
{
    struct whorl_http_session *session = arg;
    check_fetch(session, "http://a.test/", "hello");
    return 0;
}

TEST_VIRTUAL(any_number_of_tasks_share_a_session)
{
    FAKE fake = {.scripts = {hello}, .yield = true, .chunk = 3};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < 500; i++)
        CHECK_OK(whorl_spawn(&group, get_one, session));
    CHECK_OK(whorl_group_wait(&group));
    int connections = fake_is_http2() ? 1 : 6;
    CHECK_EQ(fake.dialled, connections);
    CHECK_EQ(session_stats(session).requests, 500);
    CHECK_EQ(session_stats(session).reuses, 500 - connections);
}

TEST_MAIN()
