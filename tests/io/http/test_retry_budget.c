/* SPDX-License-Identifier: MIT */
/* Budgets for retries: counts, the window, origins, and the loop that retries. */
#include <stdio.h>
#include <stdlib.h>

#include <whorl/http_retry.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "session_stats.h"
#include "test.h"

static struct whorl_url parse(const char *text)
{
    struct whorl_url url = {0};

    CHECK_OK(whorl_url_parse(text, NULL, &url));
    return url;
}

/* Notes that many requests, then returns how many retries are allowed. */
static int allowed(struct whorl_http_retry_budget *budget, const char *text, int requests)
{
    struct whorl_url url = parse(text);
    int n = 0;

    for (int i = 0; i < requests; i++)
        whorl_http_retry_budget_note(budget, &url);
    while (n < 10000 && whorl_http_retry_budget_take(budget, &url))
        n++;
    whorl_url_finish(&url);
    return n;
}

TEST_VIRTUAL(a_fifth_of_the_requests_or_ten_may_be_retries)
{
    static const struct {
        int percent, retries_min, requests, expected;
    } table[] = {
        {0, 0, 0, 10},     {0, 0, 1, 10},     {0, 0, 50, 10},      {0, 0, 54, 10}, {0, 0, 55, 11},
        {0, 0, 1000, 200}, {50, 0, 100, 50},  {100, 1, 7, 7},      {20, -1, 4, 0}, {20, -1, 5, 1},
        {-1, 0, 1000, 10}, {-1, -1, 1000, 0}, {0, 300, 1000, 300},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct whorl_http_retry_budget budget = {.percent = table[i].percent,
                                                 .retries_min = table[i].retries_min};
        CHECK_EQ(allowed(&budget, "http://a.test/", table[i].requests), table[i].expected);
    }
}

/* The window moves in tenths. The steps begin at a multiple of 10 s. */
TEST_VIRTUAL(requests_and_retries_count_for_ten_seconds)
{
    static const struct {
        int64_t sleep_ns;
        int requests, expected;
    } steps[] = {
        {0, 100, 20},
        {9 * WHORL_SECOND, 0, 0},    /* both still count */
        {WHORL_SECOND, 0, 10},       /* neither counts: the minimum is left */
        {0, 0, 0},                   /* it is used up */
        {5 * WHORL_SECOND, 100, 10}, /* 20, but 10 are used */
        {5 * WHORL_SECOND, 0, 10},   /* these 10 are over, the requests count */
        {5 * WHORL_SECOND, 0, 0},    /* the requests are over, 10 retries count */
        {5 * WHORL_SECOND, 0, 10},
        {1000 * WHORL_SECOND, 0, 10},
    };
    struct whorl_http_retry_budget budget = {0};

    CHECK_OK(whorl_sleep(10 * WHORL_SECOND - whorl_now() % (10 * WHORL_SECOND)));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CHECK_OK(whorl_sleep(steps[i].sleep_ns));
        int n = allowed(&budget, "http://a.test/", steps[i].requests);
        if (n != steps[i].expected)
            test_fail(__FILE__, __LINE__, "step %zu: %d", i, n);
    }
}

TEST_VIRTUAL(a_budget_may_have_another_window)
{
    struct whorl_http_retry_budget budget = {.window_ns = WHORL_SECOND};

    CHECK_EQ(allowed(&budget, "http://a.test/", 100), 20);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_EQ(allowed(&budget, "http://a.test/", 0), 10);
    budget = (struct whorl_http_retry_budget){.window_ns = 1}; /* shorter than its slots */
    CHECK_EQ(allowed(&budget, "http://a.test/", 100), 20);
}

TEST_VIRTUAL(each_origin_has_its_own_budget)
{
    static const char *const urls[] = {"http://a.test/", "https://a.test/", "http://a.test:8080/",
                                       "http://b.test/", "https://a.test:80/"};
    struct whorl_http_retry_budget budget = {0};

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        CHECK_EQ(allowed(&budget, urls[i], 0), 10);
    CHECK_EQ(allowed(&budget, "http://a.test:80/other?path", 0), 0);
    CHECK_EQ(allowed(&budget, "http://A.TEST/", 0), 0);
}

