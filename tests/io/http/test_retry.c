/* SPDX-License-Identifier: MIT */
/* The one safe retry: a kept connection closes before the first byte of the response. */
#include <stdlib.h>

#include <whorl/http.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "memstream.h"
#include "test.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

/* The first request is answered. During the second one the connection closes after the request's
 * head has arrived. */
static const struct fake_step dies[] = {
    {.action = FAKE_HEAD}, {FAKE_SEND, OK "ab", 0}, {.action = FAKE_HEAD}, {.action = FAKE_CLOSE}};
static const struct fake_step resets[] = {
    {.action = FAKE_HEAD}, {FAKE_SEND, OK "ab", 0}, {.action = FAKE_HEAD}, {.action = FAKE_RESET}};
static const struct fake_step lives[] = {
    {.action = FAKE_HEAD}, {FAKE_SEND, OK "cd", 0}, {.action = FAKE_REPEAT}};

static struct whorl_error error; /* error of the last try() */

static WHORL_SUSPENDS int try(struct whorl_http_session *session,
                              const struct whorl_http_request *request, const char *expected,
                              struct whorl_http_timing *ret_timing)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *body = NULL;
    error = (struct whorl_error){0};
    int err = whorl_http_do(session, request, &error, &response);
    if (err)
        return err;
    CHECK_OK(whorl_http_response_read_to_end(response, 100, &body, NULL));
    CHECK_STR(body, expected);
    free(body);
    if (ret_timing)
        whorl_http_response_get_timing(response, ret_timing);
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void warm_up(struct whorl_http_session *session)
{
    struct whorl_http_request request = {.url = "http://a.test/"};
    CHECK_OK(try(session, &request, "ab", NULL));
}

