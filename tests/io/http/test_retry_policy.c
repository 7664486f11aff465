/* SPDX-License-Identifier: MIT */
/* Retries that follow a policy: what is retried, after which pauses, and when they end. (What is
 * temporary is tested in tools/test_get_retry.c, too.) */
#include <stdlib.h>

#include <whorl.h>

#include "fakehttp.h"
#include "memstream.h"
#include "runtime/park_hook.h"
#include "test.h"

static struct whorl_error error;

/* --- the policy --- */

TEST(pauses_double_within_their_bounds)
{
    struct whorl_http_retry_policy policy = {
        .attempts_max = 10, .first_ns = WHORL_SECOND, .longest_ns = 5 * WHORL_SECOND};
    static const int64_t bounds[] = {1, 2, 4, 5, 5, 5};

    for (int attempts = 1; attempts <= 6; attempts++) {
        int64_t bound = bounds[attempts - 1] * WHORL_SECOND;
        CHECK_EQ(whorl_http_retry_pause(&policy, attempts, -1, 0), bound / 2);
        CHECK_EQ(whorl_http_retry_pause(&policy, attempts, -1, (uint64_t)(bound / 2)), bound);
        for (uint64_t random = 1; random < UINT64_MAX / 3; random *= 3) {
            int64_t pause = whorl_http_retry_pause(&policy, attempts, -1, random);
            CHECK(pause >= bound / 2 && pause <= bound);
        }
    }
}

TEST(pauses_end_with_the_attempts)
{
    struct whorl_http_retry_policy policy = {0};

    CHECK(whorl_http_retry_pause(NULL, 3, -1, 7) > 0);
    CHECK(whorl_http_retry_pause(&policy, 3, -1, 7) > 0);
    CHECK_EQ(whorl_http_retry_pause(&policy, 4, -1, 7), -1);
    policy.attempts_max = 1;
    CHECK_EQ(whorl_http_retry_pause(&policy, 1, -1, 7), -1);
    policy.attempts_max = 1001;
    policy.longest_ns = INT64_MAX;
    CHECK(whorl_http_retry_pause(&policy, 1000, -1, UINT64_MAX) > 0);
}

TEST(a_pause_is_never_shorter_than_the_server_asks_and_never_longer_than_accepted)
{
    struct whorl_http_retry_policy policy = {.first_ns = WHORL_SECOND,
                                             .longest_ns = 5 * WHORL_SECOND,
                                             .retry_after_max_ns = WHORL_MINUTE};

    CHECK_EQ(whorl_http_retry_pause(&policy, 1, 7 * WHORL_SECOND, 1), 7 * WHORL_SECOND);
    CHECK_EQ(whorl_http_retry_pause(&policy, 1, 0, 0), WHORL_SECOND / 2);
    CHECK_EQ(whorl_http_retry_pause(&policy, 1, WHORL_MINUTE, 1), WHORL_MINUTE);
    CHECK_EQ(whorl_http_retry_pause(&policy, 1, WHORL_MINUTE + 1, 1), -1);
    CHECK_EQ(whorl_http_retry_pause(&policy, 1, INT64_MAX, 1), -1);
}

/* --- requests --- */

#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"

static const struct fake_step fails_twice[] = {{.action = FAKE_HEAD},
                                               {FAKE_SEND, BUSY, 0},
                                               {.action = FAKE_HEAD},
                                               {FAKE_SEND, BUSY, 0},
                                               {.action = FAKE_HEAD},
                                               {FAKE_SEND, GOOD, 0},
                                               {0}};

static const struct fake_step always_busy[] = {
    {.action = FAKE_HEAD}, {FAKE_SEND, BUSY, 0}, {.action = FAKE_REPEAT}};

/* Sends the request. Returns the status or an error, and how long it took. */
static WHORL_SUSPENDS int run(struct fake *fake, struct whorl_http_request request,
                              const struct whorl_http_retry_policy *policy, int64_t *ret_took_ns)
{
    WHORL_AUTO(http_session) *session = fake_session(fake);
    WHORL_AUTO(http_response) *response = NULL;
    int64_t start_ns = whorl_now();

    request.url = request.url ? request.url : "http://a.test/";
    error = (struct whorl_error){0};
    int err = whorl_http_do_with_retries(session, &request, policy, &error, &response);
    *ret_took_ns = whorl_now() - start_ns;
    CHECK(err == 0 || error.code == err);
    return err ? err : whorl_http_response_status(response);
}

