/* SPDX-License-Identifier: MIT */
/* Selects that wait until a stream can be read, for every kind of stream. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "cancel.h"
#include "certs.h"
#include "faults.h"
#include "io_faults.h"
#include "memstream.h"
#include "test.h"
#include "tls_server.h"

/* A stream to read, and a descriptor whose bytes it reads. */
struct source {
    struct whorl_stream *stream;
    int fd;
};

static struct source open_socket(void)
{
    struct source source;
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
    CHECK_OK(whorl_stream_from_socket(p[0], &source.stream));
    source.fd = p[1];
    return source;
}

static struct source open_pipe(void)
{
    struct source source;
    int p[2];
    CHECK_OK(pipe2(p, O_CLOEXEC));
    CHECK_OK(whorl_stream_from_pipe(p[0], -1, &source.stream));
    source.fd = p[1];
    return source;
}

static void put(const struct source *source, const char *text)
{
    CHECK_EQ(write(source->fd, text, strlen(text)), strlen(text));
}

static WHORL_SUSPENDS_SHIELDED void get(const struct source *source, const char *expected)
{
    char buf[64] = "";
    CHECK_OK(whorl_stream_read_exact(source->stream, buf, strlen(expected)));
    CHECK_STR(buf, expected);
}

/* Reads small messages until the stream reads ahead, where the driver supports it. */
static WHORL_SUSPENDS_SHIELDED void exchange(const struct source *source)
{
    for (int i = 0; i < 8; i++) {
        put(source, "hello");
        get(source, "hello");
    }
}

static bool is_readable(struct whorl_stream *stream)
{
    struct whorl_case c = whorl_case_stream(stream);
    int taken = whorl_try_select(&c, 1);
    CHECK(taken == 0 || taken == -EAGAIN);
    if (taken == 0)
        CHECK_OK(c.result);
    return taken == 0;
}

static int put_soon(void *arg)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    put(arg, "later");
    return 0;
}

/* Waits for the stream beside a deadline: what a select has to do with any source. */
static WHORL_SUSPENDS_SHIELDED void check_waits(struct source *source)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;
    char buf[8];

    CHECK(!is_readable(source->stream));
    CHECK_ERR(whorl_stream_try_read(source->stream, buf, sizeof buf), -EAGAIN);
    struct whorl_case cases[] = {whorl_case_stream(source->stream),
                                 whorl_case_deadline(whorl_after(WHORL_MILLISECOND))};
    CHECK_EQ(whorl_select(cases, 2), 1); /* the case is withdrawn */
    whorl_scope_enter_timeout(&scope, WHORL_MILLISECOND);
    CHECK_ERR(whorl_scope_leave(&scope, whorl_select(cases, 1)), -ETIMEDOUT);
    cases[1] = whorl_case_deadline(whorl_after(WHORL_MINUTE));
    CHECK_OK(whorl_spawn(&group, put_soon, source));
    CHECK_EQ(whorl_select(cases, 2), 0);
    CHECK_OK(cases[0].result);
    CHECK_EQ(whorl_select(cases, 2), 0); /* still: the case reads nothing */
    CHECK_EQ(whorl_stream_try_read(source->stream, buf, 2), 2);
    CHECK(memcmp(buf, "la", 2) == 0);
    CHECK(is_readable(source->stream)); /* what is left counts */
    get(source, "ter");
    CHECK(!is_readable(source->stream));
    CHECK_OK(whorl_group_wait(&group));
}

static int close_soon(void *arg)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    close(*(int *)arg);
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void check_end(struct source *source)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_case c = whorl_case_stream(source->stream);
    char byte;

    put(source, "rest");
    CHECK_EQ(whorl_select(&c, 1), 0);
    get(source, "rest");
    CHECK_OK(whorl_spawn(&group, close_soon, &source->fd));
    CHECK_EQ(whorl_select(&c, 1), 0);
    CHECK_OK(c.result);
    CHECK_OK(whorl_stream_try_read(source->stream, &byte, 1));
    CHECK_OK(whorl_stream_read(source->stream, &byte, 1));
    CHECK_OK(whorl_group_wait(&group));
    whorl_stream_close(source->stream);
}

TEST_IO(select_waits_for_a_socket)
{
    struct source source = open_socket();
    check_waits(&source);
    check_end(&source);
}

