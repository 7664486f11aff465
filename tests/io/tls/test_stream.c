/* SPDX-License-Identifier: MIT */
/* TLS streams over memory: data, ends, cancellation, damaged data, and a server that misbehaves. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/task.h>
#include <whorl/tls.h>

#include "faults.h"
#include "io/tls/connect.h"
#include "memstream.h"
#include "test.h"
#include "tls_library.h"
#include "tls_pair.h"

enum { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECEIVED_ALERT = 256 };

static void init_pair(struct tls_pair *pair)
{
    tls_pair_init(pair, NULL, NULL);
}

TEST_VIRTUAL(data_passes_both_ways_in_any_chunking)
{
    tls_pair_check_chunking(init_pair);
}

TEST_VIRTUAL(handshake_takes_two_writes_and_a_request_one)
{
    struct tls_pair pair;
    struct iovec parts[] = {{"GET / HTTP/1.1\r\n", 16}, {"", 0}, {"Host: x\r\n\r\n", 11}};
    char buf[100];

    tls_pair_open(&pair);
    CHECK_EQ(memstream_writes(pair.carrier), 2);
    CHECK_OK(whorl_stream_writev(pair.tls, parts, 3));
    CHECK_EQ(memstream_writes(pair.carrier), 3);
    CHECK_EQ(tls_server_read(pair.server, buf, sizeof buf), 27);
    CHECK(memcmp(buf, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27) == 0);
    CHECK_OK(whorl_stream_writev(pair.tls, parts + 1, 1)); /* an empty write */
    CHECK_EQ(memstream_writes(pair.carrier), 3);
    CHECK_STR(pair.tls->ops->name, "tls");
    CHECK_EQ(whorl_stream_fd(pair.tls), -1);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(read_fills_the_buffer_from_several_records)
{
    struct tls_pair pair;
    char buf[1000];

    tls_pair_open(&pair);
    for (int i = 0; i < 5; i++)
        CHECK_OK(tls_server_write(pair.server, "0123456789", 10));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 15), 15);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 3), 3);
    CHECK(memcmp(buf, "567", 3) == 0);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 32);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 0), 0);
    tls_pair_finish(&pair);
}

enum { RECORD_SIZE = 16384, BULK_MAX = 128, MANY = BULK_MAX + 2 };

static char large[16 * RECORD_SIZE];

/* Lets the server send `count` full records, and reads them. Returns the largest number of records
 * that one read returned. */
static WHORL_SUSPENDS_SHIELDED size_t read_records(struct tls_pair *pair, size_t count)
{
    size_t most = 0;

    for (size_t i = 0; i < count; i++)
        CHECK_OK(tls_server_write(pair->server, large, RECORD_SIZE));
    for (size_t left = count * RECORD_SIZE; left > 0;) {
        ssize_t n = whorl_stream_read(pair->tls, large, sizeof large);
        CHECK(n > 0 && (size_t)n <= left);
        left -= (size_t)n;
        if ((size_t)n / RECORD_SIZE > most)
            most = (size_t)n / RECORD_SIZE;
    }
    return most;
}

TEST_VIRTUAL(full_records_that_arrive_together_are_read_together)
{
    struct tls_pair pair;

    tls_pair_open(&pair);
    CHECK_EQ(read_records(&pair, 1), 1);
    CHECK(read_records(&pair, 12) >= 4);
    CHECK(read_records(&pair, 12) >= 4);
    tls_stream_rest(pair.tls); /* it has the small buffer again, until it is filled */
    CHECK_EQ(read_records(&pair, 1), 1);
    CHECK(read_records(&pair, 12) >= 4);
    tls_pair_finish(&pair);
}

/* The others use less memory, and read each record by itself. */
TEST_VIRTUAL(large_buffers_are_for_128_streams_at_a_time)
{
    static struct tls_pair pairs[MANY];

    for (int i = 0; i < MANY; i++) {
        tls_pair_open(&pairs[i]);
        size_t most = read_records(&pairs[i], 12);
        CHECK(i < BULK_MAX ? most >= 4 : most <= 2);
    }
    tls_stream_rest(pairs[0].tls);
    CHECK(read_records(&pairs[MANY - 1], 12) >= 4);
    whorl_stream_close(pairs[1].tls);
    pairs[1].tls = NULL;
    CHECK(read_records(&pairs[MANY - 2], 12) >= 4);
    for (int i = 0; i < MANY; i++) {
        whorl_stream_close(pairs[i].tls);
        tls_server_destroy(pairs[i].server);
        whorl_tls_config_destroy(pairs[i].config);
    }
    CHECK_EQ(memstream_alive(), 0);
}

