/* SPDX-License-Identifier: MIT */
/* The time limit of each stage, on a virtual clock. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/scope.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "memstream.h"
#include "test.h"

#define S WHORL_SECOND

static struct whorl_error error;

static struct whorl_http_session *session_of(struct fake *fake, struct whorl_http_timeouts timeouts)
{
    return fake_session_with(fake, (struct whorl_http_session_options){.conns_per_host_max = 1,
                                                                       .streams_max = 1,
                                                                       .timeouts = timeouts});
}

/* Fetches and reads everything. Checks that the error came after `after` and names `step`. */
static WHORL_SUSPENDS_SHIELDED void check_fails(struct fake *fake,
                                                struct whorl_http_timeouts timeouts, int code,
                                                int64_t after, const char *step)
{
    WHORL_AUTO(http_session) *session = session_of(fake, timeouts);
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {.url = "http://a.test/"};
    struct whorl_http_session_stats stats;
    int64_t start = whorl_now();
    char *body = NULL;

    int err = whorl_http_do(session, &request, &error, &response);
    if (err == 0) {
        err = whorl_http_response_read_to_end(response, 1 << 20, &body, NULL);
        error = *whorl_http_response_error(response);
    }
    CHECK_ERR(err, code);
    CHECK_EQ(whorl_now() - start, after);
    CHECK_EQ(error.code, code);
    CHECK_STR(error.step, step);
    whorl_http_session_get_stats(session, &stats);
    /* With HTTP/2, the connection may be kept. */
    CHECK_EQ(stats.open, fake_is_http2() ? stats.idle : 0);
    CHECK_OK(whorl_check_cancelled());
    fake_finish(fake);
}

static const struct fake_step mute[] = {{.action = FAKE_HEAD}, {0}};

TEST_VIRTUAL(the_defaults_are_as_documented)
{
    struct whorl_http_timeouts none = {0};
    check_fails(&(struct fake){.scripts = {mute}, .dial_ns = WHORL_HOUR}, none,
                WHORL_EHTTP_CONNECT_TIMEOUT, 30 * S, "connect");
    check_fails(&(struct fake){.scripts = {mute}}, none, WHORL_EHTTP_FIRST_BYTE_TIMEOUT, 60 * S,
                "response");
    CHECK_STR(error.text, "a.test:80: no answer within 60 s (first-byte limit)");
    static const struct fake_step stalls[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", 0},
        {0}};
    check_fails(&(struct fake){.scripts = {stalls}}, none, WHORL_EHTTP_STALL_TIMEOUT, 60 * S,
                "body");
    CHECK_STR(error.text, "a.test:80: nothing moved for 60 s (stall limit), after 1 of 2 bytes");
}

TEST_VIRTUAL(connecting_has_its_limit)
{
    FAKE fake = {.scripts = {mute}, .dial_ns = WHORL_HOUR};
    check_fails(&fake, (struct whorl_http_timeouts){.connect_ns = 3 * S},
                WHORL_EHTTP_CONNECT_TIMEOUT, 3 * S, "connect");
    CHECK_STR(error.text, "a.test:80: not connected within 3 s (connect limit)");
    CHECK_EQ(fake.dialled, 0);
}

TEST_VIRTUAL(a_dialers_own_timeout_is_not_ours)
{
    FAKE fake = {.scripts = {mute}, .dial_err = -ETIMEDOUT};
    check_fails(&fake, (struct whorl_http_timeouts){0}, -ETIMEDOUT, 0, "connect");
}

TEST_VIRTUAL(the_first_byte_has_its_limit_and_connecting_does_not_count)
{
    FAKE fake = {.scripts = {mute}, .dial_ns = 20 * S};
    check_fails(&fake, (struct whorl_http_timeouts){.first_byte_ns = 7 * S, .stall_ns = S},
                WHORL_EHTTP_FIRST_BYTE_TIMEOUT, 27 * S, "response");
}

