/* SPDX-License-Identifier: MIT */
/* TLS streams over memory: data, ends, cancellation, damaged data, and a server that misbehaves. */
#include <stdlib.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/tls.h>

#include "certs.h"
#include "faults.h"
#include "memstream.h"
#include "test.h"
#include "tls_library.h"
#include "tls_server.h"

enum { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECEIVED_ALERT = 256 };

static struct whorl_tls_config *new_config(const char *const *alpn)
{
    struct whorl_tls_options options = {.ca_file = cert_path("ca.pem"), .alpn = alpn};
    struct whorl_tls_config *config;

    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    return config;
}

/* A client and a server after the handshake. The test drives both, so what one of them does is
 * complete before the other continues. */
struct pair {
    struct whorl_tls_config *config;
    struct whorl_stream *carrier; /* the client's end; `tls` owns it once it exists */
    struct whorl_stream *far;     /* the server's end; `server` owns it */
    struct whorl_stream *tls;
    struct tls_server *server;
    struct whorl_error error;
    int err; /* result of the client's connect */
};

static int server_handshake(void *arg)
{
    struct pair *pair = arg;

    test_ignore(tls_server_handshake(pair->server));
    return 0;
}

static void pair_init(struct pair *pair, const struct tls_server_options *options,
                      const char *const *alpn)
{
    memset(pair, 0, sizeof *pair);
    pair->config = new_config(alpn);
    CHECK_OK(memstream_pair(&pair->carrier, &pair->far));
    pair->server = tls_server_create(pair->far, options);
}

/* Connects. It may fail; see pair->err. */
static WHORL_SUSPENDS_SHIELDED void pair_connect(struct pair *pair)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, server_handshake, pair));
    pair->err =
        whorl_tls_connect(pair->config, pair->carrier, "localhost", &pair->error, &pair->tls);
    if (pair->err) {
        whorl_stream_close(pair->carrier);
        pair->carrier = NULL;
    }
    CHECK_OK(whorl_group_wait(&group));
}

static WHORL_SUSPENDS_SHIELDED void pair_open(struct pair *pair)
{
    pair_init(pair, NULL, NULL);
    pair_connect(pair);
    CHECK_OK(pair->err);
}

static void pair_finish(struct pair *pair)
{
    whorl_stream_close(pair->tls);
    tls_server_destroy(pair->server);
    whorl_tls_config_destroy(pair->config);
    CHECK_EQ(memstream_alive(), 0);
}

static void fill(unsigned char *buf, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 8);
}

/* Echoes until the client closes, then closes. */
static int echo(void *arg)
{
    struct tls_server *server = arg;
    char buf[4096];
    ssize_t n;

    CHECK_OK(tls_server_handshake(server));
    while ((n = tls_server_read(server, buf, sizeof buf)) > 0)
        if (tls_server_write(server, buf, (size_t)n) != 0)
            break;
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void check_echo(struct whorl_stream *tls, size_t len)
{
    unsigned char *sent = malloc(len), *got = malloc(len);

    CHECK(sent && got);
    fill(sent, len, (unsigned)len);
    CHECK_OK(whorl_stream_write(tls, sent, len));
    CHECK_OK(whorl_stream_read_exact(tls, got, len));
    CHECK(memcmp(sent, got, len) == 0);
    free(sent);
    free(got);
}

TEST_VIRTUAL(data_passes_both_ways_in_any_chunking)
{
    static const size_t chunks[] = {0, 1, 5, 1000, 16384};
    static const size_t sizes[] = {1, 16383, 16384, 16385, 50000};

    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct pair pair;
        WHORL_AUTO(group) group = {0};
        pair_init(&pair, NULL, NULL);
        memstream_chunk(pair.carrier, chunks[i]);
        memstream_chunk(pair.far, chunks[i]);
        CHECK_OK(whorl_spawn(&group, echo, pair.server));
        CHECK_OK(whorl_tls_connect(pair.config, pair.carrier, "localhost", NULL, &pair.tls));
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++)
            check_echo(pair.tls, sizes[j]);
        whorl_stream_close(pair.tls);
        pair.tls = NULL;
        CHECK_OK(whorl_group_wait(&group));
        pair_finish(&pair);
    }
}

