/* SPDX-License-Identifier: MIT */
/* The events that an observer gets: their order, why connections are not reused, how
 * requests fail; and that no event has a secret. The servers follow scripts in memory. */
#include <stdlib.h>
#include <string.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "faults.h"
#include "memstream.h"
#include "test.h"
#include "trace_log.h"

#define MS WHORL_MILLISECOND
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct trace_log trace;

static struct whorl_http_session *session_with(struct fake *fake,
                                               struct whorl_http_session_options options)
{
    trace_log_clear(&trace);
    options.observer = trace_log_observer(&trace);
    return fake_session_with(fake, options);
}

static struct whorl_http_session *session_of(struct fake *fake)
{
    return session_with(fake, (struct whorl_http_session_options){0});
}

/* Carries out a request and reads its body. */
static WHORL_SUSPENDS int run(struct whorl_http_session *session,
                              const struct whorl_http_request *request)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *body;

    int err = whorl_http_do(session, request, NULL, &response);
    if (err == 0)
        err = whorl_http_response_read_to_end(response, 1 << 20, &body, NULL);
    if (err == 0)
        free(body);
    return err;
}

static WHORL_SUSPENDS int get(struct whorl_http_session *session, const char *url)
{
    return run(session, &(struct whorl_http_request){.url = url});
}

static const struct fake_step hello[] = {
    {.action = FAKE_HEAD}, {FAKE_SEND, OK, 0}, {.action = FAKE_REPEAT}};

/* The order */

TEST_VIRTUAL(trace_of_a_get_and_of_one_that_reuses_its_connection)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    CHECK_OK(get(session, "http://a.test/x?y#z"));
    CHECK_STR(trace.text,
              "1:start(GET http://a.test/x?y) 1:open(first) 1:ready(HTTP/1.1) 1:request head "
              "1:sent(0) 1:response head(200) 1:kept 1:end");
    CHECK(trace.bodies > 0);
    CHECK_EQ(trace.info.conn, 1);
    CHECK_EQ(trace.info.reuse, WHORL_HTTP_NEW_FIRST);
    *trace.text = '\0';
    CHECK_OK(get(session, "http://a.test/"));
    CHECK_STR(trace.text, "2:start(GET http://a.test/) 2:reuse 2:request head 2:sent(0) "
                          "2:response head(200) 2:kept 2:end");
    CHECK_EQ(trace.info.conn, 1);
    CHECK_EQ(trace.info.reuse, WHORL_HTTP_REUSED);
    CHECK_EQ(trace.info.connect_ns, -1);
}

TEST_VIRTUAL(trace_has_the_heads_as_they_are_sent)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.0 404 Not Here\r\nX-A:  1\r\nContent-Length: 0\r\n\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    CHECK_OK(get(session, "http://a.test/x"));
    CHECK_STR(trace.heads, "GET /x HTTP/1.1\r\nHost: a.test\r\nUser-Agent: t\r\nAccept: */*\r\n"
                           "Accept-Encoding: identity\r\n\r\n"
                           "HTTP/1.0 404 Not Here\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n");
}

TEST_VIRTUAL(trace_has_no_heads_on_request)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    struct whorl_http_request request = {.url = "http://a.test/x",
                                         .observer = trace_log_observer(&trace)};

    request.observer.no_heads = true;
    CHECK_OK(run(session, &request));
    CHECK_STR(trace.heads, "");
    CHECK_STR(trace.text, "1:start(GET http://a.test/x) 1:open(first) 1:ready(HTTP/1.1) "
                          "1:request head 1:sent(0) 1:response head(200) 1:kept 1:end");
}

