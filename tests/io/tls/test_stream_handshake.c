/* SPDX-License-Identifier: MIT */
/* TLS handshakes over memory: suites and protocols, servers that fail, damaged messages,
 * cancellation and lost memory. */
#include <stdlib.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/tls.h>

#include "faults.h"
#include "memstream.h"
#include "test.h"
#include "tls_library.h"
#include "tls_pair.h"

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
        struct tls_pair pair;
        char buf[10];
        tls_pair_init(&pair, &options, NULL);
        tls_pair_connect(&pair);
        CHECK_OK(pair.err);
        CHECK_STR(whorl_tls_suite(pair.tls), cases[i].name);
        CHECK(!whorl_tls_alpn(pair.tls));
        CHECK_STR(tls_server_sni(pair.server), "localhost");
        CHECK_OK(tls_server_write(pair.server, "data", 4));
        CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
        tls_pair_finish(&pair);
    }
}

TEST_VIRTUAL(server_without_a_common_suite_refuses)
{
    static const uint16_t cbc = BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256;
    struct tls_server_options options = {.suites = &cbc, .suites_count = 1};
    struct tls_pair pair;

    tls_pair_init(&pair, &options, NULL);
    tls_pair_connect(&pair);
    CHECK_ERR(pair.err, WHORL_ETLS_ALERT);
    CHECK_STR(pair.error.text, "localhost sent alert handshake_failure (40)");
    tls_pair_finish(&pair);
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
        struct whorl_tls_config *config = tls_pair_config(NULL);
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
    struct tls_pair pair;

    tls_pair_init(&pair, &options, offered);
    tls_pair_connect(&pair);
    CHECK_OK(pair.err);
    CHECK_STR(whorl_tls_alpn(pair.tls), "http/1.1");
    CHECK_STR(tls_server_alpn(pair.server), "http/1.1");
    tls_pair_finish(&pair);

    tls_pair_init(&pair, NULL, offered);
    tls_pair_connect(&pair);
    CHECK_OK(pair.err);
    CHECK(!whorl_tls_alpn(pair.tls));
    tls_pair_finish(&pair);
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
        struct whorl_tls_config *config = tls_pair_config(NULL);
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
    struct whorl_tls_config *config = tls_pair_config(NULL);
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
    struct whorl_tls_config *config = tls_pair_config(NULL);
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

/* A server whose signatures always have the same length. */
static const struct tls_server_options rsa_server = {.cert = "good"};

/* Records the server's side of a handshake. Its signature matches no other client, so the recording
 * is usable only for cuts before the end of its first flight. */
static WHORL_SUSPENDS_SHIELDED size_t record_flight(unsigned char *flight, size_t size)
{
    struct tls_pair pair;
    size_t len = 0;

    tls_pair_init(&pair, &rsa_server, NULL);
    memstream_tap(pair.far, flight, size, &len);
    tls_pair_connect(&pair);
    CHECK_OK(pair.err);
    tls_pair_finish(&pair);
    return len;
}

TEST_VIRTUAL(handshake_cut_at_any_byte_fails_clearly)
{
    unsigned char flight[8192];
    size_t len = record_flight(flight, sizeof flight), flight_len = 0;
    struct whorl_tls_config *config = tls_pair_config(NULL);
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
        struct tls_pair pair;
        tls_pair_init(&pair, &rsa_server, NULL);
        memstream_cut(pair.far, cut);
        tls_pair_connect(&pair);
        CHECK_ERR(pair.err, cut < len ? WHORL_ETLS_HANDSHAKE : 0);
        tls_pair_finish(&pair);
    }
}

TEST_VIRTUAL(handshake_damaged_at_any_byte_fails)
{
    unsigned char flight[8192];
    size_t len = record_flight(flight, sizeof flight);
    struct whorl_tls_config *config = tls_pair_config(NULL);
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

/* Cancelled before each call that may wait, one after the other, until there are no more. */
TEST_VIRTUAL(handshake_cancelled_anywhere_leaves_the_carrier)
{
    bool reached = true;
    unsigned at;

    tests_start_threads();
    for (at = 1; reached; at++) {
        struct tls_pair pair;
        struct whorl_scope scope;
        struct tls_countdown countdown = {&scope, 0, at};
        WHORL_AUTO(group) group = {0};
        tls_pair_init(&pair, NULL, NULL);
        long live = faults_live();
        memstream_chunk(pair.carrier, 200);
        CHECK_OK(whorl_spawn(&group, tls_pair_handshake, &pair));
        whorl_scope_enter(&scope, WHORL_FOREVER);
        memstream_hook(pair.carrier, tls_countdown_call, &countdown);
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
        tls_pair_finish(&pair);
    }
    CHECK(at > 6);
}

TEST_VIRTUAL(every_failing_allocation_of_a_handshake_is_reported)
{
    uint64_t n = 0;
    bool hit;

    tests_start_threads();
    do {
        struct tls_pair pair;
        WHORL_AUTO(group) group = {0};
        tls_pair_init(&pair, NULL, NULL);
        CHECK_OK(whorl_spawn(&group, tls_pair_handshake, &pair));
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
        tls_pair_finish(&pair);
    } while (hit);
    CHECK(n > 1); /* test_engine.c does the same with the engine */
}

TEST_VIRTUAL(keys_are_logged_when_asked_for)
{
    char path[400], line[300];
    struct tls_pair pair;

    snprintf(path, sizeof path, "%s/keys", test_tmpdir());
    setenv("SSLKEYLOGFILE", path, 1);
    tls_pair_open(&pair);
    tls_pair_finish(&pair);
    tls_pair_open(&pair);
    tls_pair_finish(&pair);
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