TEST_VIRTUAL(handshake_takes_two_writes_and_a_request_one)
{
    struct pair pair;
    struct iovec parts[] = {{"GET / HTTP/1.1\r\n", 16}, {"", 0}, {"Host: x\r\n\r\n", 11}};
    char buf[100];

    pair_open(&pair);
    CHECK_EQ(memstream_writes(pair.carrier), 2);
    CHECK_OK(whorl_stream_writev(pair.tls, parts, 3));
    CHECK_EQ(memstream_writes(pair.carrier), 3);
    CHECK_EQ(tls_server_read(pair.server, buf, sizeof buf), 27);
    CHECK(memcmp(buf, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27) == 0);
    CHECK_OK(whorl_stream_writev(pair.tls, parts + 1, 1)); /* an empty write */
    CHECK_EQ(memstream_writes(pair.carrier), 3);
    CHECK_STR(pair.tls->ops->name, "tls");
    CHECK_EQ(whorl_stream_fd(pair.tls), -1);
    pair_finish(&pair);
}

TEST_VIRTUAL(read_fills_the_buffer_from_several_records)
{
    struct pair pair;
    char buf[1000];

    pair_open(&pair);
    for (int i = 0; i < 5; i++)
        CHECK_OK(tls_server_write(pair.server, "0123456789", 10));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 15), 15);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 3), 3);
    CHECK(memcmp(buf, "567", 3) == 0);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 32);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 0), 0);
    pair_finish(&pair);
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
    fill(sent, LEN, 7);
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        struct pair pair;
        struct whorl_group servers = {0}, clients = {0};
        pair_init(&pair, NULL, NULL);
        memstream_capacity(pair.carrier, capacities[i]);
        memstream_capacity(pair.far, capacities[i]);
        memstream_yield(pair.carrier, true);
        CHECK_OK(whorl_spawn(&servers, echo, pair.server));
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
        pair_finish(&pair);
    }
    free(sent);
    free(got);
}

TEST_VIRTUAL(close_notify_is_the_end)
{
    struct pair pair;
    char buf[10];

    pair_open(&pair);
    CHECK_OK(tls_server_write(pair.server, "bye", 3));
    CHECK_OK(tls_server_close_notify(pair.server));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 3);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 0);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 0);
    CHECK_EQ(tls_server_read(pair.server, buf, sizeof buf), 0); /* the close_notify was answered */
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -EPIPE);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 0);
    pair_finish(&pair);
}

TEST_VIRTUAL(end_without_close_notify_is_truncation)
{
    struct pair pair;
    char buf[10];

    pair_open(&pair);
    CHECK_OK(tls_server_write(pair.server, "bye", 3));
    CHECK_OK(whorl_stream_close_write(pair.far));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 2), 2);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 2), 1);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, 2), WHORL_ETLS_TRUNCATED);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, 2), WHORL_ETLS_TRUNCATED);
    CHECK_OK(whorl_stream_write(pair.tls, "x", 1)); /* the other direction is not affected */
    pair_finish(&pair);
}

TEST_VIRTUAL(end_inside_a_record_is_truncation)
{
    unsigned char record[100];
    char buf[10];

    for (size_t cut = 1;; cut++) {
        struct pair pair;
        pair_open(&pair);
        size_t len = tls_server_make_record(pair.server, 23, "hello", 5, record, sizeof record);
        bool whole = cut == len;
        CHECK_OK(whorl_stream_write(pair.far, record, cut));
        CHECK_OK(whorl_stream_close_write(pair.far));
        if (whole)
            CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 5);
        CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_TRUNCATED);
        pair_finish(&pair);
        if (whole)
            break;
    }
}