struct transfer {
    struct whorl_stream *tls;
    unsigned char *bytes;
    size_t len;
};

static int send_all(void *arg)
{
    struct transfer *transfer = arg;

    for (size_t at = 0; at < transfer->len; at += 10000) {
        size_t n = transfer->len - at < 10000 ? transfer->len - at : 10000;
        CHECK_OK(whorl_stream_write(transfer->tls, transfer->bytes + at, n));
    }
    return 0;
}

static int receive_all(void *arg)
{
    struct transfer *transfer = arg;

    CHECK_OK(whorl_stream_read_exact(transfer->tls, transfer->bytes, transfer->len));
    return 0;
}

/* With these small buffers, neither direction can finish unless both are served at the same
 * time. */
TEST_VIRTUAL(reader_and_writer_work_at_once)
{
    enum { LEN = 300000 };
    static const size_t capacities[] = {100, 5000, 20000};
    unsigned char *sent = malloc(LEN), *got = calloc(1, LEN);

    CHECK(sent && got);
    tls_pair_fill(sent, LEN, 7);
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        struct tls_pair pair;
        struct whorl_group servers = {0}, clients = {0};
        tls_pair_init(&pair, NULL, NULL);
        memstream_capacity(pair.carrier, capacities[i]);
        memstream_capacity(pair.far, capacities[i]);
        memstream_yield(pair.carrier, true);
        CHECK_OK(whorl_spawn(&servers, tls_pair_echo_or_fail, pair.server));
        CHECK_OK(whorl_tls_connect(pair.config, pair.carrier, "localhost", NULL, &pair.tls));
        struct transfer up = {pair.tls, sent, LEN}, down = {pair.tls, got, LEN};
        CHECK_OK(whorl_spawn(&clients, send_all, &up));
        CHECK_OK(whorl_spawn(&clients, receive_all, &down));
        CHECK_OK(whorl_group_wait(&clients));
        CHECK(memcmp(sent, got, LEN) == 0);
        memset(got, 0, LEN);
        whorl_stream_close(pair.tls);
        pair.tls = NULL;
        CHECK_OK(whorl_group_wait(&servers));
        tls_pair_finish(&pair);
    }
    free(sent);
    free(got);
}

TEST_VIRTUAL(close_notify_is_the_end)
{
    struct tls_pair pair;
    char buf[10];

    tls_pair_open(&pair);
    CHECK_OK(tls_server_write(pair.server, "bye", 3));
    CHECK_OK(tls_server_close_notify(pair.server));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 3);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 0);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 0);
    CHECK_EQ(tls_server_read(pair.server, buf, sizeof buf), 0); /* the close_notify was answered */
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -EPIPE);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 0);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(end_without_close_notify_is_truncation)
{
    struct tls_pair pair;
    char buf[10];

    tls_pair_open(&pair);
    CHECK_OK(tls_server_write(pair.server, "bye", 3));
    CHECK_OK(whorl_stream_close_write(pair.far));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 2), 2);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 2), 1);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, 2), WHORL_ETLS_TRUNCATED);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, 2), WHORL_ETLS_TRUNCATED);
    CHECK_OK(whorl_stream_write(pair.tls, "x", 1)); /* the other direction is not affected */
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(end_inside_a_record_is_truncation)
{
    unsigned char record[100];
    char buf[10];

    for (size_t cut = 1;; cut++) {
        struct tls_pair pair;
        tls_pair_open(&pair);
        size_t len = tls_server_make_record(pair.server, 23, "hello", 5, record, sizeof record);
        bool whole = cut == len;
        CHECK_OK(whorl_stream_write(pair.far, record, cut));
        CHECK_OK(whorl_stream_close_write(pair.far));
        if (whole)
            CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 5);
        CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_TRUNCATED);
        tls_pair_finish(&pair);
        if (whole)
            break;
    }
}