TEST_VIRTUAL_HTTP1(a_head_that_stalls_is_a_stall)
{
    static const struct fake_step script[] = {{.action = FAKE_HEAD},
                                              {.action = FAKE_SLEEP, .n = 5 * S},
                                              {FAKE_SEND, "HTTP/1.1 2", 0},
                                              {0}};
    check_fails(&(struct fake){.scripts = {script}},
                (struct whorl_http_timeouts){.first_byte_ns = 7 * S, .stall_ns = 3 * S},
                WHORL_EHTTP_STALL_TIMEOUT, 8 * S, "response");
}

TEST_VIRTUAL(a_slow_body_that_moves_does_not_stall)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", 0},
        {.action = FAKE_SLEEP, .n = 2 * S},
        {FAKE_SEND, "a", 0},
        {.action = FAKE_SLEEP, .n = 2 * S},
        {FAKE_SEND, "b", 0},
        {.action = FAKE_SLEEP, .n = 2 * S},
        {FAKE_SEND, "c", 0},
        {.action = FAKE_SLEEP, .n = 4 * S},
        {FAKE_SEND, "d", 0},
        {0}};
    check_fails(&(struct fake){.scripts = {script}},
                (struct whorl_http_timeouts){.stall_ns = 3 * S}, WHORL_EHTTP_STALL_TIMEOUT, 9 * S,
                "body");
}

/* An interim response shows that the server is alive, so the wait for the final response gets the
 * full time again. */
TEST_VIRTUAL(the_wait_for_the_final_head_restarts_after_an_interim_one)
{
    static const struct fake_step script[] = {{.action = FAKE_HEAD},
                                              {.action = FAKE_SLEEP, .n = 5 * S},
                                              {FAKE_SEND, "HTTP/1.1 102 Processing\r\n\r\n", 0},
                                              {0}};
    check_fails(&(struct fake){.scripts = {script}},
                (struct whorl_http_timeouts){.first_byte_ns = 7 * S, .stall_ns = S},
                WHORL_EHTTP_FIRST_BYTE_TIMEOUT, 12 * S, "response");
}

TEST_VIRTUAL(the_whole_exchange_has_its_limit_in_every_stage)
{
    struct whorl_http_timeouts total = {.total_ns = 4 * S};
    static const struct fake_step trickles[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
        {FAKE_SEND, "1\r\na\r\n", 0},
        {.action = FAKE_SLEEP, .n = S},
        {FAKE_SEND, "1\r\na\r\n", 0},
        {.action = FAKE_SLEEP, .n = S},
        {FAKE_SEND, "1\r\na\r\n", 0},
        {.action = FAKE_SLEEP, .n = S},
        {FAKE_SEND, "1\r\na\r\n", 0},
        {.action = FAKE_SLEEP, .n = S},
        {FAKE_SEND, "1\r\na\r\n", 0},
        {.action = FAKE_SLEEP, .n = S},
        {FAKE_SEND, "1\r\na\r\n", 0},
        {0}};
    check_fails(&(struct fake){.scripts = {mute}, .dial_ns = WHORL_HOUR}, total,
                WHORL_EHTTP_TOTAL_TIMEOUT, 4 * S, "connect");
    check_fails(&(struct fake){.scripts = {mute}, .dial_ns = 3 * S}, total,
                WHORL_EHTTP_TOTAL_TIMEOUT, 4 * S, "response");
    check_fails(&(struct fake){.scripts = {trickles}}, total, WHORL_EHTTP_TOTAL_TIMEOUT, 4 * S,
                "body");
    static const struct fake_step loops[] = {
        {.action = FAKE_HEAD},
        {.action = FAKE_SLEEP, .n = S},
        {FAKE_SEND, "HTTP/1.1 302 F\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 0},
        {.action = FAKE_REPEAT}};
    check_fails(&(struct fake){.scripts = {loops}}, total, WHORL_EHTTP_TOTAL_TIMEOUT, 4 * S,
                "response");
}

static const struct fake_step slow[] = {
    {.action = FAKE_HEAD},
    {.action = FAKE_SLEEP, .n = 10 * S},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0},
    {.action = FAKE_REPEAT}};

