/* SPDX-License-Identifier: MIT */
/* Time limits of the HTTP server on virtual time, the graceful stop, the access log, and shortage
 * of memory. */
#include <stdlib.h>

#include <whorl.h>

#include "cancel.h"
#include "faults.h"
#include "memstream.h"
#include "served.h"
#include "test.h"

#define GET       "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST(len) "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " len "\r\n\r\n"

static int64_t handler_ns; /* how long the handler takes */

static WHORL_SUSPENDS int handle(void *arg, struct whorl_http_incoming *incoming,
                                 struct whorl_http_reply *reply)
{
    char *body;
    (void)arg;
    int err = whorl_http_incoming_read_to_end(incoming, 1 << 20, &body, NULL);
    if (err)
        return err;
    free(body);
    err = whorl_sleep(handler_ns);
    return err ? err : whorl_http_reply_send(reply, 200, NULL, "hello", 5);
}

static void expect_status(const char *reply, int status)
{
    int actual = 0;
    sscanf(reply, "HTTP/1.1 %d ", &actual);
    CHECK_EQ(actual, status);
}

/* --- time ------------------------------------------------------------------------------------- */

TEST_VIRTUAL(a_connection_without_a_request_is_closed_after_the_head_limit)
{
    struct served_setup setup = {.fn = handle, .stay_open = true};
    struct served_conn conn;
    served_open(&conn, &setup);
    char *reply = served_close(&conn);
    CHECK_STR(reply, "");
    CHECK_EQ(whorl_now(), 10 * WHORL_SECOND);
    CHECK_OK(setup.result);
    free(reply);
}

TEST_VIRTUAL(an_idle_connection_is_closed_after_the_idle_limit)
{
    struct served_setup setup = {.fn = handle, .stay_open = true};
    setup.options.timeouts.idle_ns = 7 * WHORL_SECOND;
    struct served_conn conn;
    served_open(&conn, &setup);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    served_send(&conn, GET, sizeof GET - 1);
    CHECK_OK(whorl_sleep(6 * WHORL_SECOND));
    served_send(&conn, GET, sizeof GET - 1);
    char *reply = served_close(&conn);
    expect_status(reply, 200);
    CHECK_EQ(whorl_now(), 14 * WHORL_SECOND);
    CHECK_OK(setup.result);
    free(reply);
}

TEST_VIRTUAL(a_head_that_drips_has_a_limit_as_a_whole)
{
    struct served_setup setup = {.fn = handle, .stay_open = true};
    struct served_conn conn;
    served_open(&conn, &setup);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    served_send(&conn, GET, 1);
    for (int i = 1; i < 10; i++) {
        CHECK_OK(whorl_sleep(WHORL_SECOND));
        served_send(&conn, &GET[i], 1);
    }
    char text[12];
    CHECK_OK(whorl_stream_read_exact(conn.client, text, sizeof text));
    CHECK(memcmp(text, "HTTP/1.1 408", 12) == 0);
    CHECK_EQ(whorl_now(), 11 * WHORL_SECOND);
    setup.stay_open = false;
    free(served_close(&conn));
    CHECK_EQ(whorl_now(), 11 * WHORL_SECOND);
}

TEST_VIRTUAL(a_body_that_stalls_is_408)
{
    struct served_setup setup = {.fn = handle, .stay_open = true};
    setup.options.timeouts.read_stall_ns = 3 * WHORL_SECOND;
    struct served_conn conn;
    served_open(&conn, &setup);
    served_send(&conn, POST("5"), sizeof POST("5") - 1);
    for (int i = 0; i < 4; i++) { /* slow, but it moves */
        CHECK_OK(whorl_sleep(2 * WHORL_SECOND));
        served_send(&conn, "x", 1);
    }
    char text[12];
    CHECK_OK(whorl_stream_read_exact(conn.client, text, sizeof text));
    CHECK(memcmp(text, "HTTP/1.1 408", 12) == 0);
    CHECK_EQ(whorl_now(), 11 * WHORL_SECOND);
    setup.stay_open = false;
    free(served_close(&conn));
    CHECK_OK(setup.result);
}

