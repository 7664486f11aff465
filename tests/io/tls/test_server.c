/* SPDX-License-Identifier: MIT */
/* TLS servers over memory, with this library's client: data, certificates for hosts, sessions,
 * failures, deadlines, cancellation and lost memory. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/offload.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>
#include <whorl/timer.h>
#include <whorl/tls.h>
#include <whorl/tls_server.h>

#include "certs.h"
#include "faults.h"
#include "io/tls/hello.h"
#include "io/tls/sessions.h"
#include "io/tls/suites.h"
#include "memstream.h"
#include "test.h"

/* A client and a server, each with a task. */
struct pair {
    struct whorl_tls_server *server;
    struct whorl_tls_config *config;
    const char *host;
    struct whorl_stream *carriers[2]; /* the client's, the server's; NULL: owned by a TLS stream */
    struct whorl_stream *client, *served;
    struct whorl_error client_error, server_error;
    int client_err, server_err;
};

static struct whorl_tls_server *new_server(struct whorl_tls_server_options options)
{
    struct whorl_tls_server *server;
    struct whorl_error error;

    if (!options.cert_file) {
        options.cert_file = cert_path("good-ec.pem");
        options.key_file = cert_path("good-ec.key");
    }
    if (whorl_tls_server_create(&options, &error, &server))
        test_fail(__FILE__, __LINE__, "%s", error.text);
    return server;
}

static struct whorl_tls_config *new_config(const char *const *alpn)
{
    struct whorl_tls_options options = {.ca_file = cert_path("both-cas.pem"), .alpn = alpn};
    struct whorl_tls_config *config;

    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    return config;
}

