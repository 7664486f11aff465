/* SPDX-License-Identifier: MIT */
/* Sessions over HTTP/2 connections: exchanges that share one, refusals, cancellation, and servers
 * whose frames are written by hand. */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/stop.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "faults.h"
#include "http2_frames.h"
#include "http2_server.h"
#include "session_stats.h"
#include "test.h"

static struct whorl_error error;

static struct whorl_http_session *session_of(struct http2_server *server)
{
    struct whorl_http_session_options options = {
        .user_agent = "t",
        .dialer = http2_server_dialer(server),
        .version = WHORL_HTTP_2,
    };
    struct whorl_http_session *session = NULL;
    CHECK_OK(whorl_http_session_create(&options, &session));
    return session;
}

static WHORL_SUSPENDS int do_get(struct whorl_http_session *session, const char *url,
                                 struct whorl_http_response **ret)
{
    struct whorl_http_request request = {.url = url};
    error = (struct whorl_error){0};
    return whorl_http_do(session, &request, &error, ret);
}

static WHORL_SUSPENDS_SHIELDED void check_fetch(struct whorl_http_session *session, const char *url,
                                                const char *expected)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *body = NULL;

    CHECK_OK(whorl_http_get(session, url, &response));
    CHECK_EQ(whorl_http_response_version(response), WHORL_HTTP_2);
    CHECK_OK(whorl_http_response_read_to_end(response, 1 << 24, &body, NULL));
    CHECK_STR(body, expected);
    free(body);
}

TEST_VIRTUAL(http2_requests_share_one_connection)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);

    check_fetch(session, "http://a.test/body/hello", "hello");
    check_fetch(session, "http://a.test/body/again", "again");
    CHECK_EQ(server.dialled, 1);
    CHECK_EQ(session_stats(session).reuses, 1);
    CHECK_STR(
        server.requests,
        ":method GET :scheme http :authority a.test :path /body/hello user-agent t accept */* "
        "accept-encoding identity\n"
        ":method GET :scheme http :authority a.test :path /body/again user-agent t accept */* "
        "accept-encoding identity\n");
}

struct fetches {
    struct whorl_http_session *session;
    const char *url;
    int done, failed;
};

static int fetch_one(void *arg)
{
    struct fetches *fetches = arg;
    WHORL_AUTO(http_response) *response = NULL;
    char *body = NULL;

    int err = whorl_http_get(fetches->session, fetches->url, &response);
    if (err == 0)
        err = whorl_http_response_read_to_end(response, 1 << 24, &body, NULL);
    free(body);
    fetches->done += err == 0;
    fetches->failed += err != 0;
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void fetch_many(struct whorl_http_session *session, const char *url,
                                               int count)
{
    struct fetches fetches = {.session = session, .url = url};
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < count; i++)
        CHECK_OK(whorl_spawn(&group, fetch_one, &fetches));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(fetches.done, count);
}

TEST_VIRTUAL(http2_asks_for_a_100_only_on_request)
{
    static char body[2 << 20];
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);
    struct whorl_http_request request = {
        .method = "PUT", .url = "http://a.test/body/x", .body = {.data = body, .len = sizeof body}};
    struct whorl_http_response *response;
    int64_t start = whorl_now();

    CHECK_OK(whorl_http_do(session, &request, &error, &response));
    whorl_http_response_close(response);
    CHECK_EQ(whorl_now(), start);
    CHECK(!strstr(server.requests, "expect"));
    request.expect = WHORL_HTTP_EXPECT_ALWAYS;
    request.url = "http://a.test/echo";
    request.body.len = 3;
    CHECK_OK(whorl_http_do(session, &request, &error, &response));
    whorl_http_response_close(response);
    CHECK_EQ(whorl_now() - start, WHORL_SECOND); /* this server sends no 100 */
    CHECK(strstr(server.requests, "expect 100-continue"));
}

