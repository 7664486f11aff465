/* SPDX-License-Identifier: MIT */
/* TLS with OpenSSL as the peer, over TCP on loopback. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/net.h>
#include <whorl/scope.h>
#include <whorl/tls.h>

#include "certs.h"
#include "subprocess.h"
#include "test.h"
#include "tls_library.h"

enum { ARGUMENTS_MAX = 40 };

static pid_t server_pid;

/* Reads the port that s_server prints when it listens. */
static uint16_t wait_accept(const char *log)
{
    for (int i = 0; i < 1000; i++) {
        char text[4096] = "";
        FILE *file = fopen(log, "re");
        if (file) {
            size_t n = fread(text, 1, sizeof text - 1, file);
            text[n] = '\0';
            fclose(file);
        }
        char *accept = strstr(text, "ACCEPT "), *end = accept ? strchr(accept, '\n') : NULL;
        if (end) {
            while (end[-1] >= '0' && end[-1] <= '9')
                end--;
            return (uint16_t)atoi(end);
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    test_fail(__FILE__, __LINE__, "openssl s_server did not start, see %s", log);
}

/* Starts `openssl s_server` with a certificate of certs.h and more arguments. Returns its port. */
static uint16_t start_server(const char *cert, const char *const *more)
{
    static int count;
    const char *argv[ARGUMENTS_MAX] = {"openssl", "s_server", "-accept", "127.0.0.1:0"};
    char pem[64], key[64], log[400];
    int n = 4;

    if (!test_has_program("openssl"))
        test_skip("openssl is not installed");
    snprintf(pem, sizeof pem, "%s.pem", cert);
    snprintf(key, sizeof key, "%s.key", cert);
    snprintf(log, sizeof log, "%s/s_server.%d", test_tmpdir(), count++);
    argv[n++] = "-cert";
    argv[n++] = cert_path(pem);
    argv[n++] = "-cert_chain";
    argv[n++] = cert_path(pem);
    argv[n++] = "-key";
    argv[n++] = cert_path(key);
    while (*more && n < ARGUMENTS_MAX - 1)
        argv[n++] = *more++;
    server_pid = subprocess_daemon(argv, NULL, log, NULL);
    return wait_accept(log);
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static WHORL_SUSPENDS struct whorl_stream *dial(uint16_t port)
{
    struct whorl_addr addr;

    CHECK_OK(whorl_addr_parse("127.0.0.1", port, &addr));
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_OK(whorl_connect(fd, &addr));
    struct whorl_stream *stream;
    CHECK_OK(whorl_stream_from_socket(fd, &stream));
    return stream;
}

static WHORL_SUSPENDS int connect_with(const struct whorl_tls_options *options, uint16_t port,
                                       const char *host, struct whorl_error *error,
                                       struct whorl_stream **ret)
{
    struct whorl_tls_options all = *options;
    WHORL_AUTO(tls_config) *config = NULL;
    struct whorl_stream *carrier = dial(port);

    if (!all.ca_file)
        all.ca_file = cert_path("ca.pem");
    CHECK_OK(whorl_tls_config_create(&all, NULL, &config));
    int err = whorl_tls_connect(config, carrier, host, error, ret);
    if (err)
        whorl_stream_close(carrier);
    return err;
}

static WHORL_SUSPENDS struct whorl_stream *connect_to(uint16_t port, const char *host)
{
    struct whorl_stream *stream;
    struct whorl_error error;
    struct whorl_tls_options options = {0};

    if (connect_with(&options, port, host, &error, &stream))
        test_fail(__FILE__, __LINE__, "%s", error.text);
    return stream;
}

static WHORL_SUSPENDS_SHIELDED void check_reversed(struct whorl_stream *stream, const char *word)
{
    size_t len = strlen(word);
    char line[100], got[100], expected[100];

    snprintf(line, sizeof line, "%s\n", word);
    for (size_t i = 0; i < len; i++)
        expected[i] = word[len - 1 - i];
    expected[len] = '\n';
    CHECK_OK(whorl_stream_write(stream, line, len + 1));
    CHECK_OK(whorl_stream_read_exact(stream, got, len + 1));
    CHECK(memcmp(got, expected, len + 1) == 0);
}

TEST_IO(lines_come_back_and_close_notify_ends)
{
    struct whorl_stream *stream =
        connect_to(start_server("good", ARGUMENTS("-rev", "-tls1_2")), "localhost");
    char byte;

    check_reversed(stream, "hello");
    check_reversed(stream, "once more");
    CHECK(whorl_stream_fd(stream) >= 0);
    CHECK(whorl_stream_is_idle(stream));
    CHECK_OK(whorl_stream_write(stream, "CLOSE\n", 6));
    CHECK_EQ(whorl_stream_read(stream, &byte, 1), 0);
    CHECK(!whorl_stream_is_idle(stream));
    whorl_stream_close(stream);
}

TEST_IO(server_that_also_speaks_a_newer_version_is_fine)
{
    struct whorl_stream *stream = connect_to(start_server("good-ec", ARGUMENTS("-rev")), "::1");

    check_reversed(stream, "hello");
    CHECK_OK(whorl_stream_close_write(stream));
    whorl_stream_close(stream);
}

TEST_IO(every_suite_and_curve_works)
{
    static const struct {
        const char *cert, *suite;
    } suites[] = {
        {"good-ec", "ECDHE-ECDSA-AES128-GCM-SHA256"}, {"good-ec", "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {"good-ec", "ECDHE-ECDSA-CHACHA20-POLY1305"}, {"good", "ECDHE-RSA-AES128-GCM-SHA256"},
        {"good", "ECDHE-RSA-AES256-GCM-SHA384"},      {"good", "ECDHE-RSA-CHACHA20-POLY1305"},
    };
    static const char *const curves[] = {"X25519", "P-256", "P-384", "P-521"};

    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        uint16_t port =
            start_server(suites[i].cert, ARGUMENTS("-rev", "-tls1_2", "-cipher", suites[i].suite,
                                                   "-groups", curves[i % 4]));
        struct whorl_stream *stream = connect_to(port, "127.0.0.1");
        CHECK_STR(whorl_tls_suite(stream), suites[i].suite);
        check_reversed(stream, "word");
        whorl_stream_close(stream);
    }
}

TEST_IO(newer_versions_alone_need_openssl)
{
    struct whorl_tls_options options = {0};
    struct whorl_stream *stream;
    struct whorl_error error;
    uint16_t port = start_server("good", ARGUMENTS("-rev", "-tls1_3"));

    if (tests_use_openssl()) {
        CHECK_OK(connect_with(&options, port, "localhost", &error, &stream));
        CHECK_STR(whorl_tls_version_name(stream), "TLS 1.3");
        check_reversed(stream, "hello");
        whorl_stream_close(stream);
        return;
    }
    CHECK_ERR(connect_with(&options, port, "localhost", &error, &stream), WHORL_ETLS_VERSION);
    CHECK_STR(error.text, "localhost sent alert protocol_version (70): it does not speak TLS 1.2");
}

TEST_IO(suites_of_old_servers_are_refused)
{
    struct whorl_tls_options options = {0};
    struct whorl_stream *stream;
    struct whorl_error error;
    uint16_t port = start_server("good", ARGUMENTS("-rev", "-tls1_2", "-cipher", "AES128-SHA"));

    CHECK_ERR(connect_with(&options, port, "localhost", &error, &stream), WHORL_ETLS_ALERT);
    CHECK_STR(error.text, "localhost sent alert handshake_failure (40)");
}

TEST_IO(chain_with_an_intermediate_is_accepted)
{
    struct whorl_stream *stream = connect_to(start_server("chain", ARGUMENTS("-rev")), "one.test");

    check_reversed(stream, "hello");
    whorl_stream_close(stream);
}

TEST_IO(certificate_errors_come_through_tcp)
{
    struct whorl_tls_options options = {0};
    struct whorl_stream *stream;
    struct whorl_error error;
    uint16_t port = start_server("expired", ARGUMENTS("-rev"));

    CHECK_ERR(connect_with(&options, port, "localhost", &error, &stream), WHORL_ETLS_EXPIRED);
    CHECK_STR(error.text, "certificate for localhost expired 2021-01-01");
    options.insecure = true;
    CHECK_OK(connect_with(&options, port, "localhost", &error, &stream));
    check_reversed(stream, "hello");
    whorl_stream_close(stream);
}

TEST_IO(client_certificate_may_be_asked_for_but_not_required)
{
    struct whorl_tls_options options = {0};
    struct whorl_stream *stream;
    struct whorl_error error;
    uint16_t port = start_server("good", ARGUMENTS("-rev", "-tls1_2", "-verify", "1"));

    CHECK_OK(connect_with(&options, port, "localhost", &error, &stream));
    check_reversed(stream, "hello");
    whorl_stream_close(stream);
    port = start_server("good", ARGUMENTS("-rev", "-tls1_2", "-Verify", "1"));
    CHECK_ERR(connect_with(&options, port, "localhost", &error, &stream), WHORL_ETLS_ALERT);
}

TEST_IO(client_certificate_is_sent_when_the_server_asks)
{
    static const char *const certs[] = {"good", "good-ec", "chain"};
    const char *const versions[] = {"-tls1_2", "-tls1_3"};

    for (int v = 0; v < (tests_use_openssl() ? 2 : 1); v++) {
        uint16_t port =
            start_server("good", ARGUMENTS("-rev", versions[v], "-Verify", "2", "-CAfile",
                                           cert_path("ca.pem"), "-verify_return_error"));
        for (size_t i = 0; i < sizeof certs / sizeof *certs; i++) {
            struct whorl_stream *stream;
            struct whorl_error error;
            char pem[40], key[40];
            snprintf(pem, sizeof pem, "%s.pem", certs[i]);
            snprintf(key, sizeof key, "%s.key", certs[i]);
            struct whorl_tls_options options = {.cert_file = cert_path(pem),
                                                .key_file = cert_path(key)};
            CHECK_OK(connect_with(&options, port, "localhost", &error, &stream));
            check_reversed(stream, "hello");
            whorl_stream_close(stream);
        }
        struct whorl_stream *stream;
        struct whorl_tls_options foreign = {.cert_file = cert_path("foreign.pem"),
                                            .key_file = cert_path("foreign.key")};
        int err = connect_with(&foreign, port, "localhost", NULL, &stream);
        if (err == 0) { /* in TLS 1.3, the refusal comes after the handshake */
            char byte;
            err = (int)whorl_stream_read(stream, &byte, 1);
            whorl_stream_close(stream);
        }
        CHECK_ERR(err, WHORL_ETLS_ALERT);
    }
}

TEST(client_certificate_must_fit)
{
    struct whorl_tls_options options = {.insecure = true, .key_file = cert_path("good.key")};
    struct whorl_tls_config *config;
    struct whorl_error error;

    CHECK_ERR(whorl_tls_config_create(&options, &error, &config), -EINVAL);
    CHECK(strstr(error.text, "key_file is set without cert_file"));
    options.cert_file = cert_path("good-ec.pem");
    CHECK_ERR(whorl_tls_config_create(&options, &error, &config), WHORL_ETLS_CERTFILE);
    CHECK(strstr(error.text, "private key does not belong to the first certificate"));
    options.cert_file = "/nonexistent";
    CHECK_ERR(whorl_tls_config_create(&options, &error, &config), -ENOENT);
    options.cert_file = cert_path("expired.pem");
    options.key_file = cert_path("expired.key");
    CHECK_ERR(whorl_tls_config_create(&options, &error, &config), WHORL_ETLS_EXPIRED);
}

TEST_IO(protocol_is_settled_with_openssl)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct whorl_tls_options options = {.alpn = alpn};
    struct whorl_stream *stream;
    struct whorl_error error;
    uint16_t port = start_server("good", ARGUMENTS("-rev", "-alpn", "http/1.1"));

    CHECK_OK(connect_with(&options, port, "localhost", &error, &stream));
    CHECK_STR(whorl_tls_alpn(stream), "http/1.1");
    whorl_stream_close(stream);
}

TEST_IO(killed_server_truncates)
{
    struct whorl_stream *stream =
        connect_to(start_server("good", ARGUMENTS("-rev", "-tls1_2")), "localhost");
    char byte;

    check_reversed(stream, "hello");
    CHECK_OK(kill(server_pid, SIGKILL));
    CHECK_ERR(whorl_stream_read(stream, &byte, 1), WHORL_ETLS_TRUNCATED);
    CHECK(!whorl_stream_is_idle(stream));
    whorl_stream_close(stream);
}

/* Line number `i` of a long conversation. */
static size_t make_line(char *line, int i, bool reversed)
{
    size_t len = 1 + (size_t)i * 7 % 1500;

    for (size_t at = 0; at < len; at++)
        line[reversed ? len - 1 - at : at] = (char)('a' + (at * 31 + (size_t)i) % 26);
    line[len] = '\n';
    return len + 1;
}

enum { LINES = 1500 };

static int write_lines(void *arg)
{
    char line[2000];

    for (int i = 0; i < LINES; i++)
        CHECK_OK(whorl_stream_write(arg, line, make_line(line, i, false)));
    return 0;
}

/* A megabyte in each direction: each side stops reading while its own writes are blocked. */
TEST_IO(reader_and_writer_share_a_connection)
{
    struct whorl_stream *stream =
        connect_to(start_server("good", ARGUMENTS("-rev", "-tls1_2")), "localhost");
    struct whorl_group group = {0};
    char got[2000], expected[2000];

    CHECK_OK(whorl_spawn(&group, write_lines, stream));
    for (int i = 0; i < LINES; i++) {
        size_t len = make_line(expected, i, true);
        CHECK_OK(whorl_stream_read_exact(stream, got, len));
        CHECK(memcmp(got, expected, len) == 0);
    }
    CHECK_OK(whorl_group_wait(&group));
    whorl_stream_close(stream);
}

TEST_IO(large_download_arrives_whole)
{
    enum { LEN = 5000000 };
    char path[400];
    unsigned char *sent = malloc(LEN), *got = malloc(LEN + 4096);
    size_t len = 0;
    ssize_t n;

    CHECK(sent && got);
    for (size_t i = 0; i < LEN; i++)
        sent[i] = (unsigned char)(i * i >> 7);
    snprintf(path, sizeof path, "%s/file", test_tmpdir());
    FILE *file = fopen(path, "we");
    CHECK(file);
    CHECK_EQ(fwrite(sent, 1, LEN, file), LEN);
    fclose(file);
    CHECK_OK(chdir(test_tmpdir()));
    struct whorl_stream *stream =
        connect_to(start_server("good-ec", ARGUMENTS("-HTTP", "-tls1_2")), "localhost");
    CHECK_OK(whorl_stream_write(stream, "GET /file HTTP/1.0\r\n\r\n", 22));
    while ((n = whorl_stream_read(stream, got + len, LEN + 4096 - len)) > 0)
        len += (size_t)n;
    CHECK_OK(n);
    CHECK_EQ(len, LEN); /* -HTTP sends files unchanged */
    CHECK(memcmp(got, sent, LEN) == 0);
    whorl_stream_close(stream);
    free(sent);
    free(got);
    CHECK_OK(chdir("/"));
}

TEST_IO(handshake_has_the_timeout_of_its_scope)
{
    struct whorl_tls_options options = {0};
    struct whorl_listener *listener;
    struct whorl_addr addr;
    struct whorl_stream *stream;
    struct whorl_error error;
    struct whorl_scope scope;

    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &listener)); /* it accepts connections but sends nothing */
    whorl_scope_enter(&scope, whorl_after(50 * WHORL_MILLISECOND));
    int err = connect_with(&options, whorl_addr_port(whorl_listener_addr(listener)), "localhost",
                           &error, &stream);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    whorl_listener_close(listener);
}

TEST_MAIN()