static int accept_client(void *arg)
{
    struct pair *pair = arg;

    pair->server_err =
        whorl_tls_accept(pair->server, pair->carriers[1], &pair->server_error, &pair->served);
    if (pair->server_err)
        whorl_stream_close(pair->carriers[1]);
    pair->carriers[1] = NULL;
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void pair_connect(struct pair *pair)
{
    WHORL_AUTO(group) group = {0};

    pair->client = pair->served = NULL;
    CHECK_OK(memstream_pair(&pair->carriers[0], &pair->carriers[1]));
    CHECK_OK(whorl_spawn(&group, accept_client, pair));
    pair->client_err =
        whorl_tls_connect(pair->config, pair->carriers[0], pair->host ? pair->host : "localhost",
                          &pair->client_error, &pair->client);
    if (pair->client_err)
        whorl_stream_close(pair->carriers[0]);
    pair->carriers[0] = NULL;
    CHECK_OK(whorl_group_wait(&group));
}

static void pair_close(struct pair *pair)
{
    whorl_stream_close(pair->client);
    whorl_stream_close(pair->served);
    pair->client = pair->served = NULL;
    CHECK_EQ(memstream_alive(), 0);
}

static void pair_finish(struct pair *pair)
{
    pair_close(pair);
    whorl_tls_server_destroy(pair->server);
    whorl_tls_config_destroy(pair->config);
}

static void pair_open(struct pair *pair, struct whorl_tls_server_options options)
{
    *pair = (struct pair){.server = new_server(options), .config = new_config(NULL)};
}

static WHORL_SUSPENDS_SHIELDED void check_passes(struct whorl_stream *from, struct whorl_stream *to,
                                                 size_t len)
{
    unsigned char *sent = malloc(len), *got = malloc(len);

    CHECK(sent && got);
    for (size_t i = 0; i < len; i++)
        sent[i] = (unsigned char)(i * 7 >> 3);
    CHECK_OK(whorl_stream_write(from, sent, len));
    CHECK_OK(whorl_stream_read_exact(to, got, len));
    CHECK(memcmp(sent, got, len) == 0);
    free(sent);
    free(got);
}

TEST_VIRTUAL(data_passes_both_ways)
{
    static const char *const certs[] = {"good-ec", "good", "chain"};

    for (size_t i = 0; i < 3; i++) {
        char cert[64], key[64], byte;
        struct pair pair;
        snprintf(cert, sizeof cert, "%s.pem", certs[i]);
        snprintf(key, sizeof key, "%s.key", certs[i]);
        pair_open(&pair, (struct whorl_tls_server_options){.cert_file = cert_path(cert),
                                                           .key_file = cert_path(key)});
        pair_connect(&pair);
        CHECK_OK(pair.client_err);
        CHECK_OK(pair.server_err);
        check_passes(pair.client, pair.served, 40000);
        check_passes(pair.served, pair.client, 40000);
        CHECK_STR(whorl_tls_suite(pair.served), whorl_tls_suite(pair.client));
        CHECK_STR(whorl_tls_sni(pair.served), "localhost");
        CHECK(!whorl_tls_sni(pair.client));
        CHECK(!whorl_tls_is_resumed(pair.served));
        CHECK(!whorl_tls_is_resumed(pair.client));
        CHECK_OK(whorl_stream_close_write(pair.client));
        CHECK_EQ(whorl_stream_read(pair.served, &byte, 1), 0);
        pair_finish(&pair);
    }
}

/* The client's certificate check reports which certificate the server has sent. */
TEST_VIRTUAL(certificate_is_chosen_by_host)
{
    struct whorl_tls_pair more[] = {{cert_path("wildcard.pem"), cert_path("wildcard.key")},
                                    {cert_path("good-ec.pem"), cert_path("good-ec.key")},
                                    {0}};
    static const struct {
        const char *host, *sni;
        bool fits, is_ec;
    } cases[] = {
        {"wrong.test", "wrong.test", true, false},
        {"a.wild.test", "a.wild.test", true, false},
        {"A.WILD.test.", "a.wild.test", true, false},
        {"localhost", "localhost", true, true},
        {"a.b.wild.test", "a.b.wild.test", false, false},
        {"127.0.0.1", NULL, false, false},
        {"unknown.test", "unknown.test", false, false},
    };
    struct pair pair;

    pair_open(&pair, (struct whorl_tls_server_options){.cert_file = cert_path("wrong-name.pem"),
                                                       .key_file = cert_path("wrong-name.key"),
                                                       .more = more});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pair.host = cases[i].host;
        pair_connect(&pair);
        CHECK_ERR(pair.client_err, cases[i].fits ? 0 : WHORL_ETLS_NAME);
        CHECK_ERR(pair.server_err, cases[i].fits ? 0 : WHORL_ETLS_ALERT);
        if (cases[i].fits) {
            CHECK_STR(whorl_tls_sni(pair.served), cases[i].sni);
            CHECK_EQ(strstr(whorl_tls_suite(pair.served), "ECDSA") != NULL, cases[i].is_ec);
        } else {
            /* The default certificate came. */
            CHECK(strstr(pair.client_error.text, "wrong.test"));
            CHECK_STR(pair.server_error.text, "client sent alert certificate_unknown (46)");
        }
        pair_close(&pair);
    }
    pair_finish(&pair);
}

TEST_VIRTUAL(protocol_is_agreed_on)
{
    static const char *const offers[] = {"h2", "http/1.1", NULL}, *const other[] = {"h3", NULL};
    static const char *const known[] = {"http/1.1", "h2", NULL};
    struct pair pair = {.server = new_server((struct whorl_tls_server_options){.alpn = known})};

    pair.config = new_config(offers);
    pair_connect(&pair);
    CHECK_OK(pair.server_err);
    CHECK_STR(whorl_tls_alpn(pair.served), "http/1.1"); /* the server's order counts */
    CHECK_STR(whorl_tls_alpn(pair.client), "http/1.1");
    pair_close(&pair);
    whorl_tls_config_destroy(pair.config);

    pair.config = new_config(NULL);
    pair_connect(&pair);
    CHECK_OK(pair.server_err);
    CHECK(!whorl_tls_alpn(pair.served));
    pair_close(&pair);
    whorl_tls_config_destroy(pair.config);

    pair.config = new_config(other);
    pair_connect(&pair);
    CHECK_ERR(pair.server_err, WHORL_ETLS_HANDSHAKE);
    CHECK_STR(pair.server_error.text,
              "client was refused with alert no_application_protocol (120): "
              "no common protocol (ALPN)");
    CHECK_ERR(pair.client_err, WHORL_ETLS_ALERT);
    pair_finish(&pair);
}