TEST_VIRTUAL(trace_of_a_redirect_of_an_upload_and_of_an_informational_head)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", 0},
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 103 Early\r\n\r\n" OK, 0},
        {.action = FAKE_HEAD},
        {FAKE_READ, NULL, 5},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    CHECK_OK(get(session, "http://a.test/a"));
    CHECK_STR(trace.text,
              "1:start(GET http://a.test/a) 1:open(first) 1:ready(HTTP/1.1) 1:request head "
              "1:sent(0) 1:response head(302) 1:kept 1:redirect(GET http://a.test/b) 1:reuse "
              "1:request head 1:sent(0) 1:informational(103) 1:response head(200) 1:kept 1:end");
    CHECK_EQ(trace.info.redirects, 1);
    *trace.text = '\0';
    CHECK_OK(
        run(session, &(struct whorl_http_request){.method = "PUT",
                                                  .url = "http://a.test/c",
                                                  .body = whorl_http_body_from_text("12345")}));
    CHECK_STR(trace.text, "2:start(PUT http://a.test/c) 2:reuse 2:request head 2:sent(5) "
                          "2:response head(200) 2:kept 2:end");
    CHECK_EQ(trace.info.sent_body, 5);
}

TEST_VIRTUAL(trace_of_a_retry)
{
    static const struct fake_step once[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, OK, 0}, {.action = FAKE_HEAD}, {.action = FAKE_CLOSE}};
    FAKE fake = {.scripts = {once, hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    CHECK_OK(get(session, "http://a.test/"));
    *trace.text = '\0';
    CHECK_OK(get(session, "http://a.test/"));
    CHECK_STR(trace.text,
              "2:start(GET http://a.test/) 2:reuse 2:request head 2:sent(0) "
              "2:retry(WHORL_EHTTP_NO_RESPONSE) 2:open(ended) 2:ready(HTTP/1.1) 2:request head "
              "2:sent(0) 2:response head(200) 2:kept 2:end");
    CHECK_EQ(trace.info.retries, 1);
    CHECK_EQ(trace.info.conn, 2);
}

TEST_VIRTUAL(trace_of_an_answer_to_a_challenge)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND,
         "HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=\"r\"\r\n"
         "Content-Length: 0\r\n\r\n",
         0},
        {.action = FAKE_HEAD},
        {FAKE_SEND, OK, 0},
        {0}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    struct whorl_http_credentials credentials = {.user = "anna", .password = "s3cret"};

    CHECK_OK(run(session, &(struct whorl_http_request){.url = "http://a.test/",
                                                       .credentials = &credentials}));
    CHECK_STR(trace.text,
              "1:start(GET http://a.test/) 1:open(first) 1:ready(HTTP/1.1) 1:request head "
              "1:sent(0) 1:response head(401) 1:kept 1:auth(401) 1:reuse 1:request head 1:sent(0) "
              "1:response head(200) 1:kept 1:end");
}

TEST_VIRTUAL(trace_of_a_tunnel)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, "CONNECT a.test:443", 0},
        {FAKE_SEND,
         "HTTP/1.1 407 Give\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
         "Content-Length: 0\r\n\r\n",
         0},
        {0}};
    static const struct fake_step refuse[] = {
        {FAKE_HEAD, "CONNECT a.test:443", 0},
        {FAKE_SEND, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", 0},
        {0}};
    FAKE fake = {.scripts = {script, refuse}};
    WHORL_AUTO(http_session) *session = session_with(
        &fake, (struct whorl_http_session_options){.proxy = {.url = "http://u:pass@p.test:3128"}});

    CHECK_ERR(get(session, "https://a.test/"), WHORL_EHTTP_PROXY_REFUSED);
    CHECK_STR(trace.text, "1:start(GET https://a.test/) 1:open(first) 1:proxy request "
                          "1:proxy response(407) 1:proxy request 1:proxy response(403) "
                          "1:end(WHORL_EHTTP_PROXY_REFUSED)");
    CHECK(strstr(trace.heads, "CONNECT a.test:443 HTTP/1.1\r\n"));
    CHECK(strstr(trace.heads, "Proxy-Authorization: Basic ***\r\n"));
}

