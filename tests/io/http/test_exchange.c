/* SPDX-License-Identifier: MIT */
/* The exchange without a session, a pool or a connection: the order of sending and reading, and the
 * result, for an HTTP version made for this test. */
#include <errno.h>
#include <string.h>

#include <whorl/http.h>
#include <whorl/task.h>

#include "io/http/exchange.h"
#include "runtime/base/check.h"
#include "test.h"

#define BODY_LEN 200000 /* more than the first write takes */

/* A version that writes down what it is asked for, and answers as the test says. */
struct fake {
    struct http_exchange base;
    char log[512];
    size_t body_sent;
    int send_err;         /* of every part of the body after the first */
    int head_err, status; /* of the response */
    int64_t head_ns;      /* the response arrives after this time */
    int64_t send_ns;      /* each part of the body takes this long */
};

static struct fake *fake_of(struct http_exchange *x)
{
    return container_of(x, struct fake, base);
}

static void note(struct http_exchange *x, const char *what)
{
    strncat(fake_of(x)->log, what, sizeof fake_of(x)->log - strlen(fake_of(x)->log) - 1);
}

static WHORL_SUSPENDS int send_head(struct http_exchange *x, const struct http_outgoing *out,
                                    const void *data, size_t len)
{
    (void)out;
    CHECK((data == NULL) == (len == 0));
    fake_of(x)->body_sent = len;
    note(x, "head ");
    return 0;
}

static WHORL_SUSPENDS int send_body(struct http_exchange *x, const void *data, size_t len)
{
    struct fake *fake = fake_of(x);
    CHECK_EQ(memcmp(data, "aaaa", 4), 0);
    int err = whorl_sleep(fake->send_ns);
    if (err)
        return err;
    fake->body_sent += len;
    note(x, "body ");
    return fake->send_err;
}

static WHORL_SUSPENDS int read_head(struct http_exchange *x)
{
    struct fake *fake = fake_of(x);
    int err = whorl_sleep(fake->head_ns);
    if (err)
        return err;
    note(x, "read ");
    if (fake->head_err)
        return fake->head_err;
    x->has_begun = true;
    x->head.status = fake->status;
    return 0;
}

static WHORL_SUSPENDS ssize_t read_body(struct http_exchange *x, char *buf, size_t len,
                                        const char **ret)
{
    (void)buf, (void)len;
    note(x, "part ");
    *ret = "part";
    x->received += 4;
    return 4;
}

static void skip(struct http_exchange *x)
{
    note(x, "skip ");
    x->ahead = HTTP_AHEAD_END;
}

static bool end(struct http_exchange *x)
{
    note(x, "end ");
    return x->ahead == HTTP_AHEAD_END;
}

static void destroy(struct http_exchange *x)
{
    note(x, "destroy ");
}

static const struct http_exchange_ops ops = {
    .name = "test",
    .send_head = send_head,
    .send_body = send_body,
    .read_head = read_head,
    .read_body = read_body,
    .skip = skip,
    .end = end,
    .destroy = destroy,
};

static char body[BODY_LEN];
static struct whorl_url url;

/* Runs an exchange that sends `len` bytes; -1: no body. */
static WHORL_SUSPENDS int run(struct fake *fake, int64_t len)
{
    struct whorl_http_request request = {.body = {.data = body, .len = len < 0 ? 0 : len}};
    struct http_outgoing out = {
        .request = &request, .url = &url, .method = "PUT", .has_body = len >= 0, .body_len = len};
    static struct http_store store;
    struct whorl_http_timeouts limits = {0};

    memset(body, 'a', sizeof body);
    CHECK_OK(whorl_url_parse("http://a.test/", NULL, &url));
    struct http_exchange_setup setup = {
        .out = &out, .timeouts = &limits, .total_deadline_ns = WHORL_FOREVER};
    http_exchange_init(&fake->base, &ops, &store, &setup);
    int err = http_exchange_run(&fake->base, &out);
    whorl_url_finish(&url);
    return err;
}

TEST_VIRTUAL(a_request_without_a_body_is_sent_and_then_the_head_is_read)
{
    struct fake fake = {.status = 200};
    CHECK_OK(run(&fake, -1));
    CHECK_STR(fake.log, "head read ");
    CHECK_EQ(fake.base.head.status, 200);
    CHECK(!fake.base.unsent);
}