TEST_VIRTUAL(reload_concerns_new_connections_only)
{
    struct whorl_tls_server_options rsa = {.cert_file = cert_path("good.pem"),
                                           .key_file = cert_path("good.key")};
    struct whorl_tls_server_options wrong = {.cert_file = "/nowhere.pem"};
    struct whorl_stream *old_client, *old_served;
    struct whorl_error error;
    struct pair pair;

    pair_open(&pair, (struct whorl_tls_server_options){0});
    pair_connect(&pair);
    CHECK(strstr(whorl_tls_suite(pair.served), "ECDSA"));
    old_client = pair.client;
    old_served = pair.served;
    CHECK_ERR(whorl_tls_server_reload(pair.server, &wrong, &error), -ENOENT);
    CHECK_STR(error.text, "/nowhere.pem: no such file or directory");
    pair_connect(&pair);
    CHECK(strstr(whorl_tls_suite(pair.served), "ECDSA"));
    whorl_stream_close(pair.client);
    whorl_stream_close(pair.served);
    CHECK_OK(whorl_tls_server_reload(pair.server, &rsa, NULL));
    pair_connect(&pair);
    CHECK_OK(pair.client_err);
    CHECK(strstr(whorl_tls_suite(pair.served), "RSA"));
    check_passes(old_client, old_served, 100);
    check_passes(old_served, old_client, 100);
    whorl_stream_close(old_client);
    whorl_stream_close(old_served);
    pair_finish(&pair);
}

/* --- clients that misbehave --- */

/* Gives the server these bytes, then the end. Returns the server's result. */
static WHORL_SUSPENDS_SHIELDED int accept_bytes(struct pair *pair, const void *bytes, size_t len)
{
    struct whorl_stream *client;

    CHECK_OK(memstream_pair(&client, &pair->carriers[1]));
    CHECK_OK(whorl_stream_write(client, bytes, len));
    CHECK_OK(whorl_stream_close_write(client));
    CHECK_OK(accept_client(pair));
    pair->carriers[0] = client;
    return pair->server_err;
}

TEST_VIRTUAL(client_in_another_protocol_is_recognised)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "client speaks plain HTTP"},
        {"P", "client speaks plain HTTP"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "client speaks SSH"},
        {"\x80\x2e\x01", "client speaks another protocol than TLS"},
        {"\x16\x02", "client speaks another protocol than TLS"},
    };
    struct pair pair;

    pair_open(&pair, (struct whorl_tls_server_options){0});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_ERR(accept_bytes(&pair, cases[i].bytes, strlen(cases[i].bytes)), WHORL_ETLS_NOTTLS);
        CHECK_STR(pair.server_error.text, cases[i].text);
        whorl_stream_close(pair.carriers[0]);
    }
    pair_finish(&pair);
}

/* BearSSL sends no alert for most errors. */
TEST_VIRTUAL(damaged_messages_are_answered_with_an_alert)
{
    static const struct {
        const char *bytes;
        size_t len;
        unsigned alert;
        const char *text;
    } cases[] = {
        {"\x16\x03\x01\x00\x04\x0b\x00\x00\x00", 9, 10,
         "client: unexpected record or message (10)"},
        {"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", 11, 50, "client: malformed message (1)"},
        {"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x02"
         "0123456789abcdef0123456789abcdef\x00\x00\x02\xc0\x2b\x01\x00\x00\x00",
         52, 70, "client was refused with alert protocol_version (70): it does not speak TLS 1.2"},
        {"\x16\x03\x01\x80\x00", 5, 22, "client: record of impossible length (5)"},
        {"\x17\x03\x03\x00\x01x", 6, 0, "client speaks another protocol than TLS"},
    };
    struct pair pair;
    unsigned char alert[100];

    pair_open(&pair, (struct whorl_tls_server_options){0});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(accept_bytes(&pair, cases[i].bytes, cases[i].len) < 0);
        CHECK_STR(pair.server_error.text, cases[i].text);
        if (cases[i].alert) {
            CHECK_EQ(whorl_stream_read(pair.carriers[0], alert, sizeof alert), 7);
            CHECK_EQ(alert[0], 21);
            CHECK_EQ(alert[6], cases[i].alert);
        }
        whorl_stream_close(pair.carriers[0]);
    }
    pair_finish(&pair);
}

/* How a client is disturbed. */
enum disturbance { CUT, RESET };