/* Sends `request` over a connection that was used before and ends by the script `death`. */
static WHORL_SUSPENDS int after_death(const struct fake_step *death,
                                      const struct whorl_http_request *request, int *ret_dialled)
{
    FAKE fake = {.scripts = {death, lives}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_timing timing;
    struct whorl_http_session_stats stats;

    warm_up(session);
    int err = try(session, request, "cd", &timing);
    if (err == 0) {
        CHECK_EQ(timing.retries, 1);
        CHECK(!timing.reused);
        CHECK_EQ(error.code, 0);
    }
    whorl_http_session_get_stats(session, &stats);
    CHECK_EQ(stats.open, err ? 0 : 1);
    *ret_dialled = fake.dialled;
    return err;
}

TEST_VIRTUAL(a_kept_connection_found_dead_is_replaced_once)
{
    struct whorl_http_request request = {.url = "http://a.test/"};
    int dialled;
    CHECK_OK(after_death(dies, &request, &dialled));
    CHECK_EQ(dialled, 2);
    CHECK_OK(after_death(resets, &request, &dialled));
    CHECK_EQ(dialled, 2);
}

TEST_VIRTUAL(a_body_from_memory_is_sent_again)
{
    struct whorl_http_request request = {
        .url = "http://a.test/", .method = "PUT", .body = {.data = "xyz", .len = 3}};
    static const struct fake_step takes[] = {{FAKE_HEAD, "Content-Length: 3\r\n", 0},
                                             {FAKE_EXPECT, "xyz", 0},
                                             {FAKE_SEND, OK "cd", 0},
                                             {0}};
    FAKE fake = {.scripts = {dies, takes}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    warm_up(session);
    CHECK_OK(try(session, &request, "cd", NULL));
    CHECK_EQ(fake.dialled, 2);
}

struct source {
    int read, rewound;
    int rewind_err;
};

static WHORL_SUSPENDS ssize_t give(void *arg, void *buf, size_t len)
{
    struct source *source = arg;
    CHECK(len >= 3);
    memcpy(buf, "xyz", 3);
    source->read++;
    return 3;
}

static int rewind_source(void *arg)
{
    ((struct source *)arg)->rewound++;
    return ((struct source *)arg)->rewind_err;
}

TEST_VIRTUAL(a_body_from_a_callback_is_sent_again_only_when_it_can_be_rewound)
{
    struct source source = {0};
    struct whorl_http_request request = {
        .url = "http://a.test/",
        .method = "PUT",
        .body = {.read = give, .rewind = rewind_source, .len = 3, .arg = &source}};
    int dialled;
    CHECK_OK(after_death(resets, &request, &dialled));
    CHECK_EQ(source.rewound, 1);
    CHECK_EQ(source.read, 2);

    source = (struct source){.rewind_err = -ESPIPE};
    CHECK_ERR(after_death(resets, &request, &dialled), -ESPIPE);

    request.body.rewind = NULL;
    CHECK(after_death(resets, &request, &dialled) < 0);
    CHECK_EQ(dialled, 1);
}

TEST_VIRTUAL(what_is_not_idempotent_is_not_sent_twice)
{
    struct whorl_http_request request = {
        .url = "http://a.test/", .method = "POST", .body = {.data = "xyz", .len = 3}};
    int dialled;
    CHECK_ERR(after_death(dies, &request, &dialled), WHORL_EHTTP_NO_RESPONSE);
    CHECK_EQ(dialled, 1);
    CHECK_STR(error.step, "response");
    request.method = "PATCH";
    CHECK_ERR(after_death(dies, &request, &dialled), WHORL_EHTTP_NO_RESPONSE);
    request.method = "DELETE";
    CHECK_OK(after_death(dies, &request, &dialled));
}

TEST_VIRTUAL(a_fresh_connection_that_dies_is_not_retried)
{
    static const struct fake_step closes[] = {{.action = FAKE_HEAD}, {.action = FAKE_CLOSE}};
    FAKE fake = {.scripts = {closes, lives}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_request request = {.url = "http://a.test/"};
    CHECK_ERR(try(session, &request, "", NULL), WHORL_EHTTP_NO_RESPONSE);
    CHECK_EQ(fake.dialled, 1);
}

TEST_VIRTUAL(the_retry_is_not_retried)
{
    static const struct fake_step closes[] = {{.action = FAKE_HEAD}, {.action = FAKE_CLOSE}};
    FAKE fake = {.scripts = {dies, closes, lives}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_request request = {.url = "http://a.test/"};
    warm_up(session);
    CHECK_ERR(try(session, &request, "", NULL), WHORL_EHTTP_NO_RESPONSE);
    CHECK_EQ(fake.dialled, 2);
}

TEST_VIRTUAL(a_request_that_got_an_interim_response_is_not_retried)
{
    static const struct fake_step begins[] = {{.action = FAKE_HEAD},
                                              {FAKE_SEND, OK "ab", 0},
                                              {.action = FAKE_HEAD},
                                              {FAKE_SEND, "HTTP/1.1 103 Early Hints\r\n\r\n", 0},
                                              {.action = FAKE_CLOSE}};
    struct whorl_http_request request = {.url = "http://a.test/"};
    int dialled;
    CHECK_ERR(after_death(begins, &request, &dialled), WHORL_EHTTP_TRUNCATED);
    CHECK_EQ(dialled, 1);
}

TEST_VIRTUAL_HTTP1(a_response_that_has_begun_is_not_retried)
{
    static const struct fake_step begins[] = {{.action = FAKE_HEAD},
                                              {FAKE_SEND, OK "ab", 0},
                                              {.action = FAKE_HEAD},
                                              {FAKE_SEND, "H", 0},
                                              {.action = FAKE_CLOSE}};
    struct whorl_http_request request = {.url = "http://a.test/"};
    int dialled;
    CHECK_ERR(after_death(begins, &request, &dialled), WHORL_EHTTP_TRUNCATED);
    CHECK_EQ(dialled, 1);
    static const struct fake_step begins_and_resets[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, OK "ab", 0},         {.action = FAKE_HEAD},
        {FAKE_SEND, "H", 0},   {.action = FAKE_SLEEP, .n = 10}, {.action = FAKE_RESET}};
    CHECK_ERR(after_death(begins_and_resets, &request, &dialled), -ECONNRESET);
    CHECK_EQ(dialled, 1);
}

/* A TLS stream that ends without close_notify before the response counts as closed. */
static void end_rudely(struct fake *fake, struct whorl_stream *client, struct whorl_stream *server)
{
    (void)fake, (void)client;
    memstream_fail(server, 0, WHORL_ETLS_TRUNCATED);
}

TEST_VIRTUAL(a_rude_close_before_the_response_is_a_close)
{
    FAKE fake = {.scripts = {lives}, .on_dial = end_rudely};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_request request = {.url = "http://a.test/"};
    CHECK_ERR(try(session, &request, "", NULL), WHORL_EHTTP_NO_RESPONSE);
}

TEST_VIRTUAL(a_timeout_is_not_retried)
{
    static const struct fake_step sleeps[] = {{.action = FAKE_HEAD},
                                              {FAKE_SEND, OK "ab", 0},
                                              {.action = FAKE_HEAD},
                                              {.action = FAKE_SLEEP, .n = WHORL_HOUR}};
    struct whorl_http_request request = {.url = "http://a.test/"};
    int dialled;
    CHECK_ERR(after_death(sleeps, &request, &dialled), WHORL_EHTTP_FIRST_BYTE_TIMEOUT);
    CHECK_EQ(dialled, 1);
}

/* A server closes idle connections. The client notices this before it sends the request, so even a
 * POST is not affected, and it does not count as a retry. */
TEST_VIRTUAL(a_connection_closed_while_idle_costs_nobody_anything)
{
    static const struct fake_step closes[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, OK "ab", 0}, {.action = FAKE_CLOSE}};
    FAKE fake = {.scripts = {closes, lives}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_request request = {
        .url = "http://a.test/", .method = "POST", .body = {.data = "xyz", .len = 3}};
    struct whorl_http_timing timing;
    warm_up(session);
    CHECK_OK(whorl_yield());
    fake_settle();
    CHECK_OK(try(session, &request, "cd", &timing));
    CHECK_EQ(timing.retries, 0);
    CHECK_EQ(fake.dialled, 2);
}

/* The retry keeps its place: it does not queue again and does not exceed the limit. */
TEST_VIRTUAL(a_retry_stays_within_the_caps)
{
    FAKE fake = {.scripts = {dies, lives}};
    struct whorl_http_session_options options = {.conns_max = 1,
                                                 .conns_per_host_max = 1,
                                                 .dialer = fake_dialer(&fake),
                                                 .version = fake_version()};
    WHORL_AUTO(http_session) *session = NULL;
    CHECK_OK(whorl_http_session_create(&options, &session));
    struct whorl_http_request request = {.url = "http://a.test/"};
    struct whorl_http_timing timing;
    warm_up(session);
    CHECK_OK(try(session, &request, "cd", &timing));
    CHECK_EQ(timing.retries, 1);
    CHECK_EQ(timing.queue_ns, -1);
}

TEST_MAIN()
