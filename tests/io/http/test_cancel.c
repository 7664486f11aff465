/* SPDX-License-Identifier: MIT */
/* An exchange that is cancelled at each of its suspension points, which are counted, not sampled:
 * nothing is left behind. The same with each allocation failing. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "faults.h"
#include "memstream.h"
#include "runtime/park_hook.h"
#include "test.h"

/* The `strike_at`th suspension point of `victim` cancels `scope`. A point is a place where it waits
 * or may wait. */
static struct whorl_task *victim;
static struct whorl_scope *scope_to_cancel;
static int points, strike_at;

static void count_point(const char *what)
{
    (void)what;
    if (scope_to_cancel && (!victim || whorl_task_self() == victim) && ++points == strike_at)
        whorl_scope_cancel(scope_to_cancel);
}

static void count_call(void *ctx)
{
    (void)ctx;
    count_point("call");
}

static void hook_client(struct fake *fake, struct whorl_stream *client, struct whorl_stream *server)
{
    (void)fake, (void)server;
    memstream_hook(client, count_call, NULL);
}

struct exchange {
    const struct fake_step *scripts[3];
    struct whorl_http_request request;
    const char *expected;
    int hurdles; /* this many requests before it keep the only connection busy */
};

static WHORL_SUSPENDS int run_exchange(struct whorl_http_session *session, const struct exchange *x)
{
    WHORL_AUTO(http_response) *response = NULL;
    char *body = NULL;
    int err = whorl_http_do(session, &x->request, NULL, &response);
    if (err == 0)
        err = whorl_http_response_read_to_end(response, 1 << 20, &body, NULL);
    if (err == 0)
        CHECK_STR(body, x->expected);
    free(body);
    return err;
}

static int hurdle(void *arg)
{
    WHORL_AUTO(http_response) *response = NULL;
    int err = whorl_http_get(arg, "http://a.test/hurdle", &response);
    CHECK_OK(err);
    return whorl_sleep(WHORL_SECOND);
}

/* Runs the exchange once and cancels it at point `k`. Returns its result. */
static WHORL_SUSPENDS int attempt(const struct exchange *x, int k)
{
    FAKE fake = {.yield = true, .capacity = 3000, .chunk = 4000, .on_dial = hook_client};
    struct whorl_http_session_options options = {
        .conns_per_host_max = 1, .dialer = fake_dialer(&fake), .version = fake_version()};
    struct whorl_http_session *session = NULL;
    CHECK_OK(whorl_http_session_create(&options, &session));
    WHORL_AUTO(group) group = {0};
    struct whorl_http_session_stats stats;
    struct whorl_scope scope;

    memcpy(fake.scripts, x->scripts, sizeof x->scripts);
    CHECK(session);
    for (int i = 0; i < x->hurdles; i++)
        CHECK_OK(whorl_spawn(&group, hurdle, session));
    if (x->hurdles)
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    points = 0;
    strike_at = k;
    whorl_scope_enter(&scope, WHORL_FOREVER);
    scope_to_cancel = &scope;
    int err = run_exchange(session, x);
    scope_to_cancel = NULL;
    whorl_scope_leave(&scope, 0);
    CHECK_OK(whorl_group_wait(&group));
    whorl_http_session_get_stats(session, &stats);
    CHECK_EQ(stats.queued, 0);
    CHECK_EQ(stats.open, stats.idle);
    whorl_http_session_destroy(session);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND)); /* the servers see the close */
    CHECK_EQ(fake.open, 0);
    CHECK_EQ(memstream_alive(), 0);
    return err;
}

/* At every point the result is -ECANCELED, or a complete response if that had already arrived. */
static WHORL_SUSPENDS_SHIELDED void check_all_points(const struct exchange *x, int at_least)
{
    int k = 1, completed = 0;

    sched_park_hook = count_point;
    CHECK_OK(attempt(x, 0));
    int total = points;
    for (; k <= total; k++) {
        int err = attempt(x, k);
        CHECK(err == 0 || err == -ECANCELED);
        completed += err == 0;
    }
    sched_park_hook = NULL;
    printf("# %d suspension points, %d completed all the same\n", total, completed);
    CHECK(total >= at_least);
    CHECK(completed <= 2); /* only if the last byte had already arrived */
}