static int connect_client(void *arg)
{
    struct pair *pair = arg;

    pair->client_err =
        whorl_tls_connect(pair->config, pair->carriers[0], "localhost", NULL, &pair->client);
    return 0;
}

/* The client's output ends, or its connection is reset, after `at` bytes. Returns whether the
 * handshake was complete before. */
static WHORL_SUSPENDS_SHIELDED bool disturb(struct pair *pair, size_t at, enum disturbance kind)
{
    WHORL_AUTO(group) group = {0};

    pair->client = pair->served = NULL;
    CHECK_OK(memstream_pair(&pair->carriers[0], &pair->carriers[1]));
    struct whorl_stream *near = pair->carriers[0];
    if (kind == CUT)
        memstream_cut(near, at);
    else
        memstream_fail(near, at, -ECONNRESET);
    CHECK_OK(whorl_spawn(&group, connect_client, pair));
    CHECK_OK(accept_client(pair));
    bool complete = pair->server_err == 0;
    whorl_stream_close(pair->served);
    pair->served = NULL;
    CHECK_OK(whorl_group_wait(&group));
    if (pair->client_err)
        whorl_stream_close(near);
    whorl_stream_close(pair->client);
    pair->client = NULL;
    CHECK_EQ(memstream_alive(), 0);
    return complete;
}

TEST_VIRTUAL(handshake_that_ends_at_any_byte_is_reported)
{
    struct pair pair;
    size_t at;

    pair_open(&pair, (struct whorl_tls_server_options){0});
    for (enum disturbance kind = CUT; kind <= RESET; kind++) {
        for (at = 0; !disturb(&pair, at, kind); at++) {
            CHECK_ERR(pair.server_err, kind == CUT ? WHORL_ETLS_HANDSHAKE : -ECONNRESET);
            CHECK_STR(pair.server_error.text,
                      kind == CUT ? "client closed the connection during the handshake"
                                  : "client: connection reset by peer during the handshake");
        }
        CHECK(at > 200 && at < 1000);
    }
    pair_finish(&pair);
}

/* Replays a client's recorded bytes with one bit changed. */
TEST_VIRTUAL(record_that_is_damaged_anywhere_is_refused)
{
    unsigned char sent[4096];
    size_t len = 0;
    struct pair pair;
    WHORL_AUTO(group) group = {0};

    pair_open(&pair, (struct whorl_tls_server_options){0});
    CHECK_OK(memstream_pair(&pair.carriers[0], &pair.carriers[1]));
    struct whorl_stream *near = pair.carriers[0];
    memstream_tap(near, sent, sizeof sent, &len);
    CHECK_OK(whorl_spawn(&group, connect_client, &pair));
    CHECK_OK(accept_client(&pair));
    CHECK_OK(whorl_group_wait(&group));
    memstream_tap(near, NULL, 0, NULL);
    pair_close(&pair);
    for (size_t i = 0; i < len; i += 3) {
        sent[i] ^= 1 << i % 8;
        CHECK(accept_bytes(&pair, sent, len) < 0);
        sent[i] ^= 1 << i % 8;
        whorl_stream_close(pair.carriers[0]);
    }
    pair_finish(&pair);
}