TEST_VIRTUAL(finish_says_goodbye_and_ends_both_directions)
{
    struct tls_pair pair;
    char buf[10];

    tls_pair_open(&pair);
    CHECK_OK(tls_server_write(pair.server, "unread", 6));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 1), 1); /* the rest stays in the engine */
    CHECK_OK(tls_server_write(pair.server, "unread too", 10));
    CHECK_OK(whorl_stream_close_write(pair.tls));
    CHECK_EQ(tls_server_read(pair.server, buf, sizeof buf), 0);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), -ESHUTDOWN);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -EPIPE);
    CHECK_OK(whorl_stream_close_write(pair.tls));
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(close_says_nothing_and_does_not_wait)
{
    struct tls_pair pair;
    char buf[10];

    tls_pair_open(&pair);
    whorl_stream_close(pair.tls);
    pair.tls = NULL;
    CHECK_EQ(memstream_pending(pair.far), 0);
    CHECK_ERR(tls_server_read(pair.server, buf, sizeof buf), -ECONNRESET);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(idle_means_nothing_came_and_nothing_waits)
{
    struct tls_pair pair;
    unsigned char record[100];
    char buf[10];

    tls_pair_open(&pair);
    CHECK(whorl_stream_is_idle(pair.tls));
    CHECK_OK(whorl_stream_write(pair.tls, "x", 1));
    CHECK(whorl_stream_is_idle(pair.tls));
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    CHECK(!whorl_stream_is_idle(pair.tls)); /* data waits in the carrier */
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 2), 2);
    CHECK(!whorl_stream_is_idle(pair.tls)); /* data waits in the engine */
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 2), 2);
    CHECK(whorl_stream_is_idle(pair.tls));

    /* The first bytes of a record, after a complete one. */
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    size_t len = tls_server_make_record(pair.server, 23, "more", 4, record, sizeof record);
    CHECK_OK(whorl_stream_write(pair.far, record, 3));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    CHECK(!whorl_stream_is_idle(pair.tls));
    CHECK_OK(whorl_stream_write(pair.far, record + 3, len - 4));
    CHECK_OK(whorl_stream_write(pair.far, record + len - 1, 1));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    CHECK(whorl_stream_is_idle(pair.tls));

    CHECK_OK(tls_server_close_notify(pair.server));
    CHECK(!whorl_stream_is_idle(pair.tls)); /* a close_notify waits to be read */
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 0);
    CHECK(!whorl_stream_is_idle(pair.tls));
    tls_pair_finish(&pair);

    tls_pair_open(&pair);
    CHECK_OK(whorl_stream_close_write(pair.far));
    CHECK(!whorl_stream_is_idle(pair.tls));
    tls_pair_finish(&pair);

    tls_pair_open(&pair);
    CHECK_OK(whorl_stream_close_write(pair.tls));
    CHECK(!whorl_stream_is_idle(pair.tls));
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(reset_is_reported_as_such)
{
    struct tls_pair pair;
    char buf[10];

    tls_pair_open(&pair);
    memstream_reset(pair.far);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), -ECONNRESET);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -ECONNRESET);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -ECONNRESET);
    CHECK(!whorl_stream_is_idle(pair.tls));
    CHECK_ERR(whorl_stream_close_write(pair.tls), -ECONNRESET);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(damaged_record_ends_the_stream)
{
    struct tls_pair pair;
    unsigned char record[100];
    char buf[10];

    tls_pair_open(&pair);
    CHECK_OK(tls_server_write(pair.server, "good", 4));
    size_t len = tls_server_make_record(pair.server, 23, "bad", 3, record, sizeof record);
    record[len - 1] ^= 1;
    CHECK_OK(whorl_stream_write(pair.far, record, len));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), WHORL_ETLS_PROTOCOL);
    CHECK(!whorl_stream_is_idle(pair.tls));
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(junk_instead_of_a_record_ends_the_stream)
{
    static const char *const junk[] = {"HTTP/1.1 400 Bad Request\r\n", "\x17\x03\x01\x00\x20",
                                       "\x17\x03\x03\xff\xff", "\x63\x03\x03\x00\x01\x01"};
    char buf[10];

    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
        struct tls_pair pair;
        tls_pair_open(&pair);
        CHECK_OK(whorl_stream_write(pair.far, junk[i], i == 3 ? 6 : 5));
        CHECK_OK(whorl_stream_close_write(pair.far));
        CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
        tls_pair_finish(&pair);
    }
}

