/* SPDX-License-Identifier: MIT */
/* TLS 1.3 over memory, with OpenSSL on both sides: data, ends, cancellation, damaged data, messages
 * after the handshake, and a server that misbehaves. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <whorl/group.h>
#include <whorl/tls.h>

#include "certs.h"
#include "io/tls/connect.h"
#include "memstream.h"
#include "test.h"
#include "tls13_server.h"
#include "tls_pair.h"

enum { RECORD_HEADER = 5 };

static struct whorl_tls_config *new_config(struct whorl_tls_options options)
{
    struct whorl_tls_config *config;

    options.library = WHORL_TLS_OPENSSL;
    if (!options.ca_file)
        options.ca_file = cert_path("ca.pem");
    CHECK_OK(whorl_tls_config_create(&options, NULL, &config));
    return config;
}

static void init(struct tls_pair *pair, const struct tls13_server_options *server,
                 struct whorl_tls_options options)
{
    tls_pair_init_client(pair, new_config(options));
    pair->server = tls13_server_create(pair->far, server);
    pair->hangs_up = true;
}

static void init_default(struct tls_pair *pair)
{
    init(pair, NULL, (struct whorl_tls_options){0});
}

static WHORL_SUSPENDS_SHIELDED void open_default(struct tls_pair *pair)
{
    init_default(pair);
    tls_pair_connect(pair);
    CHECK_OK(pair->err);
    CHECK_OK(pair->server_err);
}

TEST_VIRTUAL(suite_and_version_follow_the_server)
{
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"};
    static const char *const groups[] = {"X25519", "P-256", "P-384", "P-521"};

    for (size_t i = 0; i < 4; i++) {
        struct tls13_server_options options = {
            .suites = suites[i % 3], .groups = groups[i], .cert = i % 2 ? "good" : "good-ec"};
        struct tls_pair pair;
        init(&pair, &options, (struct whorl_tls_options){0});
        tls_pair_connect(&pair);
        CHECK_OK(pair.err);
        CHECK_STR(whorl_tls_suite(pair.tls), suites[i % 3]);
        CHECK_STR(whorl_tls_version_name(pair.tls), "TLS 1.3");
        CHECK_STR(tls_server_sni(pair.server), "localhost");
        CHECK(!whorl_tls_alpn(pair.tls));
        tls_pair_finish(&pair);
    }
}

TEST_VIRTUAL(data_passes_both_ways_in_any_chunking)
{
    tls_pair_check_chunking(init_default);
}

TEST_VIRTUAL(records_of_every_size_arrive)
{
    static unsigned char sent[16384], got[16384];
    struct tls_pair pair;

    open_default(&pair);
    tls_pair_fill(sent, sizeof sent, 5);
    for (size_t len = 1; len <= sizeof sent; len += len < 300 ? 1 : 1021) {
        CHECK_OK(tls_server_write(pair.server, sent, len));
        CHECK_EQ(whorl_stream_read(pair.tls, got, sizeof got), len);
        CHECK(memcmp(sent, got, len) == 0);
    }
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(close_notify_is_the_end)
{
    struct tls_pair pair;
    char buf[10];

    open_default(&pair);
    CHECK(whorl_stream_is_idle(pair.tls));
    CHECK_OK(tls_server_write(pair.server, "bye", 3));
    CHECK_OK(tls_server_close_notify(pair.server));
    CHECK(!whorl_stream_is_idle(pair.tls));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 3);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 0);
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 0);
    CHECK_EQ(tls_server_read(pair.server, buf, sizeof buf), 0); /* it was answered */
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -EPIPE);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(finish_says_goodbye_and_ends_both_directions)
{
    struct tls_pair pair;
    char buf[10];

    open_default(&pair);
    CHECK_OK(tls_server_write(pair.server, "unread", 6));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, 1), 1); /* the rest stays in the engine */
    CHECK_OK(tls_server_write(pair.server, "unread too", 10));
    CHECK_OK(whorl_stream_close_write(pair.tls));
    CHECK_EQ(tls_server_read(pair.server, buf, sizeof buf), 0);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), -ESHUTDOWN);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), -EPIPE);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(end_inside_a_record_is_truncation)
{
    char buf[10];

    for (size_t cut = 0;; cut++) {
        const size_t whole = RECORD_HEADER + 5 + 1 + 16;
        struct tls_pair pair;
        open_default(&pair);
        memstream_cut(pair.far, cut);
        CHECK_OK(tls_server_write(pair.server, "hello", 5));
        if (cut == whole)
            CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 5);
        CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_TRUNCATED);
        CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_TRUNCATED);
        tls_pair_finish(&pair);
        if (cut == whole)
            break;
    }
}