static WHORL_SUSPENDS ssize_t read_once(void *arg, void *buf, size_t len)
{
    int *left = arg;
    CHECK(len >= 3);
    if (*left == 0)
        return 0;
    --*left;
    memcpy(buf, "abc", 3);
    return 3;
}

TEST_VIRTUAL(http2_trailers_follow_the_body)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);
    struct whorl_http_header trailers[] = {{"X-Sum", "9"}, {"X-Two", "b"}};
    int left;
    struct whorl_http_request request = {
        .method = "PUT",
        .url = "http://a.test/echo",
        .body = {
            .read = read_once, .arg = &left, .len = -1, .trailers = trailers, .trailers_count = 2}};

    for (left = 0; left < 3; left++) {
        WHORL_AUTO(http_response) *response = NULL;
        int count = left;
        char *body = NULL;
        server.requests_len = 0;
        CHECK_OK(whorl_http_do(session, &request, &error, &response));
        CHECK_OK(whorl_http_response_read_to_end(response, 100, &body, NULL));
        CHECK_EQ(strlen(body), 3 * count);
        free(body);
        left = count;
        CHECK(strstr(server.requests, "trailer X-Sum, X-Two"));
        CHECK(strstr(server.requests, "x-sum 9 x-two b"));
    }
    trailers[1].value = "a\n";
    struct whorl_http_response *response;
    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_REQUEST_HEADER);
    CHECK_STR(error.step, "request");
    CHECK_EQ(server.dialled, 1);
}

TEST_VIRTUAL(http2_many_requests_wait_for_one_handshake)
{
    HTTP2_SERVER server = {.dial_ns = WHORL_SECOND};
    WHORL_AUTO(http_session) *session = session_of(&server);

    fetch_many(session, "http://a.test/body/hello", 50);
    CHECK_EQ(server.dialled, 1);
    CHECK(server.concurrent_max > 40);
    CHECK_EQ(session_stats(session).idle, 1);
}

TEST_VIRTUAL(http2_requests_wait_for_a_free_stream)
{
    HTTP2_SERVER server = {.streams_max = 5};
    WHORL_AUTO(http_session) *session = session_of(&server);

    check_fetch(session, "http://a.test/body/first", "first"); /* the limit is known now */
    fetch_many(session, "http://a.test/body/hello", 50);
    CHECK_EQ(server.dialled, 1);
    CHECK_EQ(server.concurrent_max, 5);
    CHECK_EQ(server.refused, 0);
}

struct pieces {
    int left;
    bool fails;
};

static WHORL_SUSPENDS ssize_t read_piece(void *arg, void *buf, size_t len)
{
    struct pieces *pieces = arg;

    CHECK(len >= 1000);
    if (pieces->left == 0)
        return pieces->fails ? -EIO : 0;
    pieces->left--;
    memset(buf, 'x', 1000);
    return 1000;
}

TEST_VIRTUAL(http2_body_of_unknown_length_ends_with_its_callback)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);
    struct pieces pieces = {.left = 5};
    struct whorl_http_request request = {
        .method = "PUT",
        .url = "http://a.test/echo",
        .body = {.read = read_piece, .arg = &pieces, .len = -1},
    };
    WHORL_AUTO(http_response) *response = NULL, *failed = NULL;
    char *body = NULL;
    size_t body_len;

    CHECK_OK(whorl_http_do(session, &request, &error, &response));
    CHECK_OK(whorl_http_response_read_to_end(response, 1 << 20, &body, &body_len));
    CHECK_EQ(body_len, 5000);
    CHECK(!strstr(server.requests, "transfer-encoding"));
    free(body);
    pieces = (struct pieces){.left = 2, .fails = true};
    CHECK_ERR(whorl_http_do(session, &request, &error, &failed), -EIO);
    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_EQ(server.dialled, 1); /* only the stream was given up */
}