TEST_VIRTUAL(fatal_alert_ends_the_stream)
{
    struct tls_pair pair;
    char buf[10];

    tls_pair_open(&pair);
    CHECK_OK(tls_server_send_record(pair.server, RECORD_ALERT, "\2\120", 2));
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_ALERT);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), WHORL_ETLS_ALERT);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(warning_alert_is_passed_over)
{
    struct tls_pair pair;
    char buf[10];

    tls_pair_open(&pair);
    CHECK_OK(tls_server_send_record(pair.server, RECORD_ALERT, "\1\132", 2)); /* user_canceled */
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    CHECK(whorl_stream_is_idle(pair.tls));
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(renegotiation_is_refused_by_the_reader)
{
    struct tls_pair pair;
    char buf[10];

    tls_pair_open(&pair);
    CHECK_OK(tls_server_send_record(pair.server, RECORD_HANDSHAKE, "\0\0\0\0", 4));
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    CHECK(!whorl_stream_is_idle(pair.tls)); /* the answer is not sent yet */
    struct whorl_scope scope;
    whorl_scope_enter(&scope, whorl_after(WHORL_SECOND));
    ssize_t n = whorl_stream_read(pair.tls, buf, sizeof buf);
    CHECK_ERR(whorl_scope_leave(&scope, (int)n), -ETIMEDOUT);
    CHECK(whorl_stream_is_idle(pair.tls));
    CHECK_ERR(tls_server_read(pair.server, buf, sizeof buf), -EPROTO);
    CHECK_EQ(tls_server_error(pair.server), RECEIVED_ALERT + 100);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(any_number_of_renegotiations_is_refused)
{
    static const int counts[] = {2, 15, 16, 17, 33, 2000};

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct tls_pair pair;
        char buf[10];
        tls_pair_open(&pair);
        for (int k = 0; k < counts[i]; k++)
            CHECK_OK(tls_server_send_record(pair.server, RECORD_HANDSHAKE, "\0\0\0\0", 4));
        CHECK_OK(tls_server_write(pair.server, "data", 4));
        CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
        CHECK_OK(whorl_stream_write(pair.tls, "more", 4)); /* queued after the answers */
        CHECK_ERR(tls_server_read(pair.server, buf, sizeof buf), -EPROTO);
        CHECK_EQ(tls_server_error(pair.server), RECEIVED_ALERT + 100);
        tls_pair_finish(&pair);
    }
}

/* RFC 5246 §7.4.1.1: servers should not repeat a HelloRequest. Other handshake messages are
 * refused. */
TEST_VIRTUAL(handshakes_that_make_no_sense_end_the_stream)
{
    static const struct {
        const char *bytes;
        size_t len;
    } messages[] = {
        {"\0\0\0\0\0\0\0\0", 8}, /* two in one record; OpenSSL answers both */
        {"\0\0\0\1\0", 5},       /* a HelloRequest that is not empty */
        {"\2\0\0\0", 4},         /* ServerHello */
        {"\24\0\0\0", 4},        /* Finished */
    };
    char buf[10];

    for (size_t i = tests_use_openssl(); i < sizeof messages / sizeof *messages; i++) {
        struct tls_pair pair;
        tls_pair_open(&pair);
        CHECK_OK(tls_server_send_record(pair.server, RECORD_HANDSHAKE, messages[i].bytes,
                                        messages[i].len));
        CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
        CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), WHORL_ETLS_PROTOCOL);
        tls_pair_finish(&pair);
    }
}

struct slow_write {
    struct whorl_stream *stream;
    const unsigned char *bytes;
    size_t len;
    int err;
};

static int write_slowly(void *arg)
{
    struct slow_write *job = arg;

    job->err = whorl_stream_write(job->stream, job->bytes, job->len);
    return 0;
}