TEST_VIRTUAL(a_body_that_drips_is_408_after_the_grace)
{
    struct served_setup setup = {.fn = handle, .stay_open = true};
    struct served_conn conn;
    served_open(&conn, &setup);
    served_send(&conn, POST("10000"), sizeof POST("10000") - 1);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(whorl_sleep(WHORL_SECOND));
        served_send(&conn, "0123456789", 10);
    }
    char text[12];
    CHECK_OK(whorl_stream_read_exact(conn.client, text, sizeof text));
    CHECK(memcmp(text, "HTTP/1.1 408", 12) == 0);
    CHECK_EQ(whorl_now(), 20 * WHORL_SECOND + 200 * WHORL_SECOND / 500);
    setup.stay_open = false;
    free(served_close(&conn));
    CHECK_OK(setup.result);
}

TEST_VIRTUAL(a_body_that_arrives_at_the_minimum_rate_is_read)
{
    static const struct {
        int64_t rate_min, grace_ns;
        int status;
    } cases[] = {{10, 2 * WHORL_SECOND, 200}, {0, WHORL_FOREVER, 200}, {11, 2 * WHORL_SECOND, 408}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct served_setup setup = {.fn = handle, .stay_open = true};
        struct served_conn conn;
        setup.options.body_rate_min = cases[i].rate_min;
        setup.options.timeouts.body_grace_ns = cases[i].grace_ns;
        served_open(&conn, &setup);
        served_send(&conn, POST("500"), sizeof POST("500") - 1);
        for (int n = 0; n < 50; n++) {
            CHECK_OK(whorl_sleep(WHORL_SECOND));
            test_ignore(whorl_stream_write(conn.client, "0123456789", 10));
        }
        setup.stay_open = false;
        char *reply = served_close(&conn);
        expect_status(reply, cases[i].status);
        free(reply);
    }
}

/* Waits before it reads a body that has arrived completely. */
static WHORL_SUSPENDS int read_slowly(void *arg, struct whorl_http_incoming *incoming,
                                      struct whorl_http_reply *reply)
{
    char buf[100];
    ssize_t n;
    (void)arg;
    while ((n = whorl_http_incoming_read(incoming, buf, sizeof buf)) > 0)
        CHECK_OK(whorl_sleep(WHORL_MINUTE));
    return n < 0 ? (int)n : whorl_http_reply_send(reply, 200, NULL, "", 0);
}

TEST_VIRTUAL(the_time_of_the_handler_is_not_the_clients)
{
    struct served_setup setup = {.fn = read_slowly, .chunk = 100};
    struct served_conn conn;
    char body[1000] = "";
    served_open(&conn, &setup);
    served_send(&conn, POST("1000"), sizeof POST("1000") - 1);
    served_send(&conn, body, sizeof body);
    char *reply = served_close(&conn);
    expect_status(reply, 200);
    CHECK(whorl_now() >= 10 * WHORL_MINUTE);
    free(reply);
}

static WHORL_SUSPENDS int send_much(void *arg, struct whorl_http_incoming *incoming,
                                    struct whorl_http_reply *reply)
{
    size_t len = *(size_t *)arg;
    char *body = calloc(1, len);
    (void)incoming;
    int err = whorl_http_reply_send(reply, 200, NULL, body, len);
    free(body);
    return err;
}

TEST_VIRTUAL(a_client_that_takes_nothing_is_given_up)
{
    size_t len = 1000;
    struct served_setup setup = {.fn = send_much, .arg = &len, .capacity = 100};
    setup.options.timeouts.write_stall_ns = 4 * WHORL_SECOND;
    struct served_conn conn;
    served_open(&conn, &setup);
    served_send(&conn, GET, sizeof GET - 1);
    CHECK_OK(whorl_sleep(5 * WHORL_SECOND));
    CHECK_ERR(setup.result, WHORL_EHTTP_STALL_TIMEOUT);
    free(served_close(&conn));
}

TEST_VIRTUAL(a_client_that_takes_a_long_reply_slowly_gets_it)
{
    size_t len = 1 << 20, taken = 0;
    struct served_setup setup = {.fn = send_much, .arg = &len, .capacity = 1000};
    setup.options.timeouts.write_stall_ns = 4 * WHORL_SECOND;
    struct served_conn conn;
    static char buf[128 << 10];
    ssize_t n;
    served_open(&conn, &setup);
    memstream_capacity(conn.server, sizeof buf);
    served_send(&conn, GET, sizeof GET - 1);
    CHECK_OK(whorl_stream_close_write(conn.client));
    while ((n = whorl_stream_read(conn.client, buf, sizeof buf)) > 0) {
        taken += (size_t)n;
        CHECK_OK(whorl_sleep(1500 * WHORL_MILLISECOND));
    }
    CHECK(taken > len);
    CHECK(whorl_now() > 10 * WHORL_SECOND);
    free(served_close(&conn));
    CHECK_OK(setup.result);
}

