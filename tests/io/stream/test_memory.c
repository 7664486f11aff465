/* SPDX-License-Identifier: MIT */
/* Streams in memory: they behave like sockets, on virtual time. */
#include <stdlib.h>
#include <string.h>

#include <whorl.h>

#include "cancel.h"
#include "faults.h"
#include "test.h"

#define MS WHORL_MILLISECOND

struct pair {
    struct whorl_stream *a, *b;
};

static struct pair pair_of(struct whorl_memory_options options)
{
    struct pair pair;
    CHECK_OK(whorl_stream_pair(&options, &pair.a, &pair.b));
    return pair;
}

static void close_pair(struct pair *pair)
{
    whorl_stream_close(pair->a);
    whorl_stream_close(pair->b);
}

TEST_VIRTUAL(bytes_pass_in_both_directions_until_each_end)
{
    struct pair p = pair_of((struct whorl_memory_options){0});
    char buf[16] = "";
    CHECK_OK(whorl_stream_write(p.a, "ping", 4));
    CHECK_OK(whorl_stream_write(p.b, "pong!", 5));
    CHECK_ERR(whorl_stream_read(p.b, buf, sizeof buf), 4);
    CHECK_STR(buf, "ping");
    CHECK(whorl_stream_is_idle(p.b));
    CHECK(!whorl_stream_is_idle(p.a));
    CHECK_OK(whorl_stream_close_write(p.a));
    CHECK_ERR(whorl_stream_write(p.a, "x", 1), -EPIPE);
    CHECK_ERR(whorl_stream_read(p.b, buf, sizeof buf), 0);
    CHECK(!whorl_stream_is_idle(p.b));
    CHECK_ERR(whorl_stream_read(p.a, buf, sizeof buf), 5); /* the other direction is open */
    CHECK_EQ(whorl_stream_fd(p.a), -1);
    close_pair(&p);
}

TEST_VIRTUAL(bytes_written_before_the_close_can_be_read)
{
    struct pair p = pair_of((struct whorl_memory_options){0});
    char buf[16];
    CHECK_OK(whorl_stream_write(p.a, "last", 4));
    whorl_stream_close(p.a);
    CHECK_ERR(whorl_stream_write(p.b, "x", 1), -EPIPE);
    CHECK_ERR(whorl_stream_read(p.b, buf, sizeof buf), 4);
    CHECK_ERR(whorl_stream_read(p.b, buf, sizeof buf), 0);
    whorl_stream_close(p.b);
}

static int read_one(void *arg)
{
    char byte;
    return (int)whorl_stream_read(arg, &byte, 1);
}

static int write_much(void *arg)
{
    static char bytes[1000];
    return whorl_stream_write(arg, bytes, sizeof bytes);
}

TEST_VIRTUAL(a_close_wakes_the_peers_reader_and_writer)
{
    struct pair p = pair_of((struct whorl_memory_options){.capacity = 10});
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    CHECK_OK(whorl_spawn(&group, read_one, p.a));
    CHECK_OK(whorl_spawn(&group, write_much, p.a));
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_EQ(whorl_group_alive(&group), 2);
    whorl_stream_close(p.b);
    CHECK_ERR(whorl_group_wait(&group), -EPIPE); /* the writer */
    CHECK_EQ(group.succeeded, 1);                /* the reader */
    whorl_stream_close(p.a);
}

TEST_VIRTUAL(bytes_and_the_end_arrive_after_the_latency)
{
    struct pair p = pair_of((struct whorl_memory_options){.latency_ns = 10 * MS});
    char buf[16];
    int64_t start = whorl_now();
    CHECK_OK(whorl_stream_write(p.a, "one", 3));
    CHECK_OK(whorl_sleep(4 * MS));
    CHECK_OK(whorl_stream_write(p.a, "two", 3));
    CHECK_OK(whorl_stream_close_write(p.a));
    CHECK(whorl_stream_is_idle(p.b));
    CHECK_ERR(whorl_stream_read(p.b, buf, sizeof buf), 3);
    CHECK_EQ(whorl_now() - start, 10 * MS);
    CHECK_ERR(whorl_stream_read(p.b, buf, 1), 1);
    CHECK_EQ(whorl_now() - start, 14 * MS);
    CHECK_ERR(whorl_stream_read(p.b, buf, sizeof buf), 2);
    CHECK_ERR(whorl_stream_read(p.b, buf, sizeof buf), 0);
    CHECK_EQ(whorl_now() - start, 14 * MS);
    close_pair(&p);
}

