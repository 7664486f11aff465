/* SPDX-License-Identifier: MIT */
/* Redirects that a session follows. The decision about one response is tested in
 * test_redirect.c. */
#include <stdlib.h>

#include <whorl/http.h>
#include <whorl/url.h>

#include "fakehttp.h"
#include "test.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct whorl_error error;

static struct whorl_http_session *session_of(struct fake *fake, int redirects_max)
{
    return fake_session_with(fake,
                             (struct whorl_http_session_options){.redirects_max = redirects_max});
}

static WHORL_SUSPENDS int run(struct whorl_http_session *session, struct whorl_http_request request,
                              int status, const char *url, int redirects)
{
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_timing timing;

    error = (struct whorl_error){0};
    if (!request.url)
        request.url = "http://a.test/";
    int err = whorl_http_do(session, &request, &error, &response);
    if (err)
        return err;
    CHECK_EQ(whorl_http_response_status(response), status);
    CHECK_STR(whorl_http_response_url(response)->text, url);
    whorl_http_response_get_timing(response, &timing);
    CHECK_EQ(timing.redirects, redirects);
    return 0;
}

TEST_VIRTUAL(redirects_are_followed_over_the_same_connection)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, "GET / HTTP", 0},
        {FAKE_SEND, "HTTP/1.1 301 Moved\r\nLocation: /b\r\nContent-Length: 4\r\n\r\nrest", 0},
        {FAKE_HEAD, "GET /b HTTP", 0},
        {FAKE_SEND, "HTTP/1.1 307 Moved\r\nLocation: c?d#e\r\nContent-Length: 0\r\n\r\n", 0},
        {FAKE_HEAD, "GET /c?d HTTP", 0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, 0);
    CHECK_OK(run(session, (struct whorl_http_request){0}, 200, "http://a.test/c?d", 2));
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(a_redirect_whose_body_is_not_there_yet_costs_its_connection)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 301 Moved\r\nLocation: /b\r\nContent-Length: 400\r\n\r\nrest", 0},
        {0}};
    static const struct fake_step next[] = {{FAKE_HEAD, "GET /b", 0}, {FAKE_SEND, OK, 0}, {0}};
    FAKE fake = {.scripts = {script, next}};
    WHORL_AUTO(http_session) *session = session_of(&fake, 0);
    CHECK_OK(run(session, (struct whorl_http_request){0}, 200, "http://a.test/b", 1));
    /* With HTTP/2, it costs only the stream. */
    CHECK_EQ(fake.dialled, fake_is_http2() ? 1 : 2);
    CHECK_EQ(fake.played, 2);
}

static const struct fake_step loops[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND, "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0},
    {.action = FAKE_REPEAT}};

static uint64_t requests_of(struct whorl_http_session *session)
{
    struct whorl_http_session_stats stats;
    whorl_http_session_get_stats(session, &stats);
    CHECK_EQ(stats.open, stats.idle);
    return stats.requests;
}

TEST_VIRTUAL(a_redirect_loop_ends_at_the_limit)
{
    FAKE fake = {.scripts = {loops}};
    WHORL_AUTO(http_session) *session = session_of(&fake, 0);
    CHECK_ERR(run(session, (struct whorl_http_request){0}, 0, "", 0), WHORL_EHTTP_REDIRECTS);
    CHECK_STR(error.step, "redirect");
    CHECK_EQ(requests_of(session), 11);
}

TEST_VIRTUAL(the_limit_can_be_set_by_session_and_request)
{
    FAKE fake = {.scripts = {loops}};
    WHORL_AUTO(http_session) *session = session_of(&fake, 3);
    CHECK_ERR(run(session, (struct whorl_http_request){0}, 0, "", 0), WHORL_EHTTP_REDIRECTS);
    CHECK_EQ(requests_of(session), 4);
    CHECK_ERR(run(session, (struct whorl_http_request){.redirects_max = 1}, 0, "", 0),
              WHORL_EHTTP_REDIRECTS);
    CHECK_EQ(requests_of(session), 6);
    CHECK_OK(
        run(session, (struct whorl_http_request){.redirects_max = -1}, 302, "http://a.test/", 0));
    CHECK_EQ(requests_of(session), 7);
}

TEST_VIRTUAL(bad_and_foreign_targets_are_errors)
{
    static const struct fake_step ftp[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 302 Found\r\nLocation: ftp://a.test/\r\nContent-Length: 0\r\n\r\n",
         0},
        {0}};
    static const struct fake_step bad[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 302 Found\r\nLocation: http://a b:x/\r\nContent-Length: 0\r\n\r\n",
         0},
        {0}};
    FAKE fake = {.scripts = {ftp, bad}};
    WHORL_AUTO(http_session) *session = session_of(&fake, 0);
    CHECK_ERR(run(session, (struct whorl_http_request){0}, 0, "", 0), WHORL_EHTTP_NOT_REDIRECTABLE);
    whorl_http_session_close_idle(session);
    CHECK_ERR(run(session, (struct whorl_http_request){0}, 0, "", 0),
              WHORL_EHTTP_REDIRECT_LOCATION);
}