/* Starts a writer that waits in the carrier, with most of its 100 KB unsent. */
static WHORL_SUSPENDS_SHIELDED void start_slow_write(struct tls_pair *pair,
                                                     struct whorl_group *group,
                                                     struct slow_write *job)
{
    static unsigned char bytes[100000];

    tls_pair_fill(bytes, sizeof bytes, 1);
    tls_pair_open(pair);
    memstream_capacity(pair->carrier, 1000);
    *job = (struct slow_write){pair->tls, bytes, sizeof bytes, 1};
    CHECK_OK(whorl_spawn(group, write_slowly, job));
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_EQ(memstream_pending(pair->far), 1000);
}

TEST_VIRTUAL(alert_goes_out_behind_a_write_at_work)
{
    struct tls_pair pair;
    struct whorl_group group = {0};
    struct slow_write job;
    char buf[4096];
    size_t got = 0;
    ssize_t n;

    start_slow_write(&pair, &group, &job);
    CHECK_OK(tls_server_send_record(pair.server, RECORD_HANDSHAKE, "\0\0\0\0", 4));
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    while ((n = tls_server_read(pair.server, buf, sizeof buf)) > 0) {
        CHECK(memcmp(job.bytes + got, buf, (size_t)n) == 0);
        got += (size_t)n;
    }
    CHECK_EQ(got, 16384); /* the alert comes after the record that was being sent */
    CHECK_ERR(n, -EPROTO);
    CHECK_EQ(tls_server_error(pair.server), RECEIVED_ALERT + 100);
    whorl_group_cancel(&group);
    whorl_group_finish(&group);
    CHECK_ERR(job.err, -ECANCELED);
    tls_pair_finish(&pair);
}

static int discard(void *arg)
{
    char buf[4096];
    ssize_t n;

    while ((n = whorl_stream_read(arg, buf, sizeof buf)) > 0)
        ;
    return 0;
}

/* There are more alerts than there is room for after a writer's record. The reader waits until the
 * writer has made progress, and then reads on. */
TEST_VIRTUAL(reader_waits_for_a_writer_when_its_alerts_find_no_room)
{
    struct tls_pair pair;
    struct whorl_group writers = {0}, far = {0};
    struct whorl_scope scope;
    struct slow_write job;
    char buf[100];

    start_slow_write(&pair, &writers, &job);
    for (int i = 0; i < 60; i++)
        CHECK_OK(tls_server_send_record(pair.server, RECORD_HANDSHAKE, "\0\0\0\0", 4));
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    whorl_scope_enter(&scope, whorl_after(WHORL_SECOND));
    ssize_t n = whorl_stream_read(pair.tls, buf, sizeof buf);
    CHECK_ERR(whorl_scope_leave(&scope, (int)n), -ETIMEDOUT);
    CHECK_OK(whorl_spawn(&far, discard, pair.far));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    CHECK_OK(whorl_group_wait(&writers));
    CHECK_OK(job.err);
    whorl_scope_enter(&scope, whorl_after(WHORL_SECOND));
    n = whorl_stream_read(pair.tls, buf, sizeof buf); /* sends the last alerts */
    CHECK_ERR(whorl_scope_leave(&scope, (int)n), -ETIMEDOUT);
    CHECK(memstream_written(pair.carrier) > job.len + (size_t)(60 * (5 + 16 + 2)));
    whorl_group_finish(&far);
    tls_pair_finish(&pair);
}

/* The same repeatedly, with one writer after the other. */
TEST_VIRTUAL(reader_waits_for_as_many_writers_as_it_takes)
{
    enum { HELLOS = 5000 };
    struct tls_pair pair;
    struct whorl_group writers = {0}, far = {0};
    struct slow_write job, others[10];
    char buf[100];

    start_slow_write(&pair, &writers, &job);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        others[i] = job;
        CHECK_OK(whorl_spawn(&writers, write_slowly, &others[i]));
    }
    for (int i = 0; i < HELLOS; i++)
        CHECK_OK(tls_server_send_record(pair.server, RECORD_HANDSHAKE, "\0\0\0\0", 4));
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    CHECK_OK(whorl_spawn(&far, discard, pair.far));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    CHECK_OK(whorl_group_wait(&writers));
    CHECK_OK(job.err);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK_OK(others[i].err);
    whorl_group_finish(&far);
    tls_pair_finish(&pair);
}

