/* SPDX-License-Identifier: MIT */
/* The engine without a stream: the test moves the bytes itself. */
#include <stdlib.h>

#include <whorl/group.h>

#include "certs.h"
#include "faults.h"
#include "io/tls/library.h"
#include "memstream.h"
#include "test.h"
#include "tls_library.h"
#include "tls_server.h"

struct wire {
    struct tls_engine *engine;
    const struct tls_engine_ops *ops;
    struct whorl_stream *near; /* where the engine's bytes go to and come from */
    struct tls_server *server;
    struct whorl_tls_config *config;
};

static int serve(void *arg)
{
    CHECK_OK(tls_server_handshake(arg));
    return 0;
}

/* Passes all output of the engine to the server. */
static WHORL_SUSPENDS_SHIELDED void drain(struct wire *wire)
{
    unsigned char buf[1000];
    size_t n;

    while ((n = wire->ops->drain(wire->engine, buf, sizeof buf)) > 0)
        CHECK_OK(whorl_stream_write(wire->near, buf, n));
}

/* Passes the server's next bytes to the engine, `step` at a time. */
static WHORL_SUSPENDS_SHIELDED void feed(struct wire *wire, size_t step)
{
    unsigned char buf[8192];
    ssize_t n = whorl_stream_read(wire->near, buf, sizeof buf);

    CHECK(n > 0);
    for (size_t at = 0; at < (size_t)n;) {
        size_t len = (size_t)n - at < step ? (size_t)n - at : step;
        size_t taken = wire->ops->feed(wire->engine, buf + at, len);
        if (taken == 0)
            drain(wire);
        at += taken;
    }
}

static WHORL_SUSPENDS_SHIELDED void open_wire(struct wire *wire, size_t step)
{
    struct whorl_tls_options options = {.ca_file = cert_path("ca.pem")};
    struct tls_peer peer = {.host = "localhost"};
    struct whorl_stream *far;
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_tls_config_create(&options, NULL, &wire->config));
    CHECK_OK(memstream_pair(&wire->near, &far));
    wire->server = tls_server_create(far, NULL);
    CHECK_OK(tls_engine_create(wire->config, &(struct tls_choice){0}, &peer, &wire->engine));
    whorl_tls_config_destroy(wire->config); /* the engine holds a reference */
    wire->ops = wire->engine->ops;
    CHECK_OK(whorl_spawn(&group, serve, wire->server));
    while (wire->ops->state(wire->engine) == TLS_HANDSHAKE) {
        drain(wire);
        feed(wire, step);
    }
    CHECK_EQ(wire->ops->state(wire->engine), TLS_OPEN);
    CHECK_OK(whorl_group_wait(&group));
    wire->ops->opened(wire->engine);
}

static void close_wire(struct wire *wire)
{
    wire->ops->destroy(wire->engine);
    whorl_stream_close(wire->near);
    tls_server_destroy(wire->server);
}

TEST_VIRTUAL(engine_is_driven_by_hand)
{
    static const size_t steps[] = {1, 7, 8192};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct wire wire;
        unsigned char buf[100];
        open_wire(&wire, steps[i]);
        CHECK(!wire.ops->in_record(wire.engine));
        CHECK(!wire.ops->readable(wire.engine));
        CHECK_EQ(wire.ops->write(wire.engine, "ping", 4), 4);
        CHECK_EQ(wire.ops->drain(wire.engine, buf, sizeof buf), 0); /* held until a flush */
        wire.ops->flush(wire.engine);
        drain(&wire);
        CHECK_EQ(tls_server_read(wire.server, buf, sizeof buf), 4);
        CHECK_OK(tls_server_write(wire.server, "pong", 4));
        feed(&wire, steps[i]);
        CHECK(wire.ops->readable(wire.engine));
        CHECK(!wire.ops->wants_input(wire.engine));
        CHECK_EQ(wire.ops->feed(wire.engine, "x", 1), 0);
        CHECK_EQ(wire.ops->read(wire.engine, buf, 3), 3);
        CHECK_EQ(wire.ops->read(wire.engine, buf, sizeof buf), 1);
        CHECK_EQ(wire.ops->read(wire.engine, buf, sizeof buf), 0);
        CHECK(wire.ops->wants_input(wire.engine));
        close_wire(&wire);
    }
}

TEST_VIRTUAL(close_drops_unread_data_and_waits_for_the_answer)
{
    struct wire wire;
    char byte;

    open_wire(&wire, 8192);
    CHECK_OK(tls_server_write(wire.server, "unread", 6));
    feed(&wire, 8192);
    CHECK(wire.ops->readable(wire.engine));
    CHECK_OK(tls_server_write(wire.server, "on its way", 10));
    wire.ops->close(wire.engine);
    CHECK(!wire.ops->readable(wire.engine));
    drain(&wire);
    CHECK_EQ(wire.ops->state(wire.engine), TLS_OPEN); /* until the peer answers */
    CHECK_EQ(tls_server_read(wire.server, &byte, 1), 0);
    feed(&wire, 8192);
    CHECK_EQ(wire.ops->state(wire.engine), TLS_CLOSED);
    CHECK_EQ(wire.ops->write(wire.engine, "x", 1), 0);
    close_wire(&wire);
}