TEST_VIRTUAL(finish_says_goodbye_and_ends_both_directions)
{
    struct pair pair;
    char buf[10];

    pair_open(&pair);
    CHECK_OK(tls_server_write(pair.server, "unread", 6));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 1), 1); /* the rest stays in the engine */
    CHECK_OK(tls_server_write(pair.server, "unread too", 10));
    CHECK_OK(whorl_stream_close_write(pair.tls));
    CHECK_EQ(tls_server_read(pair.server, buf, sizeof buf), 0);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), -ESHUTDOWN);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -EPIPE);
    CHECK_OK(whorl_stream_close_write(pair.tls));
    pair_finish(&pair);
}

TEST_VIRTUAL(close_says_nothing_and_does_not_wait)
{
    struct pair pair;
    char buf[10];

    pair_open(&pair);
    whorl_stream_close(pair.tls);
    pair.tls = NULL;
    CHECK_EQ(memstream_pending(pair.far), 0);
    CHECK_ERR(tls_server_read(pair.server, buf, sizeof buf), -ECONNRESET);
    pair_finish(&pair);
}

TEST_VIRTUAL(idle_means_nothing_came_and_nothing_waits)
{
    struct pair pair;
    unsigned char record[100];
    char buf[10];

    pair_open(&pair);
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
    pair_finish(&pair);

    pair_open(&pair);
    CHECK_OK(whorl_stream_close_write(pair.far));
    CHECK(!whorl_stream_is_idle(pair.tls));
    pair_finish(&pair);

    pair_open(&pair);
    CHECK_OK(whorl_stream_close_write(pair.tls));
    CHECK(!whorl_stream_is_idle(pair.tls));
    pair_finish(&pair);
}

TEST_VIRTUAL(reset_is_reported_as_such)
{
    struct pair pair;
    char buf[10];

    pair_open(&pair);
    memstream_reset(pair.far);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), -ECONNRESET);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -ECONNRESET);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -ECONNRESET);
    CHECK(!whorl_stream_is_idle(pair.tls));
    CHECK_ERR(whorl_stream_close_write(pair.tls), -ECONNRESET);
    pair_finish(&pair);
}

TEST_VIRTUAL(damaged_record_ends_the_stream)
{
    struct pair pair;
    unsigned char record[100];
    char buf[10];

    pair_open(&pair);
    CHECK_OK(tls_server_write(pair.server, "good", 4));
    size_t len = tls_server_make_record(pair.server, 23, "bad", 3, record, sizeof record);
    record[len - 1] ^= 1;
    CHECK_OK(whorl_stream_write(pair.far, record, len));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), WHORL_ETLS_PROTOCOL);
    CHECK(!whorl_stream_is_idle(pair.tls));
    pair_finish(&pair);
}

TEST_VIRTUAL(junk_instead_of_a_record_ends_the_stream)
{
    static const char *const junk[] = {"HTTP/1.1 400 Bad Request\r\n", "\x17\x03\x01\x00\x20",
                                       "\x17\x03\x03\xff\xff", "\x63\x03\x03\x00\x01\x01"};
    char buf[10];

    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
        struct pair pair;
        pair_open(&pair);
        CHECK_OK(whorl_stream_write(pair.far, junk[i], i == 3 ? 6 : 5));
        CHECK_OK(whorl_stream_close_write(pair.far));
        CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
        pair_finish(&pair);
    }
}

TEST_VIRTUAL(fatal_alert_ends_the_stream)
{
    struct pair pair;
    char buf[10];

    pair_open(&pair);
    CHECK_OK(tls_server_send_record(pair.server, RECORD_ALERT, "\2\120", 2));
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_ALERT);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), WHORL_ETLS_ALERT);
    pair_finish(&pair);
}

TEST_VIRTUAL(warning_alert_is_passed_over)
{
    struct pair pair;
    char buf[10];

    pair_open(&pair);
    CHECK_OK(tls_server_send_record(pair.server, RECORD_ALERT, "\1\132", 2)); /* user_canceled */
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    CHECK(whorl_stream_is_idle(pair.tls));
    pair_finish(&pair);
}

TEST_VIRTUAL(renegotiation_is_refused_by_the_reader)
{
    struct pair pair;
    char buf[10];

    pair_open(&pair);
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
    pair_finish(&pair);
}