TEST_VIRTUAL(an_exchange_that_takes_too_long_is_503)
{
    struct served_setup setup = {.fn = handle, .stay_open = true};
    setup.options.timeouts.total_ns = 2 * WHORL_SECOND;
    handler_ns = WHORL_MINUTE;
    char *reply = served(&setup, GET);
    expect_status(reply, 503);
    CHECK(strstr(reply, "Connection: close\r\n"));
    CHECK_EQ(whorl_now(), 2 * WHORL_SECOND);
    CHECK_OK(setup.result);
    free(reply);
}

TEST_VIRTUAL(a_client_that_keeps_sending_after_a_refusal_is_cut_off)
{
    struct served_setup setup = {.fn = handle};
    struct served_conn conn;
    served_open(&conn, &setup);
    served_send(&conn, "x\r\n\r\n", 5);
    while (setup.result == 1) {
        CHECK_OK(whorl_sleep(100 * WHORL_MILLISECOND));
        if (setup.result == 1)
            test_ignore(whorl_stream_write(conn.client, "more", 4));
    }
    CHECK_OK(setup.result);
    CHECK_EQ(whorl_now(), 2 * WHORL_SECOND);
    whorl_stream_close(conn.client);
    CHECK_OK(whorl_group_wait(&conn.group));
}

TEST_VIRTUAL(a_client_that_sends_much_after_a_refusal_is_cut_off)
{
    struct served_setup setup = {.fn = handle};
    struct served_conn conn;
    size_t len = 1 << 20;
    char *flood = calloc(1, len);
    memcpy(flood, "x\r\n\r\n", 5);
    served_open(&conn, &setup);
    served_send(&conn, flood, len);
    for (int i = 0; i < 100 && setup.result == 1; i++)
        CHECK_OK(whorl_yield());
    CHECK_OK(setup.result);
    CHECK_EQ(whorl_now(), 0);
    whorl_stream_close(conn.client);
    CHECK_OK(whorl_group_wait(&conn.group));
    free(flood);
}

static WHORL_SUSPENDS int reply_only(void *arg, struct whorl_http_incoming *incoming,
                                     struct whorl_http_reply *reply)
{
    (void)arg, (void)incoming;
    return whorl_http_reply_send(reply, 200, NULL, "hello", 5);
}

TEST_VIRTUAL(a_body_that_nobody_reads_is_waited_for_shortly)
{
    struct served_setup setup = {.fn = reply_only};
    struct served_conn conn;
    served_open(&conn, &setup);
    served_send(&conn, POST("100"), sizeof POST("100") - 1);
    while (setup.result == 1) {
        CHECK_OK(whorl_sleep(WHORL_SECOND));
        if (setup.result == 1)
            test_ignore(whorl_stream_write(conn.client, "x", 1));
    }
    CHECK_OK(setup.result);
    CHECK_EQ(whorl_now(), 7 * WHORL_SECOND); /* 5 s, and 2 s to let the client read the reply */
    whorl_stream_close(conn.client);
    CHECK_OK(whorl_group_wait(&conn.group));
}

/* --- the graceful stop ------------------------------------------------------------------------ */