struct job {
    struct whorl_http_session *session;
    struct whorl_http_timeouts timeouts;
};

static int one(void *arg)
{
    const struct job *job = arg;
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {.url = "http://a.test/", .timeouts = job->timeouts};
    int64_t start = whorl_now();
    struct whorl_http_timing timing;
    int err = whorl_http_do(job->session, &request, NULL, &response);
    if (err == 0)
        whorl_http_response_get_timing(response, &timing);
    test_log("%s@%d/%d", err ? whorl_error_name(err) : "ok", (int)((whorl_now() - start) / S),
             err || timing.queue_ns < 0 ? -1 : (int)(timing.queue_ns / S));
    return 0;
}

TEST_VIRTUAL(queueing_counts_only_against_its_own_limit)
{
    FAKE fake = {.scripts = {slow}};
    WHORL_AUTO(http_session) *session = session_of(&fake, (struct whorl_http_timeouts){0});
    /* None of these limits allows a wait of 20 s and an exchange of 10 s together. */
    struct job tight = {.session = session,
                        .timeouts = {.first_byte_ns = 11 * S, .stall_ns = S, .total_ns = 11 * S}};
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, one, &tight));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "ok@10/-1 ok@20/10 ok@30/20");
}

TEST_VIRTUAL(the_queue_has_its_limit)
{
    FAKE fake = {.scripts = {slow}};
    WHORL_AUTO(http_session) *session = session_of(&fake, (struct whorl_http_timeouts){0});
    struct job patient = {.session = session};
    struct job impatient = {.session = session, .timeouts = {.queue_ns = 15 * S}};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, one, &patient));
    CHECK_OK(whorl_spawn(&group, one, &patient));
    CHECK_OK(whorl_spawn(&group, one, &impatient));
    CHECK_OK(whorl_spawn(&group, one, &patient));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "ok@10/-1 WHORL_EHTTP_QUEUE_TIMEOUT@15/-1 ok@20/10 ok@30/20");
}

/* The peer does not read, so the write stalls. */
TEST_VIRTUAL(writes_stall_too)
{
    static char body[1 << 20];
    static const struct fake_step deaf[] = {
        {.action = FAKE_HEAD}, {.action = FAKE_SLEEP, .n = WHORL_HOUR}, {0}};
    FAKE fake = {.scripts = {deaf}, .capacity = 4096};
    WHORL_AUTO(http_session) *session =
        session_of(&fake, (struct whorl_http_timeouts){.stall_ns = 5 * S});
    struct whorl_http_request request = {
        .url = "http://a.test/", .method = "PUT", .body = {.data = body, .len = sizeof body}};
    struct whorl_http_response *response;
    int64_t start = whorl_now();

    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_STALL_TIMEOUT);
    CHECK_EQ(whorl_now() - start, 5 * S);
    CHECK_STR(error.step, "send");
}

/* The server's time starts when it has the whole request, however long the sending took. */
TEST_VIRTUAL(the_first_byte_is_waited_for_from_the_last_byte_sent)
{
    static char body[300000];
    static const struct fake_step slow_reader[] = {{.action = FAKE_HEAD},
                                                   {.action = FAKE_READ, .n = 100000},
                                                   {.action = FAKE_SLEEP, .n = 50 * S},
                                                   {.action = FAKE_READ, .n = 100000},
                                                   {.action = FAKE_SLEEP, .n = 50 * S},
                                                   {.action = FAKE_READ, .n = 100000},
                                                   {.action = FAKE_SLEEP, .n = WHORL_HOUR},
                                                   {0}};
    FAKE fake = {.scripts = {slow_reader}, .capacity = 4096};
    WHORL_AUTO(http_session) *session =
        session_of(&fake, (struct whorl_http_timeouts){.first_byte_ns = 7 * S});
    struct whorl_http_request request = {
        .url = "http://a.test/", .method = "PUT", .body = {.data = body, .len = sizeof body}};
    struct whorl_http_response *response;
    int64_t start = whorl_now();

    CHECK_ERR(whorl_http_do(session, &request, &error, &response), WHORL_EHTTP_FIRST_BYTE_TIMEOUT);
    CHECK_EQ(whorl_now() - start, 107 * S);
    CHECK_STR(error.step, "response");
}