TEST_VIRTUAL(any_number_of_renegotiations_is_refused)
{
    static const int counts[] = {2, 15, 16, 17, 33, 2000};

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct pair pair;
        char buf[10];
        pair_open(&pair);
        for (int k = 0; k < counts[i]; k++)
            CHECK_OK(tls_server_send_record(pair.server, RECORD_HANDSHAKE, "\0\0\0\0", 4));
        CHECK_OK(tls_server_write(pair.server, "data", 4));
        CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
        CHECK_OK(whorl_stream_write(pair.tls, "more", 4)); /* queued after the answers */
        CHECK_ERR(tls_server_read(pair.server, buf, sizeof buf), -EPROTO);
        CHECK_EQ(tls_server_error(pair.server), RECEIVED_ALERT + 100);
        pair_finish(&pair);
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
        struct pair pair;
        pair_open(&pair);
        CHECK_OK(tls_server_send_record(pair.server, RECORD_HANDSHAKE, messages[i].bytes,
                                        messages[i].len));
        CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
        CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), WHORL_ETLS_PROTOCOL);
        pair_finish(&pair);
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
static WHORL_SUSPENDS_SHIELDED void start_slow_write(struct pair *pair, struct whorl_group *group,
                                                     struct slow_write *job)
{
    static unsigned char bytes[100000];

    fill(bytes, sizeof bytes, 1);
    pair_open(pair);
    memstream_capacity(pair->carrier, 1000);
    *job = (struct slow_write){pair->tls, bytes, sizeof bytes, 1};
    CHECK_OK(whorl_spawn(group, write_slowly, job));
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_EQ(memstream_pending(pair->far), 1000);
}

TEST_VIRTUAL(alert_goes_out_behind_a_write_at_work)
{
    struct pair pair;
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
    pair_finish(&pair);
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
    struct pair pair;
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
    pair_finish(&pair);
}

/* The same repeatedly, with one writer after the other. */
TEST_VIRTUAL(reader_waits_for_as_many_writers_as_it_takes)
{
    enum { HELLOS = 5000 };
    struct pair pair;
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
    pair_finish(&pair);
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
        struct pair pair;
        struct whorl_group group = {0};
        struct whorl_scope scope;
        char buf[10];
        pair_open(&pair);
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
        pair_finish(&pair);
    }
}

static int send_slowly(void *arg)
{
    struct pair *pair = arg;
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
    struct pair pair;
    WHORL_AUTO(group) group = {0};
    char got[200], expected[201] = "";
    size_t len = 0;
    int timeouts = 0;

    pair_open(&pair);
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
    pair_finish(&pair);
}

TEST_VIRTUAL(read_and_write_are_cancel_points_also_when_ready)
{
    struct pair pair;
    struct whorl_scope scope;
    char buf[10];

    pair_open(&pair);
    CHECK_OK(tls_server_write(pair.server, "-data", 5));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 1), 1); /* the rest waits in the engine */
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), -ECANCELED);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -ECANCELED);
    CHECK_ERR(whorl_stream_close_write(pair.tls), -ECANCELED);
    whorl_scope_leave(&scope, 0);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    pair_finish(&pair);
}

TEST_VIRTUAL(cancelled_write_leaves_a_stream_that_only_reads_and_closes)
{
    struct pair pair;
    static char bytes[50000];
    struct whorl_scope scope;
    char buf[10];

    pair_open(&pair);
    memstream_capacity(pair.carrier, 20000);
    whorl_scope_enter(&scope, whorl_after(WHORL_SECOND));
    int err = whorl_stream_write(pair.tls, bytes, sizeof bytes);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -EPIPE);
    CHECK_ERR(whorl_stream_close_write(pair.tls), -EPIPE);
    CHECK(!whorl_stream_is_idle(pair.tls));
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    pair_finish(&pair);
}