TEST_VIRTUAL(the_end_takes_the_latency_too)
{
    struct pair p = pair_of((struct whorl_memory_options){.latency_ns = 10 * MS});
    char byte;
    CHECK_OK(whorl_stream_close_write(p.a));
    int64_t start = whorl_now();
    CHECK(whorl_stream_is_idle(p.b));
    CHECK_ERR(whorl_stream_read(p.b, &byte, 1), 0);
    CHECK_EQ(whorl_now() - start, 10 * MS);
    close_pair(&p);
}

TEST_VIRTUAL(a_writer_waits_while_the_capacity_is_used)
{
    struct pair p = pair_of((struct whorl_memory_options){.capacity = 600});
    WHORL_AUTO(group) group = {0};
    char buf[500];
    CHECK_OK(whorl_spawn(&group, write_much, p.a));
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_EQ(whorl_group_alive(&group), 1);
    CHECK_OK(whorl_stream_read_exact(p.b, buf, 500));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_stream_read_exact(p.b, buf, 500));
    close_pair(&p);
}

struct sending {
    struct whorl_stream *stream;
    const unsigned char *bytes;
    size_t len;
    unsigned seed;
};

static int send_in_pieces(void *arg)
{
    struct sending *sending = arg;
    int err = 0;
    for (size_t at = 0; at < sending->len && err == 0;) {
        size_t n = 1 + (size_t)rand_r(&sending->seed) % 300;
        n = n < sending->len - at ? n : sending->len - at;
        struct iovec parts[] = {{(void *)(uintptr_t)(sending->bytes + at), n / 2},
                                {(void *)(uintptr_t)(sending->bytes + at + n / 2), n - n / 2}};
        err = whorl_stream_writev(sending->stream, parts, 2);
        at += n;
        if (err == 0 && rand_r(&sending->seed) % 4 == 0)
            err = whorl_sleep(rand_r(&sending->seed) % 20 * MS);
    }
    return err ? err : whorl_stream_close_write(sending->stream);
}

TEST_SEEDS(what_is_written_in_any_pieces_is_read_once_and_in_order)
{
    static unsigned char bytes[20000];
    unsigned seed = (unsigned)test_seed();
    struct whorl_memory_options options = {
        .capacity = 1 + (size_t)rand_r(&seed) % 500,
        .read_max = (size_t)rand_r(&seed) % 40,
        .latency_ns = rand_r(&seed) % 3 * 5 * MS,
    };
    struct pair p = pair_of(options);
    WHORL_AUTO(group) group = {0};
    char *got;
    size_t len;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)rand_r(&seed);
    CHECK_OK(whorl_spawn_copy(&group, send_in_pieces,
                              &(struct sending){p.a, bytes, sizeof bytes, seed}));
    CHECK_OK(whorl_stream_read_to_end(p.b, sizeof bytes, &got, &len));
    CHECK_EQ(len, sizeof bytes);
    CHECK_EQ(memcmp(got, bytes, len), 0);
    free(got);
    CHECK_OK(whorl_group_wait(&group));
    close_pair(&p);
}

/* --- cancellation ----------------------------------------------------------------------------- */

static struct pair shared;
static size_t received;

static void begin(void)
{
    shared = pair_of((struct whorl_memory_options){.capacity = 8, .latency_ns = MS});
    received = 0;
}

static void end(void)
{
    close_pair(&shared);
}

/* Reads until the end, also when a read is cancelled; loses nothing. */
static int read_all(void *arg)
{
    ssize_t n = 1;
    (void)arg;
    while (n != 0) {
        struct whorl_scope scope;
        char buf[5];
        cancel_scope_enter(&scope);
        n = whorl_stream_read(shared.b, buf, sizeof buf);
        int err = cancel_scope_leave(&scope, n < 0 ? (int)n : 0);
        CHECK(err == 0 || err == -ECANCELED);
        if (n > 0)
            received += (size_t)n;
    }
    CHECK_EQ(received, 30);
    return 0;
}

static int write_all(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_stream_write(shared.a, "0123456789012345678901234567890", 30));
    return whorl_stream_close_write(shared.a);
}