TEST_IO(select_waits_for_a_socket_that_is_read_ahead)
{
    struct source source = open_socket();
    exchange(&source);
    check_waits(&source);
    exchange(&source);
    check_waits(&source);
    check_end(&source);
}

TEST_IO(select_sees_what_was_read_ahead)
{
    struct source source = open_socket();
    exchange(&source);
    put(&source, "abcdef");
    get(&source, "abc");
    CHECK(is_readable(source.stream));
    get(&source, "def");
    CHECK(!is_readable(source.stream));
    close(source.fd);
    whorl_stream_close(source.stream);
}

/* whorl_stream_fd() ends the request that reads ahead, while the select waits for it. */
TEST_IO(select_waits_on_when_the_stream_stops_to_read_ahead)
{
    WHORL_AUTO(group) group = {0};
    struct source source = open_socket();
    exchange(&source);
    CHECK_OK(whorl_spawn(&group, put_soon, &source));
    CHECK(whorl_stream_fd(source.stream) >= 0);
    struct whorl_case c = whorl_case_stream(source.stream);
    CHECK_EQ(whorl_select(&c, 1), 0);
    get(&source, "later");
    CHECK_OK(whorl_group_wait(&group));
    check_end(&source);
}

TEST_IO(select_waits_for_a_pipe)
{
    struct source source = open_pipe();
    check_waits(&source);
    check_end(&source);
    struct whorl_stream *writer;
    int p[2];
    CHECK_OK(pipe2(p, O_CLOEXEC));
    CHECK_OK(whorl_stream_from_pipe(-1, p[1], &writer));
    CHECK(is_readable(writer)); /* a read fails at once */
    CHECK_ERR(whorl_stream_try_read(writer, NULL, 1), -EBADF);
    whorl_stream_close(writer);
    close(p[0]);
}

TEST_IO(select_waits_for_two_streams)
{
    struct source a = open_socket(), b = open_pipe();
    struct whorl_case cases[] = {whorl_case_stream(a.stream), whorl_case_stream(b.stream)};
    exchange(&a);
    for (int i = 0; i < 10; i++) {
        put(i % 3 ? &a : &b, "x");
        CHECK_EQ(whorl_select(cases, 2), i % 3 ? 0 : 1);
        get(i % 3 ? &a : &b, "x");
    }
    close(a.fd);
    close(b.fd);
    whorl_stream_close(a.stream);
    whorl_stream_close(b.stream);
}

TEST_VIRTUAL(select_refuses_a_stream_that_cannot_tell)
{
    struct whorl_stream *a, *b;
    char byte;
    CHECK_OK(memstream_pair(&a, &b)); /* a stream without the functions */
    struct whorl_case c = whorl_case_stream(a);
    CHECK_EQ(whorl_select(&c, 1), 0);
    CHECK_ERR(c.result, -EOPNOTSUPP);
    CHECK_ERR(whorl_stream_try_read(a, &byte, 1), -EOPNOTSUPP);
    whorl_stream_close(a);
    whorl_stream_close(b);
}

/* --- memory ----------------------------------------------------------------------------------- */

static int write_at_5(void *stream)
{
    CHECK_OK(whorl_sleep(5));
    CHECK_OK(whorl_stream_write(stream, "abc", 3));
    CHECK_OK(whorl_sleep(50));
    whorl_stream_close(stream);
    return 0;
}

TEST_VIRTUAL(select_waits_for_a_memory_stream_and_its_latency)
{
    const struct whorl_memory_options options = {.latency_ns = 10, .read_max = 2};
    WHORL_AUTO(group) group = {0};
    struct whorl_stream *a, *b;
    char buf[8];
    CHECK_OK(whorl_stream_pair(&options, &a, &b));
    CHECK_OK(whorl_spawn(&group, write_at_5, b));
    struct whorl_case cases[] = {whorl_case_stream(a), whorl_case_deadline(12)};
    CHECK_EQ(whorl_select(cases, 2), 1);
    CHECK_ERR(whorl_stream_try_read(a, buf, 3), -EAGAIN);
    cases[1].ops = NULL;
    CHECK_EQ(whorl_select(cases, 2), 0);
    CHECK_EQ(whorl_now(), 15);
    CHECK_EQ(whorl_stream_try_read(a, buf, 3), 2);
    CHECK_EQ(whorl_select(cases, 2), 0);
    CHECK_EQ(whorl_stream_try_read(a, buf, 3), 1);
    CHECK_EQ(whorl_select(cases, 2), 0);
    CHECK_EQ(whorl_now(), 65); /* the end has the same latency */
    CHECK_OK(whorl_stream_try_read(a, buf, 3));
    whorl_stream_close(a);
    CHECK_OK(whorl_group_wait(&group));
}