TEST_VIRTUAL(a_short_body_goes_with_the_head)
{
    struct fake fake = {.status = 200};
    CHECK_OK(run(&fake, 1000));
    CHECK_STR(fake.log, "head read ");
    CHECK_EQ(fake.body_sent, 1000);
}

TEST_VIRTUAL(a_long_body_is_sent_while_the_head_is_awaited)
{
    struct fake fake = {.status = 200, .head_ns = WHORL_SECOND};
    CHECK_OK(run(&fake, BODY_LEN));
    CHECK_STR(fake.log, "head body body body read ");
    CHECK_EQ(fake.body_sent, BODY_LEN);
}

TEST_VIRTUAL(an_early_error_status_stops_the_sending)
{
    struct fake fake = {.status = 413, .head_ns = 15, .send_ns = 10};
    CHECK_OK(run(&fake, BODY_LEN));
    CHECK_STR(fake.log, "head body read ");
    CHECK_EQ(fake.base.head.status, 413);
    CHECK(fake.base.unsent);
}

TEST_VIRTUAL(an_early_success_status_does_not_stop_the_sending)
{
    struct fake fake = {.status = 200, .head_ns = 15, .send_ns = 10};
    CHECK_OK(run(&fake, BODY_LEN));
    CHECK_STR(fake.log, "head body read body body ");
    CHECK(!fake.base.unsent);
}

TEST_VIRTUAL(a_response_counts_although_the_peer_left_during_the_sending)
{
    struct fake fake = {.status = 403, .send_err = -EPIPE, .head_ns = WHORL_SECOND};
    CHECK_OK(run(&fake, BODY_LEN));
    CHECK_STR(fake.log, "head body read ");
    CHECK_EQ(fake.base.head.status, 403);
}

TEST_VIRTUAL(a_peer_that_leaves_without_a_response_is_an_error_of_the_sending)
{
    struct fake fake = {
        .head_err = WHORL_EHTTP_NO_RESPONSE, .send_err = -EPIPE, .head_ns = WHORL_SECOND};
    CHECK_ERR(run(&fake, BODY_LEN), -EPIPE);
    CHECK_EQ(fake.base.error.code, -EPIPE);
    CHECK_STR(fake.base.error.step, "send");
    CHECK(!fake.base.has_begun);
}

TEST_VIRTUAL(a_bad_head_is_an_error_of_the_response)
{
    struct fake fake = {.head_err = WHORL_EHTTP_NO_RESPONSE};
    CHECK_ERR(run(&fake, -1), WHORL_EHTTP_NO_RESPONSE);
    CHECK_STR(fake.base.error.step, "response");
    CHECK(strstr(fake.base.error.text, "a.test:80"));
}

TEST_VIRTUAL(an_owner_reads_skips_ends_and_destroys)
{
    struct fake fake = {.status = 200};
    const char *part;
    CHECK_OK(run(&fake, -1));
    CHECK_EQ(http_exchange_read(&fake.base, NULL, 0, &part), 4);
    CHECK(!http_exchange_is_over(&fake.base));
    http_exchange_skip(&fake.base);
    CHECK(http_exchange_is_over(&fake.base));
    CHECK(http_exchange_end(&fake.base));
    http_exchange_destroy(&fake.base);
    CHECK_STR(fake.log, "head read part skip end destroy ");
}

TEST_VIRTUAL(an_error_that_its_owner_found_stays)
{
    struct fake fake = {.status = 200};
    CHECK_OK(run(&fake, -1));
    CHECK_OK(whorl_url_parse("http://a.test/", NULL, &url));
    http_exchange_latch(&fake.base, WHORL_EHTTP_ENCODING, "what is wrong");
    CHECK(http_exchange_is_over(&fake.base));
    CHECK_EQ(fake.base.ahead, HTTP_AHEAD_ERROR);
    CHECK_EQ(fake.base.err, WHORL_EHTTP_ENCODING);
    CHECK(strstr(fake.base.error.text, "what is wrong"));
    whorl_url_finish(&url);
}

TEST_MAIN()