struct slow_reader {
    struct whorl_stream *stream;
    int64_t delay_ns;
};

static int read_later(void *arg)
{
    struct slow_reader *job = arg;
    char buf[100];

    int err = whorl_sleep(job->delay_ns);
    if (err)
        return err;
    CHECK(whorl_stream_read(job->stream, buf, sizeof buf) != 0);
    return 0;
}

/* The read is cancelled while half of its alert is sent: the rest must follow, or nothing more is
 * sent. */
TEST_VIRTUAL(cancelled_read_does_not_cut_its_alert_short)
{
    static const int64_t delays_ns[] = {WHORL_SECOND / 2, 2 * WHORL_SECOND};

    for (int i = 0; i < 2; i++) {
        struct tls_pair pair;
        struct whorl_group group = {0};
        struct whorl_scope scope;
        char buf[10];
        tls_pair_open(&pair);
        memstream_capacity(pair.carrier, 10);
        CHECK_OK(tls_server_send_record(pair.server, RECORD_HANDSHAKE, "\0\0\0\0", 4));
        struct slow_reader job = {pair.far, delays_ns[i]};
        CHECK_OK(whorl_spawn(&group, read_later, &job));
        CHECK_OK(whorl_spawn(&group, read_later, &job));
        CHECK_OK(whorl_spawn(&group, read_later, &job));
        int64_t start_ns = whorl_now();
        whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
        ssize_t n = whorl_stream_read(pair.tls, buf, sizeof buf);
        CHECK_ERR(whorl_scope_leave(&scope, (int)n), -ETIMEDOUT);
        CHECK_EQ(whorl_now() - start_ns, i == 0 ? delays_ns[0] : WHORL_SECOND);
        whorl_group_cancel(&group);
        whorl_group_finish(&group);
        memstream_capacity(pair.carrier, 0);
        CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), i == 0 ? 0 : -EPIPE);
        CHECK_OK(tls_server_write(pair.server, "data", 4));
        CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
        tls_pair_finish(&pair);
    }
}

static int send_slowly(void *arg)
{
    struct tls_pair *pair = arg;
    unsigned char record[100];

    for (int i = 0; i < 20; i++) {
        size_t len =
            tls_server_make_record(pair->server, 23, "0123456789", 10, record, sizeof record);
        for (size_t at = 0; at < len; at++) {
            CHECK_OK(whorl_stream_write(pair->far, record + at, 1));
            CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
        }
    }
    return 0;
}

TEST_VIRTUAL(cancelled_read_loses_no_byte)
{
    struct tls_pair pair;
    WHORL_AUTO(group) group = {0};
    char got[200], expected[201] = "";
    size_t len = 0;
    int timeouts = 0;

    tls_pair_open(&pair);
    CHECK_OK(whorl_spawn(&group, send_slowly, &pair));
    while (len < sizeof got) {
        struct whorl_scope scope;
        whorl_scope_enter(&scope, whorl_after(7 * WHORL_MILLISECOND));
        ssize_t n = whorl_stream_read(pair.tls, got + len, sizeof got - len);
        int err = whorl_scope_leave(&scope, n < 0 ? (int)n : 0);
        CHECK(err == 0 || err == -ETIMEDOUT);
        len += n > 0 ? (size_t)n : 0;
        timeouts += err != 0;
    }
    for (int i = 0; i < 20; i++)
        strcat(expected, "0123456789");
    CHECK(memcmp(got, expected, sizeof got) == 0);
    CHECK(timeouts > 50);
    CHECK_OK(whorl_group_wait(&group));
    CHECK(whorl_stream_is_idle(pair.tls));
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(read_and_write_are_cancel_points_also_when_ready)
{
    struct tls_pair pair;
    struct whorl_scope scope;
    char buf[10];

    tls_pair_open(&pair);
    CHECK_OK(tls_server_write(pair.server, "-data", 5));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 1), 1); /* the rest waits in the engine */
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), -ECANCELED);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -ECANCELED);
    CHECK_ERR(whorl_stream_close_write(pair.tls), -ECANCELED);
    whorl_scope_leave(&scope, 0);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(cancelled_write_leaves_a_stream_that_only_reads_and_closes)
{
    struct tls_pair pair;
    static char bytes[50000];
    struct whorl_scope scope;
    char buf[10];

    tls_pair_open(&pair);
    memstream_capacity(pair.carrier, 20000);
    whorl_scope_enter(&scope, whorl_after(WHORL_SECOND));
    int err = whorl_stream_write(pair.tls, bytes, sizeof bytes);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -EPIPE);
    CHECK_ERR(whorl_stream_close_write(pair.tls), -EPIPE);
    CHECK(!whorl_stream_is_idle(pair.tls));
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(streams_without_tls_have_no_suite)
{
    struct whorl_stream *a, *b;

    CHECK_OK(memstream_pair(&a, &b));
    CHECK(!whorl_tls_alpn(a));
    CHECK_STR(whorl_tls_suite(a), "none");
    whorl_stream_close(a);
    whorl_stream_close(b);
}