TEST_VIRTUAL(http2_cancelled_request_leaves_the_others_alone)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);
    struct fetches slow = {.session = session, .url = "http://a.test/slow"};
    struct whorl_http_response *response;
    struct whorl_scope scope;
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, fetch_one, &slow)); /* 2 s */
    whorl_scope_enter_timeout(&scope, WHORL_SECOND);
    CHECK_ERR(do_get(session, "http://a.test/never", &response), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(slow.done, 1);
    CHECK_EQ(server.dialled, 1);
    CHECK_EQ(server.resets, 1);
    CHECK_EQ(server.reset_code, 8); /* CANCEL */
}

TEST_VIRTUAL(http2_body_that_is_not_read_is_given_up)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);

    /* Each of them fills the window of its stream; together, many times that of the connection. */
    for (int i = 0; i < 20; i++) {
        struct whorl_http_response *response;
        CHECK_OK(do_get(session, "http://a.test/large", &response));
        CHECK_OK(whorl_sleep(WHORL_SECOND));
        whorl_http_response_close(response);
    }
    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_EQ(server.dialled, 1);
}

TEST_VIRTUAL(http2_large_body_arrives_whole)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);
    struct whorl_http_response *response;
    char buf[40000];
    int64_t len = 0;
    ssize_t n;

    CHECK_OK(do_get(session, "http://a.test/large", &response));
    while ((n = whorl_http_response_read(response, buf, sizeof buf)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            CHECK_EQ(buf[i], fake_pattern(len + i));
        len += n;
    }
    CHECK_EQ(n, 0);
    CHECK_EQ(len, HTTP2_SERVER_LARGE);
    CHECK_EQ(whorl_http_response_received(response), HTTP2_SERVER_LARGE);
    CHECK_STR(whorl_http_response_trailer(response, "sum"), "right");
    whorl_http_response_close(response);
}

TEST_VIRTUAL(http2_refused_request_is_sent_again_whatever_its_method)
{
    HTTP2_SERVER server = {.refuse = 2};
    WHORL_AUTO(http_session) *session = session_of(&server);
    struct whorl_http_request request = {
        .method = "POST", .url = "http://a.test/echo", .body = {.data = "hi", .len = 2}};
    struct whorl_http_response *response;
    struct whorl_http_timing timing;

    CHECK_OK(whorl_http_do(session, &request, &error, &response));
    whorl_http_response_get_timing(response, &timing);
    CHECK_EQ(timing.retries, 2);
    whorl_http_response_close(response);
    server.refuse = 100;
    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_REFUSED);
    CHECK_EQ(server.refuse, 96);
}

TEST_VIRTUAL(http2_calm_is_answered_with_longer_and_longer_waits)
{
    HTTP2_SERVER server = {.calm = 2};
    WHORL_AUTO(http_session) *session = session_of(&server);
    int64_t start_ns = whorl_now();

    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_EQ((whorl_now() - start_ns) / WHORL_SECOND, 3); /* 1 s and 2 s */
    server.calm = 100;
    struct whorl_http_response *response;
    CHECK_ERR(do_get(session, "http://a.test/body/hello", &response), WHORL_EHTTP_CALM);
    CHECK_EQ(server.calm, 96);
    struct whorl_http_request request = {
        .method = "POST", .url = "http://a.test/echo", .body = {.data = "hi", .len = 2}};
    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_CALM);
    CHECK_EQ(server.calm, 95);
}

/* A server that speaks HTTP/2 on its first connection, and HTTP/1.1 on the later ones. */
struct two_versions {
    struct whorl_http_dialer http2, http1;
    int dials;
};

static WHORL_SUSPENDS int dial_two(void *arg, const char *host, uint16_t port,
                                   struct whorl_error *detail, struct whorl_stream **ret)
{
    struct two_versions *two = arg;
    const struct whorl_http_dialer *d = two->dials++ == 0 ? &two->http2 : &two->http1;