TEST_VIRTUAL(a_busy_server_is_asked_again_on_the_same_connection)
{
    FAKE fake = {.scripts = {fails_twice}};
    int64_t took_ns;

    CHECK_EQ(run(&fake, (struct whorl_http_request){0}, NULL, &took_ns), 200);
    CHECK_EQ(fake.dialled, 1);
    CHECK(took_ns >= 750 * WHORL_MILLISECOND && took_ns <= 1500 * WHORL_MILLISECOND);
}

TEST_VIRTUAL(the_last_response_is_returned_when_the_attempts_are_used_up)
{
    struct whorl_http_retry_policy policy = {.attempts_max = 6};
    FAKE fake = {.scripts = {always_busy}};
    int64_t took_ns;

    CHECK_EQ(run(&fake, (struct whorl_http_request){0}, &policy, &took_ns), 503);
    /* 0.5 + 1 + 2 + 4 + 8 s, or half of that */
    CHECK(took_ns >= 7750 * WHORL_MILLISECOND && took_ns <= 15500 * WHORL_MILLISECOND);
    policy.attempts_max = 1;
    CHECK_EQ(run(&fake, (struct whorl_http_request){0}, &policy, &took_ns), 503);
    CHECK_EQ(took_ns, 0);
}

TEST_VIRTUAL(pauses_differ_from_request_to_request_and_repeat_with_the_run)
{
    static int64_t first_run[4];
    for (int i = 0; i < 4; i++) {
        FAKE fake = {.scripts = {fails_twice}};
        CHECK_EQ(run(&fake, (struct whorl_http_request){0}, NULL, &first_run[i]), 200);
        for (int j = 0; j < i; j++)
            CHECK(first_run[i] != first_run[j]);
    }
}

TEST_VIRTUAL(connections_that_break_are_retried)
{
    static const struct fake_step breaks[] = {{.action = FAKE_HEAD}, {.action = FAKE_RESET}};
    static const struct fake_step good[] = {{.action = FAKE_HEAD}, {FAKE_SEND, GOOD, 0}, {0}};
    FAKE fake = {.scripts = {breaks, breaks, good}};
    int64_t took_ns;

    CHECK_EQ(run(&fake, (struct whorl_http_request){0}, NULL, &took_ns), 200);
    CHECK_EQ(fake.dialled, 3);
    FAKE refuses = {.dial_err = -ECONNREFUSED};
    CHECK_ERR(run(&refuses, (struct whorl_http_request){0}, NULL, &took_ns), -ECONNREFUSED);
    CHECK(took_ns >= 1750 * WHORL_MILLISECOND);
    FAKE untrusted = {.dial_err = WHORL_ETLS_TRUST};
    CHECK_ERR(run(&untrusted, (struct whorl_http_request){0}, NULL, &took_ns), WHORL_ETLS_TRUST);
    CHECK_EQ(took_ns, 0);
}

static WHORL_SUSPENDS ssize_t give(void *arg, void *buf, size_t len)
{
    (void)arg;
    CHECK(len >= 2);
    memcpy(buf, "xy", 2);
    return 2;
}

static int rewind_it(void *arg)
{
    ++*(int *)arg;
    return *(int *)arg > 2 ? -ESPIPE : 0;
}

TEST_VIRTUAL(only_what_may_be_sent_twice_is_retried)
{
    static const struct fake_step busy[] = {
        {.action = FAKE_HEAD}, {FAKE_READ, NULL, 2}, {FAKE_SEND, BUSY, 0}, {.action = FAKE_REPEAT}};
    struct whorl_http_retry_policy any = {.any_method = true};
    int rewound = 0;
    struct whorl_http_request request = {.method = "POST", .body = {.data = "xy", .len = 2}};
    FAKE fake = {.scripts = {busy}};
    int64_t took_ns;

    CHECK_EQ(run(&fake, request, NULL, &took_ns), 503);
    CHECK_EQ(took_ns, 0);
    CHECK_EQ(run(&fake, request, &any, &took_ns), 503);
    CHECK(took_ns > WHORL_SECOND);
    request.method = "PUT";
    CHECK_EQ(run(&fake, request, NULL, &took_ns), 503);
    CHECK(took_ns > WHORL_SECOND);
    request.body = (struct whorl_http_body){.read = give, .len = 2, .arg = &rewound};
    CHECK_EQ(run(&fake, request, NULL, &took_ns), 503);
    CHECK_EQ(took_ns, 0);
    request.body.rewind = rewind_it;
    CHECK_ERR(run(&fake, request, NULL, &took_ns), -ESPIPE);
    CHECK_EQ(rewound, 3);
}