TEST_SEEDS(a_read_that_is_cancelled_anywhere_loses_nothing)
{
    CHECK(cancel_everywhere(&(struct cancel_plan){read_all, write_all, 1, begin, end}) > 4);
}

/* --- the listener ----------------------------------------------------------------------------- */

static int greet_two(void *arg)
{
    for (int i = 0; i < 2; i++) {
        WHORL_AUTO(stream) *stream = NULL;
        char text[8];
        CHECK_OK(whorl_memory_listener_accept(arg, &stream));
        snprintf(text, sizeof text, "conn %d", i);
        CHECK_OK(whorl_stream_write(stream, text, 6));
    }
    return 0;
}

TEST_VIRTUAL(a_listener_connects_clients_and_servers)
{
    WHORL_AUTO(memory_listener) *listener = NULL;
    WHORL_AUTO(stream) *a = NULL;
    WHORL_AUTO(stream) *b = NULL;
    WHORL_AUTO(group) group = {0};
    char buf[8] = "";
    CHECK_OK(whorl_memory_listener_create(NULL, &listener));
    CHECK_OK(whorl_spawn(&group, greet_two, listener));
    CHECK_OK(whorl_memory_listener_dial(listener, &a));
    CHECK_OK(whorl_memory_dial_host(listener, "any.test", 80, NULL, &b));
    CHECK_OK(whorl_stream_read_exact(a, buf, 6));
    CHECK_STR(buf, "conn 0");
    CHECK_OK(whorl_stream_read_exact(b, buf, 6));
    CHECK_STR(buf, "conn 1");
    CHECK_OK(whorl_group_wait(&group));
}

static int accept_one(void *arg)
{
    struct whorl_stream *stream;
    return whorl_memory_listener_accept(arg, &stream);
}

TEST_VIRTUAL(a_closed_listener_refuses_and_wakes)
{
    WHORL_AUTO(memory_listener) *listener = NULL;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_stream *stream;
    struct whorl_error error;
    CHECK_OK(whorl_memory_listener_create(NULL, &listener));
    CHECK_OK(whorl_spawn(&group, accept_one, listener));
    CHECK_OK(whorl_yield());
    whorl_memory_listener_close(listener);
    CHECK_ERR(whorl_group_wait(&group), -EPIPE);
    CHECK_ERR(whorl_memory_listener_dial(listener, &stream), -ECONNREFUSED);
    CHECK_ERR(whorl_memory_dial_host(listener, "any.test", 80, &error, &stream), -ECONNREFUSED);
    CHECK_STR(error.step, "connect");
    CHECK(strstr(error.text, "any.test:80"));
}

TEST_VIRTUAL(connections_that_nobody_accepts_end_with_the_listener)
{
    struct whorl_memory_listener *listener;
    WHORL_AUTO(stream) *stream = NULL;
    char byte;
    CHECK_OK(whorl_memory_listener_create(NULL, &listener));
    CHECK_OK(whorl_memory_listener_dial(listener, &stream));
    whorl_memory_listener_destroy(listener);
    CHECK_ERR(whorl_stream_read(stream, &byte, 1), 0);
    CHECK_ERR(whorl_stream_write(stream, "x", 1), -EPIPE);
}

/* --- shortage --------------------------------------------------------------------------------- */

static int use_everything(void *arg)
{
    struct whorl_memory_options options = {.latency_ns = MS};
    WHORL_AUTO(memory_listener) *listener = NULL;
    WHORL_AUTO(stream) *client = NULL;
    WHORL_AUTO(stream) *server = NULL;
    char buf[100];
    (void)arg;
    int err = whorl_memory_listener_create(&options, &listener);
    if (err == 0)
        err = whorl_memory_listener_dial(listener, &client);
    if (err == 0)
        err = whorl_memory_listener_accept(listener, &server);
    for (int i = 0; i < 20 && err == 0; i++)
        err = whorl_stream_write(client, "abc", 3);
    return err ? err : whorl_stream_read_exact(server, buf, 60);
}

static int run_everything(void *arg)
{
    return whorl_run_virtual(NULL, use_everything, arg);
}

TEST(failed_allocations_are_reported_and_leak_nothing)
{
    CHECK(faults_sweep(run_everything, NULL) > 7);
}

TEST_MAIN()