/* Waiting, and two requests at the same time */

struct job {
    struct whorl_http_session *session;
    const char *url;
};

static int get_job(void *arg)
{
    struct job *job = arg;
    return get(job->session, job->url);
}

TEST_VIRTUAL(trace_tells_two_requests_apart_and_that_one_waits)
{
    static const struct fake_step slow[] = {{.action = FAKE_HEAD},
                                            {FAKE_SLEEP, NULL, 10 * MS},
                                            {FAKE_SEND, OK, 0},
                                            {.action = FAKE_REPEAT}};
    FAKE fake = {.scripts = {slow}};
    WHORL_AUTO(http_session) *session =
        session_with(&fake, (struct whorl_http_session_options){.conns_max = 1});
    WHORL_AUTO(group) group = {0};
    struct job job = {.session = session, .url = "http://a.test/"};

    CHECK_OK(whorl_spawn(&group, get_job, &job));
    CHECK_OK(whorl_spawn(&group, get_job, &job));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(trace.text,
              "1:start(GET http://a.test/) 1:open(first) 1:ready(HTTP/1.1) 1:request head "
              "1:sent(0) 2:start(GET http://a.test/) 2:queue 1:response head(200) 1:kept 1:end "
              "2:reuse 2:request head 2:sent(0) 2:response head(200) 2:kept 2:end");
    CHECK_EQ(trace.info.queue_ns, 10 * MS);
    CHECK_EQ(trace.info.first_byte_ns, 10 * MS);
    CHECK_EQ(trace.info.total_ns, 20 * MS);
}

/* Why a connection is not reused */

static WHORL_SUSPENDS_SHIELDED void check_why(struct whorl_http_session *session, const char *url,
                                              const char *open)
{
    char text[100];

    *trace.text = '\0';
    CHECK_OK(get(session, url));
    snprintf(text, sizeof text, ":open(%s)", open);
    if (!strstr(trace.text, text))
        CHECK_STR(trace.text, text);
}

TEST_VIRTUAL(trace_says_that_a_connection_has_expired_or_was_closed)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session =
        session_with(&fake, (struct whorl_http_session_options){.idle_ns = 10 * MS});

    check_why(session, "http://a.test/", "first");
    CHECK_OK(whorl_sleep(20 * MS));
    check_why(session, "http://a.test/", "expired");
    whorl_http_session_close_idle(session);
    check_why(session, "http://a.test/", "asked");
    check_why(session, "http://b.test/", "first");
}