    return d->dial(d->arg, host, port, detail, ret);
}

TEST_VIRTUAL(http2_request_that_requires_http1_is_sent_again_with_it)
{
    static const struct fake_step script[] = {
        {FAKE_EXPECT,
         "POST /echo HTTP/1.1\r\nHost: a.test\r\nUser-Agent: t\r\nAccept: */*\r\n"
         "Accept-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
         0},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold", 0},
        {0},
    };
    HTTP2_SERVER server = {.http1_required = 1};
    FAKE fake = {.scripts = {script}};
    struct two_versions two = {http2_server_dialer(&server), fake_dialer(&fake), 0};
    struct whorl_http_session_options options = {
        .user_agent = "t",
        .dialer = {.dial = dial_two, .arg = &two},
        .version = WHORL_HTTP_2,
    };
    WHORL_AUTO(http_session) *session = NULL;
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {
        .method = "POST", .url = "http://a.test/echo", .body = {.data = "hi", .len = 2}};
    struct whorl_http_timing timing;
    char *body = NULL;

    CHECK_OK(whorl_http_session_create(&options, &session));
    error = (struct whorl_error){0};
    CHECK_OK(whorl_http_do(session, &request, &error, &response));
    CHECK_EQ(error.code, 0);
    CHECK_EQ(whorl_http_response_version(response), WHORL_HTTP_1);
    CHECK_OK(whorl_http_response_read_to_end(response, 100, &body, NULL));
    CHECK_STR(body, "old");
    free(body);
    whorl_http_response_get_timing(response, &timing);
    CHECK_EQ(timing.retries, 1);
    whorl_http_response_close(response);
    response = NULL;
    CHECK_EQ(two.dials, 2);
    check_fetch(session, "http://a.test/body/new", "new"); /* the HTTP/2 connection was kept */
    CHECK_EQ(two.dials, 2);
}

TEST_VIRTUAL(http2_goaway_moves_later_requests_to_another_connection)
{
    HTTP2_SERVER server = {.goaway_after = 1};
    WHORL_AUTO(http_session) *session = session_of(&server);

    fetch_many(session, "http://a.test/body/hello", 3);
    CHECK_EQ(server.dialled, 3);
    check_fetch(session, "http://a.test/body/hello", "hello");
}

/* The buffers are freed after 100 ms without a request, and the reader is interrupted for that. */
TEST_VIRTUAL(http2_connection_is_used_again_before_and_after_it_becomes_idle)
{
    static const int64_t pauses_ms[] = {0, 50, 99, 100, 101, 1000, 0, 250};
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);

    for (size_t i = 0; i < sizeof pauses_ms / sizeof *pauses_ms; i++) {
        check_fetch(session, "http://a.test/body/hello", "hello");
        CHECK_OK(whorl_sleep(pauses_ms[i] * WHORL_MILLISECOND));
    }
    CHECK_EQ(server.dialled, 1);
    CHECK_EQ(session_stats(session).idle, 1);
}

static int fetch_after_100_ms(void *arg)
{
    int err = whorl_sleep(100 * WHORL_MILLISECOND);

    if (err == 0)
        check_fetch(arg, "http://a.test/body/hello", "hello");
    return err;
}

/* The task wakes before the connection's timer fires, and the reader runs after the task. */
TEST_VIRTUAL(http2_connection_becomes_idle_while_a_request_starts)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);
    WHORL_AUTO(group) group = {0};

    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_OK(whorl_spawn(&group, fetch_after_100_ms, session));
    CHECK_OK(whorl_yield());
    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_OK(whorl_group_wait(&group));
    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_EQ(server.dialled, 1);
}