TEST_VIRTUAL(slow_handshake_ends_at_its_deadline)
{
    struct whorl_stream *near;
    struct pair pair;

    pair_open(&pair, (struct whorl_tls_server_options){0});
    CHECK_OK(memstream_pair(&near, &pair.carriers[1]));
    int64_t start_ns = whorl_now();
    CHECK_OK(accept_client(&pair));
    CHECK_ERR(pair.server_err, -ETIMEDOUT);
    CHECK_STR(pair.server_error.text, "client: handshake took longer than 10000 ms");
    CHECK_EQ(whorl_now() - start_ns, 10 * WHORL_SECOND);
    whorl_stream_close(near);
    pair_finish(&pair);

    /* A byte now and then does not help. */
    pair_open(&pair, (struct whorl_tls_server_options){.handshake_ns = WHORL_SECOND});
    CHECK_OK(memstream_pair(&near, &pair.carriers[1]));
    WHORL_AUTO(group) group = {0};
    CHECK_OK(whorl_spawn(&group, accept_client, &pair));
    start_ns = whorl_now();
    for (int i = 0; i < 20; i++) {
        test_ignore(whorl_stream_write(near, i < 5 ? &"\x16\x03\x01\x00\xff"[i] : "\x01", 1));
        CHECK_OK(whorl_sleep(100 * WHORL_MILLISECOND));
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(pair.server_err, -ETIMEDOUT);
    whorl_stream_close(near);
    pair_finish(&pair);
}

/* --- cancellation and memory --- */

struct countdown {
    struct whorl_scope *scope;
    int left;
};

static void cancel_at_zero(void *ctx)
{
    struct countdown *countdown = ctx;

    if (countdown->left-- == 0)
        whorl_scope_cancel(countdown->scope);
}

TEST_VIRTUAL(cancelled_accept_leaves_nothing)
{
    struct pair pair;
    int steps = 0;

    pair_open(&pair, (struct whorl_tls_server_options){0});
    for (bool done = false; !done; steps++) {
        struct whorl_scope scope;
        struct countdown countdown = {&scope, steps};
        WHORL_AUTO(group) group = {0};
        pair.client = pair.served = NULL;
        CHECK_OK(memstream_pair(&pair.carriers[0], &pair.carriers[1]));
        struct whorl_stream *near = pair.carriers[0];
        memstream_hook(pair.carriers[1], cancel_at_zero, &countdown);
        CHECK_OK(whorl_spawn(&group, connect_client, &pair));
        whorl_scope_enter(&scope, WHORL_FOREVER);
        int err = accept_client(&pair);
        err = whorl_scope_leave(&scope, err);
        CHECK_OK(err);
        done = countdown.left >= 0;
        CHECK_ERR(pair.server_err, done ? 0 : -ECANCELED);
        if (pair.served)
            memstream_hook(near, NULL, NULL);
        whorl_stream_close(pair.served);
        CHECK_OK(whorl_group_wait(&group));
        if (pair.client_err)
            whorl_stream_close(near);
        whorl_stream_close(pair.client);
        CHECK_EQ(memstream_alive(), 0);
    }
    CHECK(steps >= 4); /* two reads and two writes */
    pair.client = pair.served = NULL;
    pair_finish(&pair);
}

/* --- threads --- */

static int count_turns(void *arg)
{
    size_t *turns = arg;
    int err;

    while ((err = whorl_yield()) == 0)
        (*turns)++;
    return err;
}

/* A client that sends a ClientHello and then nothing. The caller closes the returned stream. */
static WHORL_SUSPENDS_SHIELDED struct whorl_stream *say_hello(struct pair *pair)
{
    unsigned char sent[1024];
    struct whorl_stream *near, *far, *tls;
    size_t len = 0;

    CHECK_OK(memstream_pair(&near, &far));
    memstream_tap(near, sent, sizeof sent, &len);
    CHECK_OK(whorl_stream_close_write(far));
    CHECK(whorl_tls_connect(pair->config, near, "localhost", NULL, &tls) < 0);
    whorl_stream_close(near);
    whorl_stream_close(far);
    CHECK_OK(memstream_pair(&near, &pair->carriers[1]));
    CHECK_OK(whorl_stream_write(near, sent, len));
    return near;
}

/* Without the thread, the other task would get a turn at each read and write only. */
TEST_VIRTUAL(other_tasks_run_while_a_handshake_computes)
{
    WHORL_AUTO(group) group = {0};
    size_t turns = 0;
    struct pair pair;

    if (test_on_valgrind())
        test_skip("valgrind runs one thread at a time");
    pair_open(&pair, (struct whorl_tls_server_options){.cert_file = cert_path("good.pem"),
                                                       .key_file = cert_path("good.key")});
    struct whorl_stream *near = say_hello(&pair);
    CHECK_OK(whorl_stream_close_write(near));
    CHECK_OK(whorl_spawn(&group, count_turns, &turns));
    CHECK_OK(accept_client(&pair));
    whorl_group_cancel(&group);
    CHECK_ERR(pair.server_err, WHORL_ETLS_HANDSHAKE);
    CHECK(turns > 30);
    whorl_stream_close(near);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    pair_finish(&pair);
}

struct cancelled {
    struct pair *pair;
    struct whorl_scope scope;
};

static int accept_in_scope(void *arg)
{
    struct cancelled *cancelled = arg;

    whorl_scope_enter(&cancelled->scope, WHORL_FOREVER);
    int err = accept_client(cancelled->pair);
    return whorl_scope_leave(&cancelled->scope, err);
}

TEST_VIRTUAL(accept_is_cancelled_while_a_thread_computes)
{
    struct pair pair;

    pair_open(&pair, (struct whorl_tls_server_options){0});
    for (int turns = 1; turns < 20; turns++) {
        struct cancelled cancelled = {.pair = &pair};
        WHORL_AUTO(group) group = {0};
        struct whorl_stream *near = say_hello(&pair);
        CHECK_OK(whorl_spawn(&group, accept_in_scope, &cancelled));
        for (int i = 0; i < turns; i++)
            CHECK_OK(whorl_yield());
        whorl_scope_cancel(&cancelled.scope);
        CHECK_OK(whorl_group_wait(&group));
        CHECK_ERR(pair.server_err, -ECANCELED);
        whorl_stream_close(near);
        CHECK_EQ(memstream_alive(), 0);
    }
    pair_finish(&pair);
}

static WHORL_SUSPENDS int accept_root(void *arg)
{
    struct whorl_tls_server_options options = {.cert_file = cert_path("good-ec.pem"),
                                               .key_file = cert_path("good-ec.key"),
                                               .alpn = (const char *const[]){"x", NULL}};
    struct whorl_tls_server *server;
    struct pair *pair = arg;

    int err = whorl_tls_server_create(&options, &pair->server_error, &server);
    if (err) {
        CHECK_ERR(pair->server_error.code, err);
        whorl_stream_close(pair->carriers[1]);
        return err;
    }
    pair->server = server;
    pair->client_err = 1;
    CHECK_OK(accept_client(pair));
    whorl_stream_close(pair->served);
    whorl_tls_server_destroy(server);
    return pair->server_err;
}

struct replay {
    unsigned char sent[4096];
    size_t len;
};

/* The ClientHello comes from a recording, so that only the server allocates. The server then waits
 * for more, and gets the end. */
static int accept_recorded(void *arg)
{
    struct replay *replay = arg;
    struct pair pair = {0};
    struct whorl_stream *near;

    int err = memstream_pair(&near, &pair.carriers[1]);
    if (err)
        return err;
    err = whorl_stream_write(near, replay->sent, replay->len);
    if (err == 0)
        err = whorl_stream_close_write(near);
    if (err == 0)
        err = accept_root(&pair);
    else
        whorl_stream_close(pair.carriers[1]);
    whorl_stream_close(near);
    return err == WHORL_ETLS_HANDSHAKE ? 0 : err;
}

static int accept_recorded_in_a_run(void *arg)
{
    return whorl_run_virtual(NULL, accept_recorded, arg);
}

static int record(void *arg)
{
    struct replay *replay = arg;
    struct whorl_stream *near, *far, *tls;
    struct whorl_tls_config *config = new_config(NULL);

    CHECK_OK(memstream_pair(&near, &far));
    memstream_tap(near, replay->sent, sizeof replay->sent, &replay->len);
    CHECK_OK(whorl_stream_close_write(far));
    CHECK(whorl_tls_connect(config, near, "localhost", NULL, &tls) < 0);
    whorl_stream_close(near);
    whorl_stream_close(far);
    whorl_tls_config_destroy(config);
    return 0;
}

TEST(lost_allocations_leave_nothing)
{
    struct replay replay = {0};

    CHECK_OK(whorl_run_virtual(NULL, record, &replay));
    CHECK(replay.len > 100);
    CHECK(faults_sweep(accept_recorded_in_a_run, &replay) > 12);
}

/* --- sessions --- */

static br_ssl_session_parameters make_session(unsigned char number)
{
    br_ssl_session_parameters session = {.session_id_len = 32, .version = BR_TLS12};

    memset(session.session_id, number, sizeof session.session_id);
    memset(session.master_secret, number + 100, sizeof session.master_secret);
    return session;
}

static bool find(struct tls_sessions *sessions, br_ssl_server_context *context, const char *host,
                 int64_t now_ns, unsigned char number)
{
    br_ssl_session_parameters session = make_session(number);

    memset(session.master_secret, 0, sizeof session.master_secret);
    if (!tls_sessions_load(sessions, context, host, now_ns, &session))
        return false;
    CHECK_EQ(session.master_secret[7], number + 100);
    CHECK_EQ(session.session_id[31], number);
    return true;
}

TEST(sessions_are_found_by_id_host_and_time)
{
    const int64_t hour_ns = 3600 * WHORL_SECOND, now_ns = 5 * hour_ns + 100;
    br_ssl_session_parameters session;
    static br_ssl_server_context context;
    struct tls_sessions *sessions;

    suites_apply(&context.eng);
    br_ssl_engine_inject_entropy(&context.eng, "not random", 10);
    CHECK_OK(tls_sessions_create(3, &sessions));
    CHECK(!find(sessions, &context, "a.test", now_ns, 1));
    session = make_session(1);
    tls_sessions_save(sessions, &context, "a.test", now_ns, &session);
    CHECK(find(sessions, &context, "a.test", now_ns, 1));
    CHECK(!find(sessions, &context, "b.test", now_ns, 1));
    CHECK(!find(sessions, &context, "", now_ns, 1));
    CHECK(!find(sessions, &context, "a.test", now_ns, 2));
    CHECK(find(sessions, &context, "a.test", now_ns + hour_ns, 1));
    CHECK(!find(sessions, &context, "a.test", now_ns + 2 * hour_ns, 1));
    /* Three more take the place of the first one. */
    for (unsigned char i = 2; i < 5; i++) {
        session = make_session(i);
        tls_sessions_save(sessions, &context, "a.test", now_ns, &session);
    }
    CHECK(!find(sessions, &context, "a.test", now_ns, 1));
    for (unsigned char i = 2; i < 5; i++)
        CHECK(find(sessions, &context, "a.test", now_ns, i));
    tls_sessions_destroy(sessions);
    tls_sessions_destroy(NULL);
}

/* --- the host in a ClientHello --- */

TEST(host_of_a_client_hello_is_read_strictly)
{
    static const unsigned char start[] = "\x01\x00\x00\x00\x03\x03"
                                         "0123456789abcdef0123456789abcdef"
                                         "\x00\x00\x02\xc0\x2b\x01\x00";
    static const struct {
        const char *extensions;
        size_t len;
        const char *host; /* NULL: malformed */
    } cases[] = {
        {"", 0, ""},
        {"\x00\x00", 2, ""},
        {"\x00\x0c\x00\x00\x00\x08\x00\x06\x00\x00\x03"
         "A.b",
         14, "a.b"},
        {"\x00\x0c\x00\x00\x00\x08\x00\x06\x00\x00\x03"
         "ab.",
         14, "ab"},
        {"\x00\x10\x00\x17\x00\x00\x00\x00\x00\x08\x00\x06\x00\x00\x03"
         "a.b",
         18, "a.b"},
        {"\x00\x0c\x00\x00\x00\x08\x00\x06\x01\x00\x03"
         "a.b",
         14, NULL}, /* another kind of name */
        {"\x00\x0c\x00\x00\x00\x08\x00\x06\x00\x00\x03"
         "a\0b",
         14, NULL},
        {"\x00\x0c\x00\x00\x00\x08\x00\x06\x00\x00\x04"
         "a.b",
         14, NULL},
        {"\x00\x0d\x00\x00\x00\x08\x00\x06\x00\x00\x03"
         "a.b",
         14, NULL},
        {"\x00\x18\x00\x00\x00\x08\x00\x06\x00\x00\x03"
         "a.b"
         "\x00\x00\x00\x08\x00\x06\x00\x00\x03"
         "a.b",
         26, NULL}, /* twice */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char bytes[200];
        char host[TLS_HOST_MAX];
        size_t len = sizeof start - 1 + cases[i].len;
        memcpy(bytes, start, sizeof start - 1);
        memcpy(bytes + sizeof start - 1, cases[i].extensions, cases[i].len);
        bytes[3] = (unsigned char)(len - 4);
        CHECK_EQ(tls_hello_host(bytes, len, host), cases[i].host != NULL);
        if (cases[i].host)
            CHECK_STR(host, cases[i].host);
        for (size_t cut = 0; cut < len; cut++)
            CHECK(!tls_hello_host(bytes, cut, host));
    }
}

TEST_MAIN()