static const struct whorl_http_header headers[] = {{"Authorization", "Bearer secret"},
                                                   {"Cookie", "secret"},
                                                   {"X-Other", "1"},
                                                   {"Content-Type", "text/plain"}};

TEST_VIRTUAL(credentials_do_not_go_to_another_origin_nor_come_back)
{
#define COMMON "User-Agent: t\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
    static const struct fake_step first[] = {
        {FAKE_EXPECT,
         "GET / HTTP/1.1\r\nHost: a.test\r\n" COMMON
         "Authorization: Bearer secret\r\nCookie: secret\r\nX-Other: 1\r\n\r\n",
         0},
        {FAKE_SEND, "HTTP/1.1 302 F\r\nLocation: http://b.test/\r\nContent-Length: 0\r\n\r\n", 0},
        /* Back at a.test, the secrets are still left out: b.test may have chosen the path. */
        {FAKE_EXPECT, "GET /c HTTP/1.1\r\nHost: a.test\r\n" COMMON "\r\n", 0},
        {FAKE_SEND, OK, 0},
        {0}};
    static const struct fake_step second[] = {
        {FAKE_EXPECT, "GET / HTTP/1.1\r\nHost: b.test\r\n" COMMON "\r\n", 0},
        {FAKE_SEND, "HTTP/1.1 302 F\r\nLocation: /d\r\nContent-Length: 0\r\n\r\n", 0},
        {FAKE_EXPECT, "GET /d HTTP/1.1\r\nHost: b.test\r\n" COMMON "\r\n", 0},
        {FAKE_SEND, "HTTP/1.1 302 F\r\nLocation: http://a.test/c\r\nContent-Length: 0\r\n\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {first, second}};
    WHORL_AUTO(http_session) *session = session_of(&fake, 0);
    struct whorl_http_request request = {.headers = headers, .headers_count = 3};
    CHECK_OK(run(session, request, 200, "http://a.test/c", 3));
    CHECK_EQ(fake.dialled, 2);
}

TEST_VIRTUAL(a_303_turns_a_post_into_a_get_without_body)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, "POST / HTTP", 0},
        {FAKE_EXPECT, "data", 0},
        {FAKE_SEND, "HTTP/1.1 303 See Other\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", 0},
        {FAKE_EXPECT, "GET /b HTTP/1.1\r\nHost: a.test\r\n" COMMON "X-Other: 1\r\n\r\n", 0},
        {FAKE_SEND, "HTTP/1.1 302 F\r\nLocation: /c\r\nContent-Length: 0\r\n\r\n", 0},
        {FAKE_EXPECT, "GET /c HTTP/1.1\r\nHost: a.test\r\n" COMMON "X-Other: 1\r\n\r\n", 0},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake, 0);
    struct whorl_http_request request = {.method = "POST",
                                         .headers = headers + 2,
                                         .headers_count = 2,
                                         .body = {.data = "data", .len = 4}};
    CHECK_OK(run(session, request, 200, "http://a.test/c", 2));
}

static WHORL_SUSPENDS ssize_t give(void *arg, void *buf, size_t len)
{
    int *left = arg;
    CHECK(len >= 4);
    if (*left == 0)
        return 0;
    memcpy(buf, "data", 4);
    --*left;
    return 4;
}

static int rewind_source(void *arg)
{
    *(int *)arg = 1;
    return 0;
}

static const struct fake_step keeps_method[] = {
    {FAKE_HEAD, "POST / HTTP", 0},
    {FAKE_EXPECT, "4\r\ndata\r\n0\r\n\r\n", 0},
    {FAKE_SEND, "HTTP/1.1 308 Moved\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", 0},
    {FAKE_HEAD, "POST /b HTTP", 0},
    {FAKE_EXPECT, "4\r\ndata\r\n0\r\n\r\n", 0},
    {FAKE_SEND, OK, 0},
    {0}};

TEST_VIRTUAL(a_308_sends_the_body_again_when_it_can_be_rewound)
{
    FAKE fake = {.scripts = {keeps_method}};
    WHORL_AUTO(http_session) *session = session_of(&fake, 0);
    int left = 1;
    struct whorl_http_request request = {
        .method = "POST", .body = {.read = give, .rewind = rewind_source, .len = -1, .arg = &left}};
    CHECK_OK(run(session, request, 200, "http://a.test/b", 1));
}

TEST_VIRTUAL(a_308_with_a_body_that_cannot_be_rewound_is_an_error)
{
    FAKE fake = {.scripts = {keeps_method}};
    WHORL_AUTO(http_session) *session = session_of(&fake, 0);
    int left = 1;
    struct whorl_http_request request = {.method = "POST",
                                         .body = {.read = give, .len = -1, .arg = &left}};
    CHECK_ERR(run(session, request, 200, "", 1), WHORL_EHTTP_REDIRECT_BODY);
    CHECK_STR(error.step, "redirect");
}

TEST_MAIN()