TEST_VIRTUAL(conversation_cancelled_anywhere_leaves_nothing)
{
    tls_pair_check_cancelling(init_pair);
}

TEST_VIRTUAL(connection_costs_what_it_should)
{
    struct tls_pair pair;

    tls_pair_open(&pair);
    long live = faults_live();
    whorl_stream_close(pair.tls);
    pair.tls = NULL;
    /* The stream, its two buffers and the engine, with BearSSL the areas for records: the verifier
     * is freed, the rest is shared. */
    CHECK_EQ(live - faults_live(), tests_use_openssl() ? 4 : 5);
    tls_pair_finish(&pair);
}

static WHORL_SUSPENDS int read_four(void *arg)
{
    char buf[4];

    return (int)whorl_stream_read(arg, buf, sizeof buf);
}

TEST_VIRTUAL(stream_at_rest_has_no_buffers_until_it_is_used)
{
    struct tls_pair pair;
    WHORL_AUTO(group) group = {0};
    char buf[10];

    tls_pair_open(&pair);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(whorl_stream_write(pair.tls, "x", 1));
        CHECK_EQ(tls_server_read(pair.server, buf, sizeof buf), 1);
        CHECK_OK(tls_server_write(pair.server, "data", 4));
        CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
        long live = faults_live();
        tls_stream_rest(pair.tls);
        CHECK_EQ(live - faults_live(), 3);
        CHECK(whorl_stream_is_idle(pair.tls));
        tls_stream_rest(pair.tls);
    }
    /* A task that reads keeps the buffers. */
    CHECK_OK(whorl_spawn(&group, read_four, pair.tls));
    CHECK_OK(whorl_yield());
    long live = faults_live();
    tls_stream_rest(pair.tls);
    CHECK_EQ(faults_live(), live);
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    CHECK_OK(whorl_group_wait(&group));
    /* So do records that were received and not read. */
    CHECK_OK(tls_server_write(pair.server, "1234", 4));
    CHECK_OK(tls_server_write(pair.server, "5678", 4));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 4), 4);
    live = faults_live();
    tls_stream_rest(pair.tls);
    CHECK_EQ(faults_live(), live);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 4), 4);
    CHECK(memcmp(buf, "5678", 4) == 0);
    tls_stream_rest(pair.tls);
    tls_stream_rest(NULL);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(stream_at_rest_that_gets_no_memory_can_be_used_later)
{
    struct tls_pair pair;
    char buf[10];
    uint64_t n = 0;
    bool hit;

    tls_pair_open(&pair);
    do {
        CHECK_OK(tls_server_write(pair.server, "data", 4));
        tls_stream_rest(pair.tls);
        faults_arm(++n);
        ssize_t got = whorl_stream_read(pair.tls, buf, sizeof buf);
        hit = faults_disarm();
        CHECK_EQ(got, hit ? -ENOMEM : 4);
        if (hit)
            CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    } while (hit);
    CHECK_EQ(n, tests_use_openssl() ? 3 : 4);
    tls_pair_finish(&pair);
}

TEST_MAIN()