static struct whorl_stream *near_end, *far_end;
static struct whorl_event quit;
static int received;

static void begin_pair(void)
{
    const struct whorl_memory_options options = {.latency_ns = 1};
    CHECK_OK(whorl_stream_pair(&options, &near_end, &far_end));
    received = 0;
}

static void end_pair(void)
{
    CHECK_EQ(received, 4);
    whorl_stream_close(near_end);
    whorl_stream_close(far_end);
}

static WHORL_SUSPENDS int count_bytes(void)
{
    struct whorl_case cases[] = {whorl_case_event(&quit), whorl_case_stream(near_end)};
    char byte;

    while (received < 4) {
        int k = whorl_select(cases, 2);
        if (k < 0)
            return k;
        received += (int)whorl_stream_try_read(near_end, &byte, 1);
    }
    return 0;
}

/* Continues after the cancel. */
static int count_all(void *arg)
{
    struct whorl_scope scope;
    (void)arg;
    cancel_scope_enter(&scope);
    int err = cancel_scope_leave(&scope, count_bytes());
    CHECK_OK(count_bytes());
    return err;
}

static int write_four(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        CHECK_OK(whorl_stream_write(far_end, "x", 1));
        CHECK_OK(whorl_sleep(i));
    }
    return 0;
}

TEST_SEEDS(select_on_a_stream_cancelled_at_any_point_loses_nothing)
{
    CHECK(cancel_everywhere(&(struct cancel_plan){count_all, write_four, 1, begin_pair, end_pair}) >
          0);
}

/* --- TLS -------------------------------------------------------------------------------------- */

struct tls_pair {
    struct whorl_tls_config *config;
    struct whorl_stream *far, *tls;
    struct tls_server *server;
};

static int server_handshake(void *server)
{
    return tls_server_handshake(server);
}

static WHORL_SUSPENDS_SHIELDED void open_tls(struct tls_pair *pair)
{
    struct whorl_tls_options options = {.ca_file = cert_path("ca.pem")};
    WHORL_AUTO(group) group = {0};
    struct whorl_stream *carrier;
    CHECK_OK(whorl_tls_config_create(&options, NULL, &pair->config));
    CHECK_OK(whorl_stream_pair(NULL, &carrier, &pair->far));
    pair->server = tls_server_create(pair->far, NULL);
    CHECK_OK(whorl_spawn(&group, server_handshake, pair->server));
    CHECK_OK(whorl_tls_connect(pair->config, carrier, "localhost", NULL, &pair->tls));
    CHECK_OK(whorl_group_wait(&group));
}

static void close_tls(struct tls_pair *pair)
{
    whorl_stream_close(pair->tls);
    tls_server_destroy(pair->server);
    whorl_tls_config_destroy(pair->config);
}

/* Sends a record byte by byte, one every 10 ns, and then a close_notify. */
static int drip_record(void *arg)
{
    struct tls_pair *pair = arg;
    unsigned char record[256];

    size_t len = tls_server_make_record(pair->server, 23, "secret", 6, record, sizeof record);
    CHECK(len > 6);
    for (size_t i = 0; i < len; i++) {
        CHECK_OK(whorl_sleep(10));
        CHECK_OK(whorl_stream_write(pair->far, record + i, 1));
    }
    test_log("sent@%d", (int)whorl_now());
    CHECK_OK(whorl_sleep(10));
    return tls_server_close_notify(pair->server);
}

/* A part of a record does not make the case ready. The select is cancelled after such a part has
 * arrived. */
