/* SPDX-License-Identifier: MIT */
/* Bodies that are received no faster than limiters allow, on a virtual clock. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/http_trace.h>
#include <whorl/limiter.h>
#include <whorl/scope.h>

#include "fakehttp.h"
#include "saving.h"
#include "test.h"

enum { LEN = 1000000 };

#define S WHORL_SECOND

static struct whorl_http_session *limited_session(struct fake *fake)
{
    struct whorl_http_session_options options = {.dialer = fake_dialer(fake),
                                                 .version = fake_version()};
    struct whorl_http_session *session = NULL;
    CHECK_OK(whorl_http_session_create(&options, &session));
    return session;
}

/* Checks a duration with the part of a second that the first burst saves. */
#define CHECK_ABOUT(actual_ns, expected_ns)               \
    do {                                                  \
        int64_t took_ns = (actual_ns);                    \
        CHECK(took_ns <= (expected_ns));                  \
        CHECK(took_ns >= (expected_ns)-WHORL_SECOND / 2); \
    } while (0)

TEST_VIRTUAL(a_limiter_slows_a_body_down)
{
    struct whorl_limiter limiter = {.rate = 100000, .burst = 16384};
    FAKE fake = {.scripts = {large}};
    WHORL_AUTO(http_session) *session = limited_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {.url = "http://a.test/", .limiters = {&limiter}};
    struct whorl_http_info info;
    char *body = NULL;
    size_t len;

    int64_t start_ns = whorl_now();
    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    CHECK_OK(whorl_http_response_read_to_end(response, LEN, &body, &len));
    CHECK_EQ(len, LEN);
    for (size_t i = 0; i < len; i++)
        CHECK(body[i] == fake_pattern((int64_t)i));
    CHECK_ABOUT(whorl_now() - start_ns, 10 * S);
    whorl_http_response_get_info(response, &info);
    CHECK_ABOUT(info.limited_ns, 10 * S);
    free(body);
}

/* On the real clock, because files are written. It may be slower than the limit. */
TEST_IO(saves_are_limited_too_also_those_of_small_bodies)
{
    static const struct fake_step *const scripts[] = {large, hello, hello_chunked};
    static const char *const names[] = {"0", "1", "2"};

    for (size_t i = 0; i < 3; i++) {
        struct whorl_limiter limiter = {.rate = 5000000, .burst = 16384};
        FAKE fake = {.scripts = {scripts[i]}};
        WHORL_AUTO(http_session) *session = limited_session(&fake);
        struct whorl_http_request request = {.url = "http://a.test/", .limiters = {NULL, &limiter}};
        if (i > 0)
            limiter = (struct whorl_limiter){.rate = 50, .burst = 1};
        int64_t start_ns = whorl_now();
        CHECK_OK(save_request(session, &request, in_tmpdir(names[i]), NULL));
        CHECK(whorl_now() - start_ns >= (i == 0 ? 190 : 80) * WHORL_MILLISECOND);
    }
    check_pattern_file(in_tmpdir("0"), LEN);
    check_file(in_tmpdir("1"), "hello");
}

static struct whorl_http_session *shared;
static struct whorl_limiter total = {.rate = 400000, .burst = 16384}, each[2];

static int fetch(void *arg)
{
    size_t n = (size_t)arg;
    WHORL_AUTO(http_response) *response = NULL;
    char url[] = "http://a.test/";
    struct whorl_http_request request = {.url = url, .limiters = {&total, &each[n]}};

    url[7] = (char)('a' + n);
    CHECK_OK(whorl_http_do(shared, &request, NULL, &response));
    char *body = NULL;
    int err = whorl_http_response_read_to_end(response, LEN, &body, NULL);
    test_log("%zu:%lld", n, (long long)(whorl_now() / (S / 2)));
    free(body);
    return err;
}

TEST_VIRTUAL(a_shared_limiter_limits_the_sum)
{
    FAKE fake = {.scripts = {large, large}};
    shared = limited_session(&fake);
    WHORL_AUTO(group) group = {0};

    each[0] = (struct whorl_limiter){.rate = 100000, .burst = 16384};
    each[1] = (struct whorl_limiter){.rate = 1000000, .burst = 16384};
    /* The second one gets 300,000 bytes a second, which the first one leaves. */
    for (size_t n = 0; n < 2; n++)
        CHECK_OK(whorl_spawn(&group, fetch, (void *)n));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "1:6 0:19");
    whorl_http_session_destroy(shared);
}

TEST_VIRTUAL(a_cancelled_wait_loses_no_bytes)
{
    struct whorl_limiter limiter = {.rate = 100000, .burst = 16384};
    FAKE fake = {.scripts = {large}};
    WHORL_AUTO(http_session) *session = limited_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_request request = {.url = "http://a.test/", .limiters = {&limiter}};
    static char buf[300000];
    int64_t at = 0;
    int cancels = 0;
    ssize_t n = 1;

    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    while (n != 0) {
        struct whorl_scope scope;
        whorl_scope_enter(&scope, whorl_after(S / 20));
        n = whorl_http_response_read(response, buf, sizeof buf);
        int left = whorl_scope_leave(&scope, n < 0 ? (int)n : 0);
        CHECK(n >= 0 || (n == -ECANCELED && left == -ETIMEDOUT));
        cancels += n < 0;
        for (ssize_t i = 0; i < n; i++)
            CHECK(buf[i] == fake_pattern(at++));
    }
    CHECK_EQ(at, LEN);
    CHECK(cancels > 100);
}

TEST_MAIN()