static void rest(const struct wire *wire)
{
    if (wire->ops->rest)
        wire->ops->rest(wire->engine);
}

static int wake(const struct wire *wire)
{
    return wire->ops->wake ? wire->ops->wake(wire->engine) : 0;
}

TEST_VIRTUAL(engine_at_rest_keeps_its_state_and_wakes)
{
    struct wire wire;
    char buf[100];

    open_wire(&wire, 8192);
    for (int i = 0; i < 3; i++) {
        rest(&wire);
        rest(&wire);
        CHECK_EQ(wire.ops->state(wire.engine), TLS_OPEN);
        CHECK(wire.ops->wants_input(wire.engine));
        CHECK(!wire.ops->readable(wire.engine));
        CHECK(!wire.ops->in_record(wire.engine));
        CHECK_OK(wake(&wire));
        CHECK_OK(wake(&wire));
        CHECK_OK(tls_server_write(wire.server, "pong", 4));
        feed(&wire, 1);
        CHECK_EQ(wire.ops->read(wire.engine, buf, sizeof buf), 4);
        CHECK(memcmp(buf, "pong", 4) == 0);
        CHECK_EQ(wire.ops->write(wire.engine, "ping", 4), 4);
        wire.ops->flush(wire.engine);
        drain(&wire);
        CHECK_EQ(tls_server_read(wire.server, buf, sizeof buf), 4);
        CHECK(memcmp(buf, "ping", 4) == 0);
    }
    rest(&wire);
    close_wire(&wire); /* also at rest */
}

/* What is not complete is kept. */
TEST_VIRTUAL(engine_with_data_does_not_rest)
{
    struct wire wire;
    unsigned char record[100], buf[100];

    open_wire(&wire, 8192);
    CHECK_EQ(wire.ops->write(wire.engine, "pi", 2), 2);
    rest(&wire);
    CHECK_OK(wake(&wire));
    CHECK_EQ(wire.ops->write(wire.engine, "ng", 2), 2);
    wire.ops->flush(wire.engine);
    rest(&wire);
    CHECK_OK(wake(&wire));
    drain(&wire);
    CHECK_EQ(tls_server_read(wire.server, buf, sizeof buf), 4);
    CHECK(memcmp(buf, "ping", 4) == 0);

    CHECK_OK(tls_server_write(wire.server, "pong", 4));
    ssize_t len = whorl_stream_read(wire.near, record, sizeof record);
    CHECK(len > 10);
    CHECK_EQ(wire.ops->feed(wire.engine, record, 7), 7);
    rest(&wire);
    CHECK_OK(wake(&wire));
    CHECK_EQ(wire.ops->feed(wire.engine, record + 7, (size_t)len - 7), len - 7);
    rest(&wire);
    CHECK_OK(wake(&wire));
    CHECK_EQ(wire.ops->read(wire.engine, buf, sizeof buf), 4);
    CHECK(memcmp(buf, "pong", 4) == 0);
    close_wire(&wire);
}

TEST_VIRTUAL(full_record_leaves_by_itself)
{
    struct wire wire;
    static unsigned char data[20000], record[20000];

    open_wire(&wire, 8192);
    size_t taken = wire.ops->write(wire.engine, data, sizeof data);
    CHECK_EQ(taken, 16384);
    CHECK_EQ(wire.ops->write(wire.engine, data, 1), 0); /* nothing until it is drained */
    size_t len = wire.ops->drain(wire.engine, record, sizeof record);
    CHECK(len > 16384 && len < 16384 + 40);
    CHECK_EQ(wire.ops->write(wire.engine, data, 1), 1);
    close_wire(&wire);
}

TEST_VIRTUAL(destroyed_engine_leaves_no_block)
{
    struct whorl_tls_options options = {.insecure = true};
    struct tls_peer peer = {.host = "localhost"};
    struct whorl_tls_config *config;
    struct tls_engine *engine;
    unsigned char hello[1000];
    long live = faults_live();

    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    CHECK_OK(tls_engine_create(config, &(struct tls_choice){0}, &peer, &engine));
    CHECK(engine->ops->drain(engine, hello, sizeof hello) > 0);
    CHECK_STR(engine->ops->name, tests_use_openssl() ? "openssl" : "bearssl");
    CHECK_STR(engine->ops->suite(engine), "unknown");
    whorl_tls_config_destroy(config);
    engine->ops->destroy(engine);
    CHECK_EQ(faults_live(), live);
}

TEST_VIRTUAL(every_failing_allocation_of_an_engine_is_reported)
{
    struct tls_peer peer = {.host = "localhost"};
    struct whorl_tls_config *config;
    struct tls_engine *engine;
    uint64_t n = 0;
    bool hit;

    do {
        struct whorl_tls_options options = {.insecure = true};
        long live = faults_live();
        CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
        faults_arm(++n);
        int err = tls_engine_create(config, &(struct tls_choice){0}, &peer, &engine);
        hit = faults_disarm();
        CHECK_ERR(err, hit ? -ENOMEM : 0);
        if (err == 0)
            engine->ops->destroy(engine);
        whorl_tls_config_destroy(config);
        CHECK_EQ(faults_live(), live);
    } while (hit);
    CHECK_EQ(n, 4);
}

TEST_MAIN()