/* --- the minimum speed --- */

/* A body of 40 bytes, 10 at a time, with a pause before each part. */
#define SLOW_BODY(pause)                                                                    \
    {.action = FAKE_HEAD}, {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n", 0}, \
        {.action = FAKE_SLEEP, .n = (pause)}, {FAKE_SEND, "0123456789", 0},                 \
        {.action = FAKE_SLEEP, .n = (pause)}, {FAKE_SEND, "0123456789", 0},                 \
        {.action = FAKE_SLEEP, .n = (pause)}, {FAKE_SEND, "0123456789", 0},                 \
        {.action = FAKE_SLEEP, .n = (pause)},                                               \
    {                                                                                       \
        FAKE_SEND, "0123456789", 0                                                          \
    }

TEST_VIRTUAL(a_body_slower_than_the_minimum_speed_fails)
{
    static const struct fake_step crawls[] = {SLOW_BODY(4 * S), {0}};
    struct whorl_http_timeouts five = {.speed_min = 5, .speed_ns = 10 * S};

    check_fails(&(struct fake){.scripts = {crawls}}, five, WHORL_EHTTP_SPEED_TIMEOUT, 10 * S,
                "body");
    CHECK_STR(error.text,
              "a.test:80: slower than 5 bytes/s for 10 s (minimum speed), after 20 of 40 bytes");
    CHECK_EQ(whorl_error_classify(&error), WHORL_CLASS_TIMEOUT);
    /* The stall limit may end first. */
    five.stall_ns = 3 * S;
    check_fails(&(struct fake){.scripts = {crawls}}, five, WHORL_EHTTP_STALL_TIMEOUT, 3 * S,
                "body");
}

TEST_VIRTUAL(the_window_of_the_minimum_speed_has_a_default)
{
    static const struct fake_step crawls[] = {SLOW_BODY(11 * S), {0}};
    check_fails(&(struct fake){.scripts = {crawls}}, (struct whorl_http_timeouts){.speed_min = 1},
                WHORL_EHTTP_SPEED_TIMEOUT, 30 * S, "body");
}

TEST_VIRTUAL(a_body_with_the_minimum_speed_arrives)
{
    /* 10 bytes in 4 s, and 20 must move in each 8 s. */
    static const struct fake_step steps[] = {SLOW_BODY(4 * S), {.action = FAKE_REPEAT}};
    FAKE fake = {.scripts = {steps}};
    WHORL_AUTO(http_session) *session =
        session_of(&fake, (struct whorl_http_timeouts){.speed_min = 2, .speed_ns = 10 * S});
    WHORL_AUTO(http_response) *response = NULL;
    char *body;

    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    CHECK_OK(whorl_http_response_read_to_end(response, 100, &body, NULL));
    CHECK_EQ(strlen(body), 40);
    free(body);
}

/* The time that the caller takes between two reads is not the server's. */
TEST_VIRTUAL(a_slow_reader_is_not_a_slow_server)
{
    static const struct fake_step steps[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 0},
        {FAKE_SEND, "a", 0},   {.action = FAKE_SLEEP, .n = 4 * S},
        {FAKE_SEND, "b", 0},   {.action = FAKE_SLEEP, .n = 4 * S},
        {FAKE_SEND, "c", 0},   {0}};
    FAKE fake = {.scripts = {steps}};
    WHORL_AUTO(http_session) *session =
        session_of(&fake, (struct whorl_http_timeouts){.speed_min = 100, .speed_ns = S});
    WHORL_AUTO(http_response) *response = NULL;
    char byte;

    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_sleep(5 * S));
        CHECK_EQ(whorl_http_response_read(response, &byte, 1), 1);
        CHECK_EQ(byte, "abc"[i]);
    }
}