TEST_VIRTUAL(http2_end_of_an_idle_connection_is_noticed)
{
    HTTP2_SERVER server = {.close_ns = 5 * WHORL_SECOND};
    WHORL_AUTO(http_session) *session = session_of(&server);

    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_EQ(session_stats(session).idle, 1);
    CHECK_OK(whorl_sleep(6 * WHORL_SECOND));
    CHECK_EQ(session_stats(session).idle, 0);
    CHECK_EQ(session_stats(session).open, 0);
    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_EQ(server.dialled, 2);
}

TEST_VIRTUAL(http2_ping_is_answered_while_no_exchange_waits)
{
    HTTP2_SERVER server = {.ping_ns = 5 * WHORL_SECOND};
    WHORL_AUTO(http_session) *session = session_of(&server);

    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_OK(whorl_sleep(6 * WHORL_SECOND));
    CHECK_EQ(server.pongs, 1);
}

TEST_VIRTUAL(http2_idle_connection_expires_and_says_goodbye)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);

    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_OK(whorl_sleep(31 * WHORL_SECOND));
    CHECK_EQ(session_stats(session).open, 0);
    CHECK_EQ(server.goodbyes, 1);
    CHECK_EQ(server.open, 0);
}

TEST_VIRTUAL(http2_idle_connection_ends_when_the_daemons_are_asked_to_stop)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);
    int64_t start_ns = whorl_now();

    check_fetch(session, "http://a.test/body/hello", "hello");
    CHECK_OK(whorl_group_stop(whorl_root_group(), 10 * WHORL_SECOND));
    CHECK(whorl_now() - start_ns < WHORL_SECOND);
    CHECK_EQ(server.goodbyes, 1);
    CHECK_EQ(session_stats(session).open, 0);
}

TEST_VIRTUAL(http2_exchange_in_flight_ends_before_the_daemons_stop)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);
    struct fetches slow = {.session = session, .url = "http://a.test/slow"};
    WHORL_AUTO(group) group = {0};
    int64_t start_ns = whorl_now();

    CHECK_OK(whorl_spawn(&group, fetch_one, &slow)); /* 2 s */
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_OK(whorl_group_stop(whorl_root_group(), 10 * WHORL_SECOND));
    CHECK_EQ((whorl_now() - start_ns) / WHORL_SECOND, 2);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(slow.done, 1);
    CHECK_EQ(server.goodbyes, 1);
}

TEST_VIRTUAL(http2_request_during_a_stop_gets_a_connection_of_its_own)
{
    HTTP2_SERVER server = {0};
    WHORL_AUTO(http_session) *session = session_of(&server);
    int64_t start_ns = whorl_now();

    check_fetch(session, "http://a.test/body/before", "before");
    whorl_group_request_stop(whorl_root_group());
    check_fetch(session, "http://a.test/body/hello", "hello");
    check_fetch(session, "http://a.test/body/again", "again");
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(server.open, 0);
    CHECK_OK(whorl_group_stop(whorl_root_group(), 10 * WHORL_SECOND));
    CHECK(whorl_now() - start_ns < WHORL_SECOND);
}

TEST_VIRTUAL(http2_server_that_answers_nothing_is_left)
{
    HTTP2_SERVER server = {.silent = true};
    struct whorl_http_session_options options = {
        .dialer = http2_server_dialer(&server),
        .version = WHORL_HTTP_2,
        .timeouts = {.first_byte_ns = WHORL_SECOND},
    };
    WHORL_AUTO(http_session) *session = NULL;
    struct whorl_http_response *response;

    CHECK_OK(whorl_http_session_create(&options, &session));
    CHECK_ERR(do_get(session, "http://a.test/", &response), WHORL_EHTTP_FIRST_BYTE_TIMEOUT);
    CHECK_EQ(session_stats(session).open, 0);
    CHECK_STR(error.text, "a.test:80: no answer within 1 s (first-byte limit)");
}