#define HURDLE                                                       \
    {FAKE_HEAD, "GET /hurdle", 0},                                   \
    {                                                                \
        FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0 \
    }

TEST_VIRTUAL(a_get_cancelled_at_any_point_leaves_nothing)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 0},
        {.action = FAKE_SLEEP, .n = 10},
        {FAKE_SEND, "hello", 0},
        {.action = FAKE_SLEEP, .n = 10},
        {FAKE_SEND, "there", 0},
        {0}};
    struct exchange x = {
        .scripts = {script}, .request = {.url = "http://a.test/"}, .expected = "hellothere"};
    check_all_points(&x, 5);
}

TEST_VIRTUAL(a_redirect_cancelled_at_any_point_leaves_nothing)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 301 M\r\nLocation: http://b.test/\r\nContent-Length: 0\r\n\r\n", 0},
        {0}};
    static const struct fake_step second[] = {
        {.action = FAKE_HEAD},
        {.action = FAKE_SLEEP, .n = 10},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", 0},
        {.action = FAKE_SLEEP, .n = 10},
        {FAKE_SEND, "0\r\n\r\n", 0},
        {0}};
    struct exchange x = {
        .scripts = {script, second}, .request = {.url = "http://a.test/"}, .expected = "hi"};
    check_all_points(&x, 6);
}

TEST_VIRTUAL(a_queued_request_cancelled_at_any_point_leaves_nothing)
{
    static const struct fake_step script[] = {
        HURDLE,
        {.action = FAKE_HEAD},
        {.action = FAKE_SLEEP, .n = 10},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0},
        {0}};
    struct exchange x = {
        .scripts = {script}, .request = {.url = "http://a.test/"}, .expected = "hi", .hurdles = 1};
    check_all_points(&x, 3);
}

TEST_VIRTUAL(an_upload_cancelled_at_any_point_leaves_nothing)
{
    static char data[100000];
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {.action = FAKE_READ, .n = sizeof data},
        {.action = FAKE_SLEEP, .n = 10},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0},
        {0}};
    struct exchange x = {.scripts = {script},
                         .request = {.url = "http://a.test/",
                                     .method = "PUT",
                                     .body = {.data = data, .len = sizeof data}},
                         .expected = "hi"};
    check_all_points(&x, 20);
}

/* Allocations */

static int out_of_memory_root(void *arg)
{
    const struct exchange *x = arg;
    FAKE fake = {0};
    struct whorl_http_session_options options = {.dialer = fake_dialer(&fake),
                                                 .version = fake_version()};
    WHORL_AUTO(http_session) *session = NULL;

    memcpy(fake.scripts, x->scripts, sizeof x->scripts);
    int err = whorl_http_session_create(&options, &session);
    if (err)
        return err;
    err = run_exchange(session, x);
    if (err == 0)
        err = run_exchange(session, x);
    /* The failed allocation may be the server's. Then its end of the connection is closed. */
    if (err == WHORL_EHTTP_NO_RESPONSE || err == WHORL_EHTTP_TRUNCATED || err == -EPIPE)
        err = -ENOMEM;
    return err;
}

static int out_of_memory_run(void *arg)
{
    return whorl_run_virtual(NULL, out_of_memory_root, arg);
}

TEST_HTTP1(every_failed_allocation_is_survived)
{
    static char data[100000];
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {.action = FAKE_READ, .n = sizeof data},
        {FAKE_SEND, "HTTP/1.1 308 M\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", 0},
        {.action = FAKE_HEAD},
        {.action = FAKE_READ, .n = sizeof data},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 0},
        {.action = FAKE_REPEAT}};
    struct exchange x = {.scripts = {script},
                         .request = {.url = "http://a.test/",
                                     .method = "PUT",
                                     .body = {.data = data, .len = sizeof data}},
                         .expected = "hi"};
    uint64_t n = faults_sweep(out_of_memory_run, &x);
    printf("# %llu allocations\n", (unsigned long long)n);
    CHECK(n > 10);
}

TEST_MAIN()