/* The peer reads 1,000 bytes every second. */
static const struct fake_step sips[] = {
    {.action = FAKE_HEAD},
    {.action = FAKE_READ, .n = 1000},
    {.action = FAKE_SLEEP, .n = S},
    {.action = FAKE_READ, .n = 1000},
    {.action = FAKE_SLEEP, .n = S},
    {.action = FAKE_READ, .n = 1000},
    {.action = FAKE_SLEEP, .n = S},
    {.action = FAKE_READ, .n = 1000},
    {.action = FAKE_SLEEP, .n = S},
    {.action = FAKE_READ, .n = 1000},
    {.action = FAKE_SLEEP, .n = S},
    {.action = FAKE_READ, .n = 1000},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0},
    {0}};

static WHORL_SUSPENDS int put_slowly(const struct fake_step *steps, int64_t speed_min)
{
    static char body[6000];
    FAKE fake = {.scripts = {steps}, .capacity = 200};
    WHORL_AUTO(http_session) *session =
        session_of(&fake, (struct whorl_http_timeouts){.speed_min = speed_min, .speed_ns = 3 * S});
    struct whorl_http_request request = {
        .url = "http://a.test/", .method = "PUT", .body = {.data = body, .len = sizeof body}};
    WHORL_AUTO(http_response) *response = NULL;
    int err = whorl_http_do(session, &request, &error, &response);
    return err ? err : whorl_http_response_status(response);
}

/* With HTTP/2, the first window takes the whole body. */
TEST_VIRTUAL_HTTP1(a_peer_that_takes_the_body_too_slowly_fails)
{
    int64_t start = whorl_now();

    CHECK_EQ(put_slowly(sips, 600), 200);
    CHECK_EQ(whorl_now() - start, 5 * S);
    start = whorl_now();
    CHECK_ERR(put_slowly(sips, 1500), WHORL_EHTTP_SPEED_TIMEOUT);
    CHECK_EQ(whorl_now() - start, 3 * S);
    CHECK_STR(error.step, "send");
}

TEST_VIRTUAL(an_outer_deadline_is_not_one_of_ours)
{
    FAKE fake = {.scripts = {mute}};
    WHORL_AUTO(http_session) *session = session_of(&fake, (struct whorl_http_timeouts){0});
    struct whorl_http_request request = {.url = "http://a.test/"};
    struct whorl_http_response *response;
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(2 * S));
    int err = whorl_http_do(session, &request, &error, &response);
    CHECK_ERR(err, -ECANCELED);
    CHECK_EQ(error.code, -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
}

TEST_VIRTUAL(forever_means_no_limit)
{
    static const struct fake_step patient[] = {
        {.action = FAKE_HEAD},
        {.action = FAKE_SLEEP, .n = 10 * WHORL_HOUR},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 0},
        {.action = FAKE_SLEEP, .n = 10 * WHORL_HOUR},
        {FAKE_SEND, "hi", 0},
        {0}};
    FAKE fake = {.scripts = {patient}, .dial_ns = 10 * WHORL_HOUR};
    struct whorl_http_timeouts forever = {
        .connect_ns = WHORL_FOREVER, .first_byte_ns = WHORL_FOREVER, .stall_ns = WHORL_FOREVER};
    WHORL_AUTO(http_session) *session = session_of(&fake, forever);
    WHORL_AUTO(http_response) *response = NULL;
    char *body;
    CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
    CHECK_OK(whorl_http_response_read_to_end(response, 10, &body, NULL));
    CHECK_STR(body, "hi");
    free(body);
}

TEST_MAIN()