TEST_VIRTUAL(trace_says_that_the_server_has_closed_or_does_not_keep_the_connection)
{
    static const struct fake_step closes[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, OK, 0}, {.action = FAKE_CLOSE}};
    static const struct fake_step says_so[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 0},
        {0}};
    FAKE fake = {.scripts = {closes, says_so, hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    check_why(session, "http://a.test/", "first");
    CHECK_OK(whorl_sleep(MS));
    check_why(session, "http://a.test/", "ended");
    CHECK(strstr(trace.text, "closed(refused)"));
    check_why(session, "http://a.test/", "refused");
}

TEST_VIRTUAL(trace_says_that_a_body_was_not_read)
{
    static const struct fake_step large[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nok", 0},
        {0}};
    FAKE fake = {.scripts = {large, hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    struct whorl_http_response *response;

    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    whorl_http_response_close(response);
    CHECK(strstr(trace.text, "1:closed(unread) 1:end"));
    check_why(session, "http://a.test/", "unread");
}

TEST_VIRTUAL(trace_says_that_the_request_asked_for_the_end)
{
    static const struct whorl_http_header close[] = {{"Connection", "close"}};
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    CHECK_OK(run(session, &(struct whorl_http_request){
                              .url = "http://a.test/", .headers = close, .headers_count = 1}));
    CHECK(strstr(trace.text, "1:closed(asked)"));
    check_why(session, "http://a.test/", "asked");
}

TEST_VIRTUAL(trace_says_that_connections_are_busy_are_over_a_limit_or_differ)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session =
        session_with(&fake, (struct whorl_http_session_options){.conns_max = 2});
    static const struct fake_step large[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nok", 0},
        {0}};
    struct whorl_http_response *response;

    fake.scripts[0] = large;
    fake.scripts[1] = hello;
    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    check_why(session, "http://a.test/", "busy");
    check_why(session, "http://b.test/", "first"); /* it takes the place of the idle one */
    whorl_http_response_close(response);
    check_why(session, "http://a.test/", "unread");
    *trace.text = '\0';
    CHECK_OK(run(session,
                 &(struct whorl_http_request){.url = "http://a.test/", .version = WHORL_HTTP_1}));
    CHECK(strstr(trace.text, ":open(other)"));
}

TEST_VIRTUAL(trace_says_that_a_connection_was_closed_to_stay_below_a_limit)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session =
        session_with(&fake, (struct whorl_http_session_options){.conns_max = 1});

    check_why(session, "http://a.test/", "first");
    check_why(session, "http://b.test/", "first");
    check_why(session, "http://a.test/", "limit");
}

/* Failures */

static WHORL_SUSPENDS_SHIELDED void check_end(struct fake *fake, const char *url, int err,
                                              const char *kind, const char *text)
{
    struct whorl_error error = {.code = err};
    WHORL_AUTO(http_session) *session =
        session_with(fake, (struct whorl_http_session_options){
                               .head_bytes_max = 4096,
                               .timeouts = {.first_byte_ns = 10 * MS, .connect_ns = 10 * MS}});

    CHECK_ERR(get(session, url), err);
    CHECK_STR(trace.text, text);
    CHECK_EQ(trace.ends, 1);
    snprintf(error.step, sizeof error.step, "%.*s", (int)strcspn(trace.end, ":"), trace.end);
    CHECK_STR(whorl_error_class_name(whorl_error_classify(&error)), kind);
}

#define TO_HEAD                                                                   \
    "1:start(GET http://a.test/) 1:open(first) 1:ready(HTTP/1.1) 1:request head " \
    "1:sent(0) "

TEST_VIRTUAL(trace_of_a_failure_at_each_step)
{
    static const struct fake_step silent[] = {{0}};
    static const struct fake_step garbage[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, "SMTP ready\r\n\r\n", 0}, {0}};
    static const struct fake_step cut[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", 0},
        {.action = FAKE_CLOSE}};
    FAKE refused = {.dial_err = -ECONNREFUSED, .scripts = {silent}};
    FAKE slow = {.dial_ns = WHORL_SECOND, .scripts = {silent}};
    FAKE mute = {.scripts = {silent}};
    FAKE wrong = {.scripts = {garbage}};
    FAKE short_one = {.scripts = {cut}};

    check_end(&mute, "http://a b/", WHORL_EHTTP_URL, "local",
              "1:start(GET -) 1:end(WHORL_EHTTP_URL)");
    check_end(&refused, "http://a.test/", -ECONNREFUSED, "connect",
              "1:start(GET http://a.test/) 1:open(first) 1:end(ECONNREFUSED)");
    CHECK_STR(trace.end, "connect: a.test:80: connection refused");
    check_end(&slow, "http://a.test/", WHORL_EHTTP_CONNECT_TIMEOUT, "timeout",
              "1:start(GET http://a.test/) 1:open(first) 1:end(WHORL_EHTTP_CONNECT_TIMEOUT)");
    CHECK_EQ(trace.info.total_ns, 10 * MS);
    check_end(&mute, "http://a.test/", WHORL_EHTTP_FIRST_BYTE_TIMEOUT, "timeout",
              TO_HEAD "1:closed(failed) 1:end(WHORL_EHTTP_FIRST_BYTE_TIMEOUT)");
    CHECK(trace.info.sent_head > 50);
    check_end(&wrong, "http://a.test/", WHORL_EHTTP_STATUS_LINE, "protocol",
              TO_HEAD "1:closed(failed) 1:end(WHORL_EHTTP_STATUS_LINE)");
    check_end(&short_one, "http://a.test/", WHORL_EHTTP_TRUNCATED, "connect",
              TO_HEAD "1:response head(200) 1:closed(failed) 1:end(WHORL_EHTTP_TRUNCATED)");
    CHECK_EQ(trace.info.received_body, 2);
}