TEST_VIRTUAL(suite_follows_the_server)
{
    static const struct {
        uint16_t suite;
        const char *cert, *name;
    } cases[] = {
        {BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "good-ec", "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "good-ec", "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "good-ec",
         "ECDHE-ECDSA-CHACHA20-POLY1305"},
        {BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "good", "ECDHE-RSA-AES128-GCM-SHA256"},
        {BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "good", "ECDHE-RSA-AES256-GCM-SHA384"},
        {BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "good", "ECDHE-RSA-CHACHA20-POLY1305"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_server_options options = {
            .cert = cases[i].cert, .suites = &cases[i].suite, .suites_count = 1};
        struct pair pair;
        char buf[10];
        pair_init(&pair, &options, NULL);
        pair_connect(&pair);
        CHECK_OK(pair.err);
        CHECK_STR(whorl_tls_suite(pair.tls), cases[i].name);
        CHECK(!whorl_tls_alpn(pair.tls));
        CHECK_STR(tls_server_sni(pair.server), "localhost");
        CHECK_OK(tls_server_write(pair.server, "data", 4));
        CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
        pair_finish(&pair);
    }
}

TEST_VIRTUAL(server_without_a_common_suite_refuses)
{
    static const uint16_t cbc = BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256;
    struct tls_server_options options = {.suites = &cbc, .suites_count = 1};
    struct pair pair;

    pair_init(&pair, &options, NULL);
    pair_connect(&pair);
    CHECK_ERR(pair.err, WHORL_ETLS_ALERT);
    CHECK_STR(pair.error.text, "localhost sent alert handshake_failure (40)");
    pair_finish(&pair);
}

TEST_VIRTUAL(server_with_an_older_version_is_refused)
{
    static const unsigned char hello[] = {22, 3, 2, 0,        42,          2,           0,       0,
                                          38, 3, 2, [43] = 0, [44] = 0xc0, [45] = 0x2f, [46] = 0};
    static const unsigned char alert[] = {21, 3, 1, 0, 2, 2, 70};
    static const struct {
        const unsigned char *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        {hello, sizeof hello, "localhost does not speak %s"},
        {alert, sizeof alert, "localhost sent alert protocol_version (70): it does not speak %s"},
    };
    char expected[100];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct whorl_tls_config *config = new_config(NULL);
        struct whorl_stream *client, *server, *stream;
        struct whorl_error error;
        CHECK_OK(memstream_pair(&client, &server));
        CHECK_OK(whorl_stream_write(server, cases[i].bytes, cases[i].len));
        CHECK_OK(whorl_stream_close_write(server));
        CHECK_ERR(whorl_tls_connect(config, client, "localhost", &error, &stream),
                  WHORL_ETLS_VERSION);
        snprintf(expected, sizeof expected, cases[i].text, tests_tls_versions());
        CHECK_STR(error.text, expected);
        whorl_stream_close(client);
        whorl_stream_close(server);
        whorl_tls_config_destroy(config);
    }
}

TEST_VIRTUAL(protocol_is_settled_by_alpn)
{
    static const char *const offered[] = {"h2", "http/1.1", NULL};
    const char *known[] = {"http/1.1"};
    struct tls_server_options options = {.alpn = known, .alpn_count = 1};
    struct pair pair;

    pair_init(&pair, &options, offered);
    pair_connect(&pair);
    CHECK_OK(pair.err);
    CHECK_STR(whorl_tls_alpn(pair.tls), "http/1.1");
    CHECK_STR(tls_server_alpn(pair.server), "http/1.1");
    pair_finish(&pair);

    pair_init(&pair, NULL, offered);
    pair_connect(&pair);
    CHECK_OK(pair.err);
    CHECK(!whorl_tls_alpn(pair.tls));
    pair_finish(&pair);
}

TEST_VIRTUAL(server_in_another_protocol_is_recognised)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "localhost: server answers in plain HTTP"},
        {"HT", "localhost: server answers in plain HTTP"},
        {"<html>", "localhost: server answers in plain HTTP"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "localhost: server answers in SSH"},
        {"220 mail ESMTP\r\n", "localhost: server answers in SMTP or FTP"},
        {"\x80\x2e\x01", "localhost: server answers in another protocol than TLS"},
        {"\x16\x02", "localhost: server answers in another protocol than TLS"},
        {"\x17\x03\x03", "localhost: server answers in another protocol than TLS"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct whorl_tls_config *config = new_config(NULL);
        struct whorl_stream *client, *server, *stream;
        struct whorl_error error;
        CHECK_OK(memstream_pair(&client, &server));
        CHECK_OK(whorl_stream_write(server, cases[i].bytes, strlen(cases[i].bytes)));
        CHECK_ERR(whorl_tls_connect(config, client, "localhost", &error, &stream),
                  WHORL_ETLS_NOTTLS);
        CHECK_STR(error.text, cases[i].text);
        whorl_stream_close(client);
        whorl_stream_close(server);
        whorl_tls_config_destroy(config);
    }
}