TEST_VIRTUAL(select_waits_for_a_whole_tls_record_and_for_the_end)
{
    WHORL_AUTO(group) group = {0};
    struct tls_pair pair;
    char buf[8] = "";

    open_tls(&pair);
    CHECK_OK(whorl_spawn(&group, drip_record, &pair));
    struct whorl_case cases[] = {whorl_case_stream(pair.tls), whorl_case_deadline(whorl_after(55))};
    CHECK_EQ(whorl_select(cases, 2), 1);
    cases[1].ops = NULL;
    CHECK_EQ(whorl_select(cases, 2), 0);
    test_log("readable@%d", (int)whorl_now());
    CHECK_EQ(whorl_stream_try_read(pair.tls, buf, sizeof buf), 6);
    CHECK_STR(buf, "secret");
    char *log = strdup(test_logged());
    unsigned readable_at, sent_at;
    CHECK_EQ(sscanf(log, "sent@%u readable@%u", &sent_at, &readable_at), 2);
    CHECK_EQ(readable_at, sent_at);
    free(log);
    CHECK_EQ(whorl_select(cases, 2), 0);
    CHECK_EQ(whorl_now(), sent_at + 10);
    CHECK_OK(whorl_stream_try_read(pair.tls, buf, sizeof buf));
    CHECK_OK(whorl_stream_read(pair.tls, buf, sizeof buf));
    CHECK_OK(whorl_group_wait(&group));
    close_tls(&pair);
}

TEST_VIRTUAL(select_wakes_when_a_tls_stream_is_cut_off)
{
    struct tls_pair pair;
    char byte;

    open_tls(&pair);
    CHECK(!is_readable(pair.tls));
    CHECK_OK(whorl_stream_close_write(pair.far));
    CHECK(is_readable(pair.tls));
    CHECK_ERR(whorl_stream_try_read(pair.tls, &byte, 1), WHORL_ETLS_TRUNCATED);
    CHECK_ERR(whorl_stream_read(pair.tls, &byte, 1), WHORL_ETLS_TRUNCATED);
    close_tls(&pair);
}

TEST_VIRTUAL(select_waits_for_decrypted_bytes)
{
    struct tls_pair pair;
    char buf[8] = "";
    open_tls(&pair);
    CHECK(!is_readable(pair.tls));
    CHECK_OK(tls_server_write(pair.server, "secret", 6));
    CHECK(is_readable(pair.tls));
    CHECK_EQ(whorl_stream_try_read(pair.tls, buf, 3), 3);
    CHECK(is_readable(pair.tls)); /* it is decrypted, and no longer in the carrier */
    CHECK_OK(whorl_stream_read_exact(pair.tls, buf + 3, 3));
    CHECK_STR(buf, "secret");
    CHECK(!is_readable(pair.tls));
    CHECK_ERR(whorl_stream_try_read(pair.tls, buf, 3), -EAGAIN);
    close_tls(&pair);
}

/* --- failures --------------------------------------------------------------------------------- */

/* Selects on a stream that does not read ahead any more, with one fault. Returns its result. */
static WHORL_SUSPENDS_SHIELDED int select_with_a_fault(void (*arm)(uint64_t nth), uint64_t nth,
                                                       bool (*disarm)(void), bool *ret_failed)
{
    WHORL_AUTO(group) group = {0};
    struct source source = open_socket();
    struct whorl_case c = whorl_case_stream(source.stream);

    CHECK_OK(whorl_spawn(&group, put_soon, &source));
    arm(nth);
    CHECK_EQ(whorl_select(&c, 1), 0);
    *ret_failed = disarm();
    int result = c.result;
    CHECK_EQ(whorl_select(&c, 1), 0); /* the next one works */
    CHECK_OK(c.result);
    get(&source, "later");
    CHECK_OK(whorl_group_wait(&group));
    close(source.fd);
    whorl_stream_close(source.stream);
    return result;
}

static void fail_poll(uint64_t nth)
{
    io_faults_complete(nth, -EIO);
}

TEST_IO(select_reports_every_failed_allocation_and_request)
{
    bool failed = true;
    uint64_t nth = 0;

    while (failed) {
        int result = select_with_a_fault(faults_arm, ++nth, faults_disarm, &failed);
        CHECK_EQ(result, failed ? -ENOMEM : 0);
    }
    CHECK(nth > 2);
    CHECK_ERR(select_with_a_fault(io_faults_submit, 1, io_faults_disarm, &failed), -ENOMEM);
    CHECK(failed);
    CHECK_ERR(select_with_a_fault(fail_poll, 1, io_faults_disarm, &failed), -EIO);
    CHECK(failed);
}

TEST_MAIN()