TEST_VIRTUAL(http2_connection_that_breaks_fails_every_exchange)
{
    HTTP2_SERVER server = {.close_ns = 3 * WHORL_SECOND};
    WHORL_AUTO(http_session) *session = session_of(&server);
    struct whorl_http_request request = {
        .method = "POST", .url = "http://a.test/never", .body = {.data = "hi", .len = 2}};
    struct whorl_http_response *response, *begun;
    char buf[100];

    CHECK_OK(do_get(session, "http://a.test/stuck", &begun));
    CHECK_EQ(whorl_http_response_read(begun, buf, sizeof buf), 5);
    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_NO_RESPONSE);
    CHECK_ERR(whorl_http_response_read(begun, buf, sizeof buf), WHORL_EHTTP_TRUNCATED);
    CHECK_STR(whorl_http_response_error(begun)->text,
              "a.test:80: the server closed the connection");
    whorl_http_response_close(begun);
    CHECK_EQ(session_stats(session).open, 0);
}

enum { FIRST_LEN = 24 + 9 + 24 + 13 + 9 }; /* preface, SETTINGS, WINDOW_UPDATE, part of HEADERS */

static int one_request(void *arg)
{
    FAKE fake = {.scripts = {arg}};
    struct whorl_http_session_options options = {.dialer = fake_dialer(&fake),
                                                 .version = WHORL_HTTP_2};
    WHORL_AUTO(http_session) *session = NULL;
    WHORL_AUTO(http_response) *response = NULL;
    char *body = NULL;

    int err = whorl_http_session_create(&options, &session);
    if (err == 0)
        err = whorl_http_get(session, "http://a.test/", &response);
    if (err == 0)
        err = whorl_http_response_read_to_end(response, 100, &body, NULL);
    if (err == 0)
        CHECK_STR(body, "hello");
    free(body);
    return err;
}

static int run_one_request(void *arg)
{
    return whorl_run_virtual(NULL, one_request, arg);
}

TEST(http2_session_survives_every_failed_allocation)
{
    static struct frames f;
    static struct fake_step script[] = {
        {FAKE_READ, NULL, FIRST_LEN}, {FAKE_SEND, f.bytes, 0}, {.action = FAKE_END}};

    frames_settings(&f);
    frames_head(&f, 1, FRAMES_END_HEADERS, ":status", "200", "content-length", "5", NULL);
    frames_add(&f, FRAMES_DATA, FRAMES_END_STREAM, 1, "hello", 5);
    script[1].n = (int64_t)f.len;
    CHECK(faults_sweep(run_one_request, script) > 20);
}

/* The first window takes 65,535 bytes, so one byte waits for another window. */
TEST_VIRTUAL(http2_error_status_ends_an_upload_that_has_no_window)
{
    static const char *const statuses[] = {"413", "307"};
    static char data[65536];

    for (size_t i = 0; i < 2; i++) {
        static struct frames f;
        f.len = 0;
        frames_settings(&f);
        frames_head(&f, 1, FRAMES_END_HEADERS | (i == 0 ? FRAMES_END_STREAM : 0), ":status",
                    statuses[i], NULL);
        const struct fake_step script[] = {{FAKE_READ, NULL, FIRST_LEN},
                                           {FAKE_SEND, f.bytes, (int64_t)f.len},
                                           {.action = FAKE_END}};
        FAKE fake = {.scripts = {script}};
        struct whorl_http_session_options options = {.dialer = fake_dialer(&fake),
                                                     .version = WHORL_HTTP_2};
        struct whorl_http_request request = {
            .method = "POST", .url = "http://a.test/", .body = {.data = data, .len = sizeof data}};
        WHORL_AUTO(http_session) *session = NULL;
        WHORL_AUTO(http_response) *response = NULL;
        int64_t start_ns = whorl_now();

        CHECK_OK(whorl_http_session_create(&options, &session));
        CHECK_OK(whorl_http_do(session, &request, &error, &response));
        CHECK_EQ(whorl_http_response_status(response), atoi(statuses[i]));
        CHECK_EQ(whorl_now(), start_ns);
    }
}