TEST_VIRTUAL(the_server_decides_on_the_pause_up_to_a_limit)
{
    static const struct fake_step asks[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 429 Slow\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n", 0},
        {0}};
    static const struct fake_step good[] = {{.action = FAKE_HEAD}, {FAKE_SEND, GOOD, 0}, {0}};
    struct whorl_http_retry_policy policy = {.retry_after_max_ns = 99 * WHORL_SECOND};
    int64_t took_ns;

    FAKE fake = {.scripts = {asks, good}};
    CHECK_EQ(run(&fake, (struct whorl_http_request){0}, NULL, &took_ns), 200);
    CHECK_EQ(took_ns, 100 * WHORL_SECOND);
    FAKE again = {.scripts = {asks}};
    CHECK_EQ(run(&again, (struct whorl_http_request){0}, &policy, &took_ns), 429);
    CHECK_EQ(took_ns, 0);
}

TEST_VIRTUAL(the_total_time_ends_pauses_and_attempts)
{
    struct whorl_http_retry_policy policy = {.attempts_max = 1000, .total_ns = 10 * WHORL_SECOND};
    static const struct fake_step hangs[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, BUSY, 0}, {.action = FAKE_HEAD}, {0}};
    int64_t took_ns;

    FAKE busy = {.scripts = {always_busy}};
    CHECK_EQ(run(&busy, (struct whorl_http_request){0}, &policy, &took_ns), 503);
    CHECK(took_ns >= WHORL_SECOND && took_ns <= 10 * WHORL_SECOND);
    FAKE silent = {.scripts = {hangs}};
    CHECK_ERR(run(&silent, (struct whorl_http_request){0}, &policy, &took_ns),
              WHORL_EHTTP_TOTAL_TIMEOUT);
    CHECK_EQ(took_ns, 10 * WHORL_SECOND);
}

static int cancel_later(void *arg)
{
    int err = whorl_sleep(WHORL_SECOND / 10);
    whorl_scope_cancel(arg);
    return err;
}

TEST_VIRTUAL(a_pause_is_a_cancel_point)
{
    FAKE fake = {.scripts = {always_busy}};
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;
    int64_t took_ns;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn(&group, cancel_later, &scope));
    int err = run(&fake, (struct whorl_http_request){0}, NULL, &took_ns);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ECANCELED);
    CHECK_EQ(took_ns, WHORL_SECOND / 10);
    CHECK_OK(whorl_group_wait(&group));
}

/* The head arrives, and the body breaks: a loop retries both. */
TEST_VIRTUAL(a_loop_retries_also_the_body)
{
    static const struct fake_step cut[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, GOOD, sizeof GOOD - 2}, {.action = FAKE_CLOSE}};
    static const struct fake_step good[] = {{.action = FAKE_HEAD}, {FAKE_SEND, GOOD, 0}, {0}};
    FAKE fake = {.scripts = {cut, good}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_request request = {.url = "http://a.test/"};
    struct whorl_http_retry retry;
    char *body = NULL;
    int err, again;

    whorl_http_retry_init(&retry, NULL);
    do {
        WHORL_AUTO(http_response) *response = NULL;
        err = whorl_http_do(session, &request, NULL, &response);
        if (err == 0)
            err = whorl_http_response_read_to_end(response, 10, &body, NULL);
        again = whorl_http_retry_wait(&retry, &request, err, response);
    } while (again > 0);
    CHECK_OK(err);
    CHECK_OK(again);
    CHECK_EQ(retry.attempts, 1);
    CHECK_STR(body, "hi");
    free(body);
}

TEST_MAIN()