TEST_VIRTUAL(trace_of_a_cancelled_request_ends)
{
    static const struct fake_step silent[] = {{0}};
    FAKE fake = {.scripts = {silent}};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    struct whorl_scope scope;

    whorl_scope_enter_timeout(&scope, 10 * MS);
    int err = get(session, "http://a.test/");
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_ERR(err, -ECANCELED);
    CHECK_STR(trace.text, TO_HEAD "1:closed(failed) 1:end(ECANCELED)");
}

/* The info */

TEST_VIRTUAL(trace_info_counts_times_and_bytes)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SLEEP, NULL, 30 * MS},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok", 0},
        {FAKE_SLEEP, NULL, 40 * MS},
        {FAKE_SEND, "ok", 0},
        {0}};
    FAKE fake = {.scripts = {script}, .dial_ns = 20 * MS};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    struct whorl_http_response *response;
    struct whorl_http_info info;
    char *body;

    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    whorl_http_response_get_info(response, &info);
    CHECK_EQ(info.total_ns, 50 * MS);
    CHECK_EQ(info.body_ns, -1);
    CHECK_OK(whorl_http_response_read_to_end(response, 100, &body, NULL));
    free(body);
    CHECK_OK(whorl_sleep(MS));
    whorl_http_response_get_info(response, &info);
    CHECK_EQ(info.request, 1);
    CHECK_EQ(info.conn, 1);
    CHECK_EQ(info.queue_ns, -1);
    CHECK_EQ(info.dns_ns, -1);
    CHECK_EQ(info.connect_ns, 20 * MS);
    CHECK_EQ(info.tls_ns, -1);
    CHECK_EQ(info.first_byte_ns, 30 * MS);
    CHECK_EQ(info.body_ns, 40 * MS);
    CHECK_EQ(info.total_ns, 90 * MS);
    CHECK_EQ(info.sent_head, strlen("GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: t\r\n"
                                    "Accept: */*\r\nAccept-Encoding: identity\r\n\r\n"));
    CHECK_EQ(info.sent_body, 0);
    CHECK_EQ(info.received_head, strlen("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"));
    CHECK_EQ(info.received_body, 4);
    CHECK_EQ(info.peer.len, 0);
    CHECK_STR(info.protocol, "HTTP/1.1");
    CHECK(!info.tls_version && !info.tls_suite);
    whorl_http_response_close(response);
    CHECK_EQ(trace.info.total_ns, 90 * MS);
}

TEST_VIRTUAL(an_observer_of_a_request_replaces_the_sessions)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    static struct trace_log own;

    CHECK_OK(run(session, &(struct whorl_http_request){.url = "http://a.test/",
                                                       .observer = trace_log_observer(&own)}));
    CHECK_STR(trace.text, "");
    CHECK_EQ(own.ends, 1);
}

/* Secrets */

#define SECRET "hunter2"

static const struct fake_step secrets[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND,
     "HTTP/1.1 302 Found\r\nLocation: http://u:" SECRET "@b.test/\r\nX-Auth-Token: " SECRET "\r\n"
     "Set-Cookie: sid=" SECRET "; Path=/\r\nX-Session-Id: " SECRET "\r\nETag: \"1\"\r\n"
     "Set-Cookie: " SECRET "\r\nAuthentication-Info: " SECRET "\r\nContent-Length: 0\r\n\r\n",
     0},
    {.action = FAKE_HEAD},
    {FAKE_SEND, OK, 0},
    {0}};