TEST_VIRTUAL(junk_instead_of_a_record_ends_the_stream)
{
    static const char *const junk[] = {"HTTP/", "\x17\x03\x03\xff\xff", "\x63\x03\x03\x00\x01\x01",
                                       /* a record that cannot be decrypted */
                                       "\x17\x03\x03\x00\x11zyxwvutsrqponmlkj",
                                       /* an alert that is not encrypted */
                                       "\x15\x03\x03\x00\x02\x01\x5a"};
    static const size_t lens[] = {5, 5, 6, 22, 7};
    char buf[10];

    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
        struct tls_pair pair;
        open_default(&pair);
        CHECK_OK(whorl_stream_write(pair.far, junk[i], lens[i]));
        CHECK_OK(whorl_stream_close_write(pair.far));
        CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
        CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), WHORL_ETLS_PROTOCOL);
        tls_pair_finish(&pair);
    }
}

TEST_VIRTUAL(key_updates_are_followed_and_answered)
{
    struct tls_pair pair;
    char buf[10];

    open_default(&pair);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(tls13_server_update_key(pair.server, i % 2));
        CHECK_OK(tls_server_write(pair.server, "data", 4));
        CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
        CHECK_OK(whorl_stream_write(pair.tls, "more", 4));
        CHECK_EQ(tls_server_read(pair.server, buf, sizeof buf), 4);
    }
    CHECK(whorl_stream_is_idle(pair.tls));
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(flood_of_key_updates_ends_the_stream)
{
    for (int is_request = 0; is_request < 2; is_request++) {
        struct tls_pair pair;
        char buf[10];
        open_default(&pair);
        for (int i = 0; i < 1000; i++)
            CHECK_OK(tls13_server_update_key(pair.server, is_request));
        CHECK_OK(tls_server_write(pair.server, "data", 4));
        CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
        CHECK(memstream_written(pair.carrier) < 5000);
        tls_pair_finish(&pair);
    }
}

TEST_VIRTUAL(tickets_are_passed_over_but_not_a_flood_of_them)
{
    struct tls_pair pair;
    char buf[10];

    open_default(&pair);
    for (int i = 0; i < 20; i++)
        CHECK_OK(tls13_server_send_ticket(pair.server));
    CHECK_OK(tls_server_write(pair.server, "data", 4));
    CHECK_EQ(whorl_stream_read(pair.tls, buf, sizeof buf), 4);
    CHECK(whorl_stream_is_idle(pair.tls));
    for (int i = 0; i < 100; i++)
        CHECK_OK(tls13_server_send_ticket(pair.server));
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_PROTOCOL);
    tls_pair_finish(&pair);
}

struct refusal {
    const char *cert, *host, *text;
    int code, alert;
};

TEST_VIRTUAL(certificates_are_judged_as_with_bearssl)
{
    static const struct refusal refusals[] = {
        {"expired", "localhost", "certificate for localhost expired 2021-01-01", WHORL_ETLS_EXPIRED,
         45},
        {"foreign", "localhost",
         "certificate for localhost is issued by foreign-ca, which is not trusted",
         WHORL_ETLS_TRUST, 48},
        {"wrong-name", "localhost", "certificate is for wrong.test, not for localhost",
         WHORL_ETLS_NAME, 46},
        {"not-a-ca", "localhost", NULL, WHORL_ETLS_CERTIFICATE, 42},
    };

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct tls13_server_options options = {.cert = refusals[i].cert};
        struct tls_pair pair;
        init(&pair, &options, (struct whorl_tls_options){0});
        tls_pair_connect_to(&pair, refusals[i].host);
        CHECK_ERR(pair.err, refusals[i].code);
        if (refusals[i].text)
            CHECK_STR(pair.error.text, refusals[i].text);
        CHECK_STR(pair.error.step, "TLS");
        CHECK_ERR(pair.server_err, -EPROTO);
        CHECK_EQ(tls13_server_alert(pair.server), refusals[i].alert);
        tls_pair_finish(&pair);

        init(&pair, &options, (struct whorl_tls_options){.insecure = true});
        tls_pair_connect_to(&pair, refusals[i].host);
        CHECK_OK(pair.err);
        tls_pair_finish(&pair);
    }
}