TEST_VIRTUAL(a_stop_closes_idle_connections_at_once_and_finishes_replies)
{
    struct served_setup idle_setup = {.fn = handle, .stay_open = true}, busy_setup = idle_setup,
                        begun_setup = idle_setup;
    struct served_conn idle, busy, begun;
    handler_ns = 3 * WHORL_SECOND;
    served_open(&idle, &idle_setup);
    served_open(&busy, &busy_setup);
    served_open(&begun, &begun_setup);
    served_send(&busy, GET GET, 2 * sizeof GET - 2);
    served_send(&begun, GET, 5);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    whorl_group_request_stop(&idle.group);
    whorl_group_request_stop(&busy.group);
    whorl_group_request_stop(&begun.group);
    char *reply = served_close(&idle);
    CHECK_STR(reply, "");
    CHECK_EQ(whorl_now(), WHORL_SECOND);
    free(reply);
    served_send(&begun, &GET[5], sizeof GET - 6);
    char text[4096] = "";
    ssize_t n = whorl_stream_read(busy.client, text, sizeof text - 1);
    CHECK(n > 0 && strstr(text, "\r\nConnection: close\r\n"));
    CHECK_EQ(whorl_now(), 3 * WHORL_SECOND);
    busy_setup.stay_open = false; /* it lingers for what the client may still send */
    free(served_close(&busy));
    reply = served_close(&begun);
    expect_status(reply, 200);
    CHECK(strstr(reply, "\r\nConnection: close\r\n"));
    free(reply);
    CHECK_OK(idle_setup.result);
    CHECK_OK(busy_setup.result);
    CHECK_OK(begun_setup.result);
}

/* --- the log ---------------------------------------------------------------------------------- */

static void note(void *arg, const struct whorl_http_log_entry *entry)
{
    (void)arg;
    CHECK(!entry->peer);
    test_log("%s,%s,%d,%d,%d,%s,%s", entry->method, entry->target, entry->status, (int)entry->bytes,
             (int)(entry->duration_ns / WHORL_SECOND),
             entry->err ? whorl_error_name(entry->err) : "-", *entry->error_text ? "text" : "-");
}

TEST_VIRTUAL(each_exchange_is_logged)
{
    struct served_setup setup = {.fn = handle, .options.log = note};
    handler_ns = WHORL_SECOND;
    free(
        served(&setup, "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n" POST("3") "abc" POST("9999999") GET));
    CHECK_STR(test_logged(), "GET,/a?b,200,5,1,-,- POST,/,200,5,1,-,- "
                             "POST,/,413,22,0,WHORL_EHTTP_BODY_TOO_LARGE,-");
    test_log_clear();
    free(served(&setup, "GET / HTTP/3.0\r\n"));
    CHECK_STR(test_logged(), ",,505,31,0,WHORL_EHTTP_VERSION,text");
}

TEST_VIRTUAL(an_exchange_whose_client_is_gone_is_logged_without_a_status)
{
    struct served_setup setup = {.fn = handle, .options.log = note};
    struct served_conn conn;
    handler_ns = WHORL_SECOND;
    served_open(&conn, &setup);
    served_send(&conn, GET, sizeof GET - 1);
    CHECK_OK(whorl_yield());
    memstream_reset(conn.client);
    whorl_stream_close(conn.client);
    CHECK_OK(whorl_group_wait(&conn.group));
    CHECK_ERR(setup.result, -ECONNRESET);
    CHECK_STR(test_logged(), "GET,/,0,0,1,ECONNRESET,-");
}

static WHORL_SUSPENDS int hide_failure(void *arg, struct whorl_http_incoming *incoming,
                                       struct whorl_http_reply *reply)
{
    (void)incoming;
    int err = whorl_sleep(WHORL_SECOND);
    if (err == 0)
        err = whorl_http_reply_send(reply, 200, NULL, "hello", 5);
    CHECK_ERR(err, -ECONNRESET);
    return *(int *)arg;
}

TEST_VIRTUAL(a_stream_that_fails_is_reported_whatever_the_handler_returns)
{
    for (int result = -EIO; result <= 0; result += EIO) {
        struct served_setup setup = {.fn = hide_failure, .arg = &result};
        struct served_conn conn;
        served_open(&conn, &setup);
        served_send(&conn, GET, sizeof GET - 1);
        CHECK_OK(whorl_yield());
        memstream_reset(conn.client);
        whorl_stream_close(conn.client);
        CHECK_OK(whorl_group_wait(&conn.group));
        CHECK_ERR(setup.result, -ECONNRESET);
    }
}

/* --- cancellation and shortage of memory ------------------------------------------------------ */

static struct served_setup everything;

static WHORL_SUSPENDS int answer_in_parts(void *arg, struct whorl_http_incoming *incoming,
                                          struct whorl_http_reply *reply)
{
    char buf[3];
    ssize_t n;
    (void)arg;
    while ((n = whorl_http_incoming_read(incoming, buf, sizeof buf)) > 0)
        ;
    int err = n < 0 ? (int)n : whorl_http_reply_add_trailer(reply, "A", "b");
    if (err == 0)
        err = whorl_http_reply_start(reply, 200, -1);
    if (err == 0)
        err = whorl_http_reply_write(reply, "hello", 5);
    return err ? err : whorl_yield();
}