TEST_VIRTUAL(the_origin_that_was_not_used_for_the_longest_time_is_forgotten)
{
    struct whorl_http_retry_budget budget = {.window_ns = 1000 * WHORL_SECOND};
    char url[40];

    for (int i = 0; i < WHORL_HTTP_RETRY_BUDGET_ORIGINS; i++) {
        snprintf(url, sizeof url, "http://h%d.test/", i);
        CHECK_EQ(allowed(&budget, url, 0), 10);
        if (i == 0)
            CHECK_OK(whorl_sleep(100 * WHORL_SECOND));
    }
    CHECK_OK(whorl_sleep(100 * WHORL_SECOND));
    CHECK_EQ(allowed(&budget, "http://new.test/", 0), 10); /* takes the place of h0 */
    CHECK_EQ(allowed(&budget, "http://h1.test/", 0), 0);
    CHECK_EQ(allowed(&budget, "http://h63.test/", 0), 0);
    CHECK_EQ(allowed(&budget, "http://h0.test/", 0), 10);
}

/* The loop */

#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

static const struct fake_step busy[] = {
    {.action = FAKE_HEAD}, {FAKE_SEND, BUSY, 0}, {.action = FAKE_REPEAT}};

static WHORL_SUSPENDS_SHIELDED void ask(struct whorl_http_session *session, const char *url,
                                        const struct whorl_http_retry_policy *policy)
{
    struct whorl_http_request request = {.url = url};
    WHORL_AUTO(http_response) *response = NULL;

    CHECK_OK(whorl_http_do_with_retries(session, &request, policy, NULL, &response));
    CHECK_EQ(whorl_http_response_status(response), 503);
}

TEST_VIRTUAL(a_server_that_always_fails_gets_a_fifth_more)
{
    FAKE fake = {.scripts = {busy}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_retry_budget budget = {.window_ns = 1000 * WHORL_SECOND};
    struct whorl_http_retry_policy policy = {.budget = &budget, .longest_ns = WHORL_MILLISECOND};

    for (int i = 0; i < 200; i++)
        ask(session, "http://a.test/", &policy);
    CHECK_EQ(session_stats(session).requests, 240);
    ask(session, "http://b.test/", &policy); /* another origin */
    CHECK_EQ(session_stats(session).requests, 244);
    policy.budget = NULL;
    ask(session, "http://a.test/", &policy);
    CHECK_EQ(session_stats(session).requests, 248);
}

TEST_VIRTUAL(requests_that_succeed_allow_retries)
{
    static const struct fake_step script[] = {
        {FAKE_HEAD, "GET /busy", 0}, {FAKE_SEND, BUSY, 0}, {.action = FAKE_REPEAT}};
    static const struct fake_step fine[] = {{FAKE_HEAD, "GET /fine", 0},
                                            {FAKE_SEND, "HTTP/1.1 204 N\r\n\r\n", 0},
                                            {.action = FAKE_REPEAT}};
    FAKE fake = {.scripts = {fine, script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_retry_budget budget = {.retries_min = -1};
    struct whorl_http_retry_policy policy = {.budget = &budget};

    for (int i = 0; i < 9; i++) {
        struct whorl_http_request request = {.url = "http://a.test/fine"};
        WHORL_AUTO(http_response) *response = NULL;
        struct whorl_http_retry retry;
        whorl_http_retry_init(&retry, &policy);
        CHECK_OK(whorl_http_do(session, &request, NULL, &response));
        CHECK_EQ(whorl_http_retry_wait(&retry, &request, 0, response), 0);
    }
    whorl_http_session_close_idle(session);
    ask(session, "http://a.test/busy", &policy); /* the tenth request: two retries */
    CHECK_EQ(session_stats(session).requests, 12);
}

TEST_MAIN()