/* The response is complete before the request is, and then the connection ends. */
TEST_VIRTUAL(http2_upload_ends_with_its_connection_although_the_response_is_complete)
{
    static char data[100000];
    static struct frames f;
    frames_settings(&f);
    frames_head(&f, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", NULL);
    const struct fake_step script[] = {{FAKE_READ, NULL, FIRST_LEN},
                                       {FAKE_SEND, f.bytes, (int64_t)f.len},
                                       {.action = FAKE_SLEEP, .n = WHORL_SECOND},
                                       {.action = FAKE_CLOSE}};
    FAKE fake = {.scripts = {script}};
    struct whorl_http_session_options options = {.dialer = fake_dialer(&fake),
                                                 .version = WHORL_HTTP_2};
    struct whorl_http_request request = {
        .method = "POST", .url = "http://a.test/", .body = {.data = data, .len = sizeof data}};
    WHORL_AUTO(http_session) *session = NULL;
    WHORL_AUTO(http_response) *response = NULL;
    int64_t start_ns = whorl_now();

    CHECK_OK(whorl_http_session_create(&options, &session));
    CHECK_OK(whorl_http_do(session, &request, &error, &response));
    CHECK_EQ(whorl_http_response_status(response), 200);
    CHECK_EQ(whorl_now() - start_ns, WHORL_SECOND);
}

/* A server whose first connection takes no more streams after the first response, and then does
 * `last`. Its second connection takes one again. */
static WHORL_SUSPENDS_SHIELDED void check_new_connection(const struct fake_step *last,
                                                         size_t conns_per_host_max, int64_t idle_ns)
{
    static struct frames full, usual;
    full.len = usual.len = 0;
    frames_settings(&full);
    frames_head(&full, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "200", NULL);
    frames_setting(&full, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
    frames_settings(&usual);
    frames_head(&usual, 1, FRAMES_END_HEADERS | FRAMES_END_STREAM, ":status", "201", NULL);
    const struct fake_step first[] = {
        {FAKE_READ, NULL, FIRST_LEN}, {FAKE_SEND, full.bytes, (int64_t)full.len}, last[0], last[1]};
    const struct fake_step second[] = {{FAKE_READ, NULL, FIRST_LEN},
                                       {FAKE_SEND, usual.bytes, (int64_t)usual.len},
                                       {.action = FAKE_END}};
    FAKE fake = {.scripts = {first, second}};
    struct whorl_http_session_options options = {.dialer = fake_dialer(&fake),
                                                 .version = WHORL_HTTP_2,
                                                 .conns_per_host_max = conns_per_host_max,
                                                 .idle_ns = idle_ns};
    WHORL_AUTO(http_session) *session = NULL;
    int64_t start_ns = whorl_now();

    CHECK_OK(whorl_http_session_create(&options, &session));
    for (int status = 200; status <= 201; status++) {
        WHORL_AUTO(http_response) *response = NULL;
        CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
        CHECK_EQ(whorl_http_response_status(response), status);
    }
    CHECK_EQ(fake.dialled, 2);
    CHECK_EQ((whorl_now() - start_ns) / WHORL_SECOND, 5);
}

TEST_VIRTUAL(http2_request_that_waits_for_a_full_connection_gets_a_new_one_when_that_expires)
{
    static const struct fake_step last[] = {{.action = FAKE_SLEEP, .n = 60 * WHORL_SECOND}, {0}};
    check_new_connection(last, 0, 5 * WHORL_SECOND);
}

TEST_VIRTUAL(http2_request_that_waits_for_a_full_connection_gets_a_new_one_when_that_ends)
{
    static const struct fake_step last[] = {{.action = FAKE_SLEEP, .n = 5 * WHORL_SECOND},
                                            {.action = FAKE_CLOSE}};
    check_new_connection(last, 1, 20 * WHORL_SECOND);
}

TEST_MAIN()