static const char mixed[] =
    GET POST("5") "hello"
                  "POST / HTTP/1.1\r\nHost: h\r\n"
                  "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "2\r\nhe\r\n0\r\n\r\n"
                  "GET http://o?q HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n";

static struct whorl_stream *ends[2];

static void begin_pair(void)
{
    CHECK_OK(memstream_pair(&ends[0], &ends[1]));
    memstream_capacity(ends[1], 30);
}

static void end_pair(void)
{
    whorl_stream_close(ends[0]);
    CHECK_EQ(memstream_alive(), 0);
}

static WHORL_SUSPENDS int send_slowly(void)
{
    size_t n;
    int err = 0;
    for (size_t at = 0; at < sizeof mixed - 1 && err == 0; at += n) {
        n = sizeof mixed - 1 - at < 25 ? sizeof mixed - 1 - at : 25;
        err = whorl_stream_write(ends[0], mixed + at, n);
        if (err == 0)
            err = whorl_sleep(1);
    }
    return err ? err : whorl_stream_close_write(ends[0]);
}

/* The victim serves, one companion sends and the other one reads. */
static int take_part(void *arg)
{
    char buf[16];
    ssize_t n = 0;
    switch (cancel_number(arg)) {
    case 0:
        n = whorl_http_serve_stream(ends[1], &everything.options, answer_in_parts, NULL);
        whorl_stream_close(ends[1]);
        return (int)n;
    case 1:
        n = send_slowly();
        return n == -EPIPE ? 0 : (int)n;
    default:
        while ((n = whorl_stream_read(ends[0], buf, sizeof buf)) > 0)
            ;
        return (int)n;
    }
}

TEST_SEEDS(a_server_can_be_cancelled_at_every_point)
{
    everything.options.gzip = true;
    CHECK(cancel_everywhere(&(struct cancel_plan){take_part, take_part, 2, begin_pair, end_pair}) >
          40);
}

static int serve_mixed(void *arg)
{
    struct whorl_stream *client, *server;
    (void)arg;
    int err = memstream_pair(&client, &server);
    if (err)
        return err;
    err = whorl_stream_write(client, mixed, sizeof mixed - 1);
    if (err == 0)
        err = whorl_stream_close_write(client);
    if (err == 0)
        err = whorl_http_serve_stream(server, &everything.options, answer_in_parts, NULL);
    /* Without memory, one exchange fails with 500, and the others succeed. */
    char *text = NULL;
    if (err == 0)
        err = whorl_stream_close_write(server);
    if (err == 0)
        err = whorl_stream_read_to_end(client, 1 << 20, &text, NULL);
    if (err == 0 && (!strstr(text, "200 OK") || strstr(text, " 500 ")))
        err = strstr(text, " 500 ") ? -ENOMEM : -EPROTO;
    free(text);
    whorl_stream_close(client);
    whorl_stream_close(server);
    return err;
}

static int run_mixed(void *arg)
{
    return whorl_run_virtual(NULL, serve_mixed, arg);
}

TEST(failed_allocations_are_answered_or_end_the_connection)
{
    everything.options.gzip = true;
    CHECK(faults_sweep(run_mixed, NULL) > 5);
}

static WHORL_SUSPENDS int hello(void *arg, struct whorl_http_incoming *incoming,
                                struct whorl_http_reply *reply)
{
    (void)arg, (void)incoming;
    return whorl_http_reply_send(reply, 200, "text/plain", "hello", 5);
}

TEST_VIRTUAL(a_request_after_the_first_needs_no_allocation)
{
    struct served_setup setup = {.fn = hello};
    struct served_conn conn;
    uint64_t first = 0, later;
    served_open(&conn, &setup);
    faults_arm(UINT64_MAX);
    for (int i = 0; i < 10; i++) {
        if (i == 1)
            first = faults_seen();
        served_send(&conn, GET, sizeof GET - 1);
        CHECK_OK(whorl_sleep(1));
    }
    later = faults_seen();
    faults_disarm();
    CHECK(first > 0);
    CHECK_EQ(later, first);
    free(served_close(&conn));
}

TEST_MAIN()