TEST_VIRTUAL(connection_lost_in_the_handshake_is_reported)
{
    struct whorl_tls_config *config = new_config(NULL);
    struct whorl_stream *client, *server, *stream;
    struct whorl_error error;

    CHECK_OK(memstream_pair(&client, &server));
    CHECK_OK(whorl_stream_close_write(server));
    CHECK_ERR(whorl_tls_connect(config, client, "localhost", &error, &stream),
              WHORL_ETLS_HANDSHAKE);
    CHECK_STR(error.text, "localhost: server closed the connection during the handshake");
    memstream_reset(server);
    CHECK_ERR(whorl_tls_connect(config, client, "localhost", &error, &stream), -ECONNRESET);
    CHECK_STR(error.text, "localhost: connection reset by peer during the handshake");
    whorl_stream_close(client);
    whorl_stream_close(server);
    whorl_tls_config_destroy(config);
}

TEST_VIRTUAL(reason_of_a_server_that_hung_up_is_heard)
{
    struct whorl_tls_config *config = new_config(NULL);
    struct whorl_stream *client, *server, *stream;
    struct whorl_error error;

    CHECK_OK(memstream_pair(&client, &server));
    CHECK_OK(whorl_stream_write(server, "\x15\3\3\0\2\2\x70", 7));
    whorl_stream_close(server); /* the server is closed when the hello arrives */
    CHECK_ERR(whorl_tls_connect(config, client, "localhost", &error, &stream), WHORL_ETLS_ALERT);
    CHECK_STR(error.text, "localhost sent alert unrecognized_name (112)");
    CHECK_ERR(whorl_tls_connect(config, client, "localhost", &error, &stream), -EPIPE);
    CHECK_STR(error.text, "localhost: broken pipe during the handshake");
    whorl_stream_close(client);
    whorl_tls_config_destroy(config);
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

/* A server whose signatures always have the same length. */
static const struct tls_server_options rsa_server = {.cert = "good"};

/* Records the server's side of a handshake. Its signature matches no other client, so the recording
 * is usable only for cuts before the end of its first flight. */
static WHORL_SUSPENDS_SHIELDED size_t record_flight(unsigned char *flight, size_t size)
{
    struct pair pair;
    size_t len = 0;

    pair_init(&pair, &rsa_server, NULL);
    memstream_tap(pair.far, flight, size, &len);
    pair_connect(&pair);
    CHECK_OK(pair.err);
    pair_finish(&pair);
    return len;
}

TEST_VIRTUAL(handshake_cut_at_any_byte_fails_clearly)
{
    unsigned char flight[8192];
    size_t len = record_flight(flight, sizeof flight), flight_len = 0;
    struct whorl_tls_config *config = new_config(NULL);
    struct whorl_stream *client, *server, *stream;
    struct whorl_error error;

    tests_start_threads();
    /* ChangeCipherSpec and Finished follow. The length of the latter depends on the cipher. */
    while (flight[flight_len] != 20) {
        flight_len += 5 + (size_t)(flight[flight_len + 3] << 8 | flight[flight_len + 4]);
        CHECK(flight_len < len);
    }
    long live = 0; /* blocks after the first handshake: the config keeps what engines share */
    for (size_t cut = 0; cut < flight_len; cut += cut < 150 ? 1 : 7) {
        CHECK_OK(memstream_pair(&client, &server));
        CHECK_OK(whorl_stream_write(server, flight, cut));
        CHECK_OK(whorl_stream_close_write(server));
        int err = whorl_tls_connect(config, client, "localhost", &error, &stream);
        /* Near the end the signature does not match. */
        CHECK_ERR(err, WHORL_ETLS_HANDSHAKE);
        CHECK_EQ(error.code, err);
        whorl_stream_close(client);
        whorl_stream_close(server);
        live = live ? live : faults_live();
        CHECK_EQ(faults_live(), live);
    }
    whorl_tls_config_destroy(config);
    for (size_t cut = flight_len; cut <= len; cut++) {
        struct pair pair;
        pair_init(&pair, &rsa_server, NULL);
        memstream_cut(pair.far, cut);
        pair_connect(&pair);
        CHECK_ERR(pair.err, cut < len ? WHORL_ETLS_HANDSHAKE : 0);
        pair_finish(&pair);
    }
}

TEST_VIRTUAL(handshake_damaged_at_any_byte_fails)
{
    unsigned char flight[8192];
    size_t len = record_flight(flight, sizeof flight);
    struct whorl_tls_config *config = new_config(NULL);
    struct whorl_stream *client, *server, *stream;

    for (size_t at = 0; at < len; at += at < 100 ? 1 : 7) {
        CHECK_OK(memstream_pair(&client, &server));
        flight[at] ^= 0x41;
        CHECK_OK(whorl_stream_write(server, flight, len));
        CHECK_OK(whorl_stream_close_write(server));
        flight[at] ^= 0x41;
        CHECK(whorl_tls_connect(config, client, "localhost", NULL, &stream) < 0);
        whorl_stream_close(client);
        whorl_stream_close(server);
    }
    whorl_tls_config_destroy(config);
}

struct countdown {
    struct whorl_scope *scope;
    unsigned calls, at;
};

static void cancel_at(void *arg)
{
    struct countdown *countdown = arg;

    if (++countdown->calls == countdown->at)
        whorl_scope_cancel(countdown->scope);
}

/* Cancelled before each call that may wait, one after the other, until there are no more. */
TEST_VIRTUAL(handshake_cancelled_anywhere_leaves_the_carrier)
{
    bool reached = true;
    unsigned at;

    tests_start_threads();
    for (at = 1; reached; at++) {
        struct pair pair;
        struct whorl_scope scope;
        struct countdown countdown = {&scope, 0, at};
        WHORL_AUTO(group) group = {0};
        pair_init(&pair, NULL, NULL);
        long live = faults_live();
        memstream_chunk(pair.carrier, 200);
        CHECK_OK(whorl_spawn(&group, server_handshake, &pair));
        whorl_scope_enter(&scope, WHORL_FOREVER);
        memstream_hook(pair.carrier, cancel_at, &countdown);
        int err = whorl_tls_connect(pair.config, pair.carrier, "localhost", &pair.error, &pair.tls);
        memstream_hook(pair.carrier, NULL, NULL);
        whorl_scope_leave(&scope, 0);
        reached = countdown.calls >= at;
        CHECK_ERR(err, reached ? -ECANCELED : 0);
        if (reached) {
            CHECK_STR(pair.error.text, "localhost: cancelled during the handshake");
            CHECK(faults_live() <= live + 1); /* the carrier's queue may have grown */
            CHECK(memstream_alive() == 1);
            /* Still owned by the caller, still open. */
            CHECK_OK(whorl_stream_write(pair.carrier, "x", 1));
            whorl_stream_close(pair.carrier);
        }
        CHECK_OK(whorl_group_wait(&group));
        pair_finish(&pair);
    }
    CHECK(at > 6);
}

/* Echoes until a call fails. */
static int echo_or_not(void *arg)
{
    struct tls_server *server = arg;
    char buf[4096];
    ssize_t n = tls_server_handshake(server);

    while (n == 0 && (n = tls_server_read(server, buf, sizeof buf)) > 0)
        n = tls_server_write(server, buf, (size_t)n);
    return 0;
}

static WHORL_SUSPENDS int converse(struct pair *pair)
{
    enum { LEN = 40000 };
    static unsigned char sent[LEN], got[LEN];
    int err = whorl_tls_connect(pair->config, pair->carrier, "localhost", &pair->error, &pair->tls);

    fill(sent, LEN, 3);
    if (err == 0)
        err = whorl_stream_write(pair->tls, sent, LEN);
    if (err == 0)
        err = whorl_stream_read_exact(pair->tls, got, LEN);
    if (err == 0) {
        CHECK(memcmp(sent, got, LEN) == 0);
        err = whorl_stream_close_write(pair->tls);
    }
    return err;
}

TEST_VIRTUAL(conversation_cancelled_anywhere_leaves_nothing)
{
    bool reached = true;
    unsigned at;
    long live = 0; /* blocks after the first round: the runtime keeps its stacks */

    tests_start_threads();
    for (at = 1; reached; at++) {
        struct pair pair;
        struct whorl_scope scope;
        struct countdown countdown = {&scope, 0, at};
        struct whorl_group group = {0};
        pair_init(&pair, NULL, NULL);
        memstream_chunk(pair.carrier, 3000);
        CHECK_OK(whorl_spawn(&group, echo_or_not, pair.server));
        whorl_scope_enter(&scope, WHORL_FOREVER);
        memstream_hook(pair.carrier, cancel_at, &countdown);
        int err = converse(&pair);
        whorl_scope_leave(&scope, 0);
        reached = countdown.calls >= at;
        CHECK_ERR(err, reached ? -ECANCELED : 0);
        whorl_stream_close(pair.tls ? pair.tls : pair.carrier);
        pair.tls = NULL;
        CHECK_OK(whorl_group_wait(&group));
        pair_finish(&pair);
        live = live ? live : faults_live();
        CHECK_EQ(faults_live(), live);
    }
    CHECK(at > 20);
}

TEST_VIRTUAL(every_failing_allocation_of_a_handshake_is_reported)
{
    uint64_t n = 0;
    bool hit;

    tests_start_threads();
    do {
        struct pair pair;
        WHORL_AUTO(group) group = {0};
        pair_init(&pair, NULL, NULL);
        CHECK_OK(whorl_spawn(&group, server_handshake, &pair));
        faults_arm(++n);
        pair.err =
            whorl_tls_connect(pair.config, pair.carrier, "localhost", &pair.error, &pair.tls);
        hit = faults_disarm();
        CHECK_ERR(pair.err, hit ? -ENOMEM : 0);
        if (pair.err) {
            CHECK(strstr(pair.error.text, "memory"));
            whorl_stream_close(pair.carrier);
        }
        CHECK_OK(whorl_group_wait(&group));
        pair_finish(&pair);
    } while (hit);
    CHECK(n > 1); /* test_engine.c does the same with the engine */
}

TEST_VIRTUAL(connection_costs_what_it_should)
{
    struct pair pair;

    pair_open(&pair);
    long live = faults_live();
    whorl_stream_close(pair.tls);
    pair.tls = NULL;
    CHECK_EQ(live - faults_live(),
             2); /* the stream and the engine: the verifier is freed, the rest is shared */
    pair_finish(&pair);
}

TEST_VIRTUAL(keys_are_logged_when_asked_for)
{
    char path[400], line[300];
    struct pair pair;

    snprintf(path, sizeof path, "%s/keys", test_tmpdir());
    setenv("SSLKEYLOGFILE", path, 1);
    pair_open(&pair);
    pair_finish(&pair);
    pair_open(&pair);
    pair_finish(&pair);
    unsetenv("SSLKEYLOGFILE");
    FILE *file = fopen(path, "re");
    CHECK(file);
    for (int i = 0; i < 2; i++) {
        CHECK(fgets(line, sizeof line, file));
        CHECK_EQ(strlen(line), 14 + 64 + 1 + 96 + 1);
        CHECK(strncmp(line, "CLIENT_RANDOM ", 14) == 0);
        CHECK_EQ(strspn(line + 14, "0123456789abcdef"), 64);
        CHECK_EQ(strspn(line + 79, "0123456789abcdef"), 96);
    }
    CHECK(!fgets(line, sizeof line, file));
    fclose(file);
}

TEST_MAIN()