TEST_VIRTUAL(no_event_has_a_secret)
{
    static const struct whorl_http_header headers[] = {
        {"X-Api-Key", SECRET},
        {"PRIVATE-TOKEN", SECRET},
        {"Cookie", "a=" SECRET "; " SECRET "; b=" SECRET},
        {"Accept-Language", "de"},
    };
    FAKE fake = {.scripts = {secrets, hello}};
    WHORL_AUTO(http_session) *session = session_with(
        &fake,
        (struct whorl_http_session_options){.proxy = {.url = "http://p:" SECRET "@p.test:3128"}});
    struct whorl_http_credentials credentials = {
        .user = "anna", .password = SECRET, .preemptive = true};

    CHECK_OK(run(session, &(struct whorl_http_request){.url = "http://a.test/",
                                                       .credentials = &credentials,
                                                       .headers = headers,
                                                       .headers_count = 4}));
    CHECK(!strstr(trace.text, SECRET));
    CHECK(!strstr(trace.heads, SECRET));
    CHECK(!strstr(trace.heads, "YW5uYTpodW50ZXIy")); /* anna:hunter2 */
    CHECK(!strstr(trace.heads, "cDpodW50ZXIy"));     /* p:hunter2 */
    CHECK(strstr(trace.heads, "Authorization: Basic ***\r\n"));
    CHECK(strstr(trace.heads, "X-Api-Key: ***\r\n"));
    CHECK(strstr(trace.heads, "Cookie: a=***;***; b=***\r\n"));
    CHECK(strstr(trace.heads, "Accept-Language: de\r\n"));
    CHECK(strstr(trace.heads, "Location: http://***@b.test/\r\n"));
    CHECK(strstr(trace.heads, "Set-Cookie: sid=***; Path=/\r\n"));
    CHECK(strstr(trace.heads, "Set-Cookie: ***\r\n"));
    CHECK(strstr(trace.heads, "ETag: \"1\"\r\n"));
}

TEST_VIRTUAL(no_event_has_the_bearer_token_or_the_secret_in_the_url)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    static const struct whorl_http_header bearer[] = {{"Authorization", "Bearer " SECRET}},
                                          bare[] = {{"Authorization", SECRET}};

    CHECK_OK(get(session, "http://anna:" SECRET "@a.test/"));
    CHECK_OK(run(session, &(struct whorl_http_request){
                              .url = "http://a.test/", .headers = bearer, .headers_count = 1}));
    CHECK_OK(run(session, &(struct whorl_http_request){
                              .url = "http://a.test/", .headers = bare, .headers_count = 1}));
    CHECK(!strstr(trace.text, SECRET));
    CHECK(!strstr(trace.heads, SECRET));
    CHECK(!strstr(trace.heads, "YW5uYTpodW50ZXIy"));
    CHECK(strstr(trace.heads, "Authorization: Bearer ***\r\n"));
    CHECK(strstr(trace.heads, "Authorization: ***\r\n"));
}

/* Shortage */

static int watched_get(void *arg)
{
    FAKE fake = {.scripts = {hello}};
    struct whorl_http_session_options options = {.dialer = fake_dialer(&fake),
                                                 .observer = trace_log_observer(&trace)};
    WHORL_AUTO(http_session) *session = NULL;

    (void)arg;
    trace_log_clear(&trace);
    int err = whorl_http_session_create(&options, &session);
    if (err)
        return err;
    err = get(session, "http://a.test/");
    CHECK(trace.ends == 1 || err == -ENOMEM);
    return err;
}

static int watched_get_in_run(void *arg)
{
    return whorl_run_virtual(NULL, watched_get, arg);
}

TEST(a_watched_request_survives_every_failed_allocation)
{
    CHECK(faults_sweep(watched_get_in_run, NULL) > 10);
}

TEST_MAIN()