TEST_VIRTUAL(chain_with_an_intermediate_is_accepted)
{
    struct tls13_server_options options = {.cert = "chain"};
    struct tls_pair pair;

    init(&pair, &options, (struct whorl_tls_options){0});
    tls_pair_connect_to(&pair, "one.test");
    CHECK_OK(pair.err);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(protocol_is_settled_by_alpn)
{
    static const char *const offered[] = {"h2", "http/1.1", NULL};
    struct tls13_server_options options = {.alpn = "h2"};
    struct tls_pair pair;

    init(&pair, &options, (struct whorl_tls_options){.alpn = offered});
    tls_pair_connect(&pair);
    CHECK_OK(pair.err);
    CHECK_STR(whorl_tls_alpn(pair.tls), "h2");
    tls_pair_finish(&pair);

    options.alpn = "spdy";
    init(&pair, &options, (struct whorl_tls_options){.alpn = offered});
    tls_pair_connect(&pair);
    CHECK_ERR(pair.err, WHORL_ETLS_HANDSHAKE);
    tls_pair_finish(&pair);
}

/* In TLS 1.3 the client's handshake is complete before the server looks for its certificate. */
TEST_VIRTUAL(server_that_requires_a_client_certificate_refuses)
{
    struct tls13_server_options options = {.client_ca = "ca.pem"};
    struct tls_pair pair;
    char buf[10];

    init(&pair, &options, (struct whorl_tls_options){0});
    tls_pair_connect(&pair);
    CHECK_OK(pair.err);
    CHECK_ERR(pair.server_err, -EPROTO);
    CHECK_ERR(whorl_stream_read(pair.tls, buf, sizeof buf), WHORL_ETLS_ALERT);
    CHECK_ERR(whorl_stream_write(pair.tls, "x", 1), WHORL_ETLS_ALERT);
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(oldest_version_is_kept)
{
    struct tls13_server_options old = {.only_1_2 = true};
    struct tls_pair pair;

    init(&pair, &old, (struct whorl_tls_options){0});
    tls_pair_connect(&pair);
    CHECK_OK(pair.err);
    CHECK_STR(whorl_tls_version_name(pair.tls), "TLS 1.2");
    tls_pair_finish(&pair);

    init(&pair, &old, (struct whorl_tls_options){.version_min = WHORL_TLS_1_3});
    tls_pair_connect(&pair);
    CHECK_ERR(pair.err, WHORL_ETLS_VERSION);
    CHECK_STR(pair.error.text,
              "localhost sent alert protocol_version (70): it does not speak TLS 1.3");
    tls_pair_finish(&pair);
}

TEST_VIRTUAL(library_and_version_must_fit)
{
    struct whorl_tls_options options = {
        .insecure = true, .library = WHORL_TLS_BEARSSL, .version_min = WHORL_TLS_1_3};
    struct whorl_tls_config *config;
    struct whorl_error error;

    CHECK(whorl_tls_has_library(WHORL_TLS_BEARSSL));
    CHECK(whorl_tls_has_library(WHORL_TLS_OPENSSL));
    CHECK_ERR(whorl_tls_config_create(&options, &error, &config), -EINVAL);
    CHECK_STR(error.text, "BearSSL does not have TLS 1.3");
    options.library = WHORL_TLS_ANY;
    CHECK_OK(whorl_tls_config_create(&options, &error, &config));
    whorl_tls_config_destroy(config);
    setenv("WHORL_TLS", "gnutls", 1);
    CHECK_ERR(whorl_tls_config_create(&options, &error, &config), -EINVAL);
    CHECK_STR(error.text, "WHORL_TLS=gnutls: no such library; there are bearssl and openssl");
    unsetenv("WHORL_TLS");
}

/* The length of the server's first flight. */
static WHORL_SUSPENDS_SHIELDED size_t flight_len(void)
{
    struct tls13_server_options options = {.cert = "good"};
    struct tls_pair pair;

    init(&pair, &options, (struct whorl_tls_options){0});
    tls_pair_connect(&pair);
    CHECK_OK(pair.err);
    size_t len = memstream_written(pair.far);
    tls_pair_finish(&pair);
    return len;
}

TEST_VIRTUAL(handshake_cut_at_any_byte_fails_clearly)
{
    struct tls13_server_options options = {.cert = "good"};
    size_t len = flight_len();

    for (size_t cut = 0; cut <= len; cut += cut < 200 || len - cut < 30 ? 1 : 23) {
        struct tls_pair pair;
        init(&pair, &options, (struct whorl_tls_options){0});
        memstream_cut(pair.far, cut);
        tls_pair_connect(&pair);
        CHECK_ERR(pair.err, cut < len ? WHORL_ETLS_HANDSHAKE : 0);
        tls_pair_finish(&pair);
    }
}

TEST_VIRTUAL(conversation_cancelled_anywhere_leaves_nothing)
{
    tls_pair_check_cancelling(init_default);
}

TEST_VIRTUAL(keys_are_logged_when_asked_for)
{
    static const char *const labels[] = {"SERVER_HANDSHAKE_TRAFFIC_SECRET ",
                                         "CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "EXPORTER_SECRET ",
                                         "SERVER_TRAFFIC_SECRET_0 ", "CLIENT_TRAFFIC_SECRET_0 "};
    char path[400], text[4000];
    struct tls_pair pair;

    snprintf(path, sizeof path, "%s/keys", test_tmpdir());
    setenv("SSLKEYLOGFILE", path, 1);
    open_default(&pair);
    tls_pair_finish(&pair);
    unsetenv("SSLKEYLOGFILE");
    FILE *file = fopen(path, "re");
    CHECK(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        CHECK(strstr(text, labels[i]));
    CHECK_EQ(text[strlen(text) - 1], '\n');
}

/* --- OpenSSL's own allocations --- */

/* Handshakes compute on threads. */
static atomic_long allocations_left; /* until one fails; negative: none does */
static atomic_bool has_failed;

static bool fails(void)
{
    if (allocations_left < 0 || allocations_left-- > 0)
        return false;
    has_failed = true;
    return true;
}

static void *failing_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails() ? NULL : malloc(size);
}

static void *failing_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails() ? NULL : realloc(block, size);
}

static void plain_free(void *block, const char *file, int line)
{
    (void)file, (void)line;
    free(block);
}

/* Some of these allocations are optional for OpenSSL. The server's fail too, so its result is not
 * checked. */
TEST_VIRTUAL(every_failing_allocation_of_openssl_is_survived)
{
    bool reached = true;

    allocations_left = -1;
    CHECK(CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free));
    for (long n = 0; reached; n += n < 100 ? 1 : 29) {
        struct tls_pair pair;
        WHORL_AUTO(group) group = {0};
        init_default(&pair);
        CHECK_OK(whorl_spawn(&group, tls_pair_handshake, &pair));
        has_failed = false;
        allocations_left = n;
        pair.err =
            whorl_tls_connect(pair.config, pair.carrier, "localhost", &pair.error, &pair.tls);
        reached = has_failed;
        allocations_left = -1;
        CHECK(has_failed || pair.err == 0);
        if (pair.err)
            whorl_stream_close(pair.carrier);
        CHECK_OK(whorl_group_wait(&group));
        tls_pair_finish(&pair);
    }
}

static unsigned char secret[16384];
static int secrets_freed;

/* OpenSSL may free a block whose plaintext it has erased. */
static void inspecting_free(void *block, const char *file, int line)
{
    size_t size = block ? malloc_usable_size(block) : 0;

    (void)file, (void)line;
    if (block && memmem(block, size, secret, 64))
        secrets_freed++;
    free(block);
}

TEST_VIRTUAL(plaintext_is_erased_before_it_is_freed)
{
    static unsigned char got[sizeof secret];
    struct tls_pair pair;

    allocations_left = -1;
    CHECK(CRYPTO_set_mem_functions(failing_malloc, failing_realloc, inspecting_free));
    tls_pair_fill(secret, sizeof secret, 1);
    open_default(&pair);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(tls_server_write(pair.server, secret, sizeof secret));
        CHECK_OK(whorl_stream_read_exact(pair.tls, got, sizeof got));
        CHECK(memcmp(secret, got, sizeof secret) == 0);
        if (i == 0)
            tls_stream_rest(pair.tls);
    }
    tls_pair_finish(&pair);
    CHECK_EQ(secrets_freed, 0);
}

TEST_MAIN()
