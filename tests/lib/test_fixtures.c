/* SPDX-License-Identifier: MIT */
/* Tests the fixtures: processes, ports, certificates, nginx and the scripted peer. */
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "certs.h"
#include "nginx.h"
#include "ports.h"
#include "scripted_peer.h"
#include "subprocess.h"
#include "test.h"

/* Opens a blocking connection with a timeout, so that no failure hangs. */
static int dial(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct timeval limit = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

/* Reads until the end and NUL-terminates the bytes. Returns the count, or -errno. */
static ssize_t read_to_end(int fd, char *buf, size_t size)
{
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, buf + len, size - len - 1, 0);
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    buf[len] = '\0';
    return (ssize_t)len;
}

TEST(subprocess_feeds_input_and_keeps_both_outputs)
{
    struct subprocess run;
    struct subprocess_options options = {.input = "some words"};

    subprocess_run(&run, (const char *[]){"sh", "-c", "cat; echo oops >&2; exit 3", NULL},
                   &options);
    CHECK_EQ(run.exit_status, 3);
    CHECK_EQ(run.signal, 0);
    CHECK_STR(run.out, "some words");
    CHECK_STR(run.err, "oops\n");
    subprocess_finish(&run);
}

TEST(subprocess_moves_more_than_a_pipe_holds)
{
    struct subprocess run;
    size_t len = 1 << 20;
    char *input = malloc(len);
    struct subprocess_options options = {.input = input, .input_len = len};

    memset(input, 'x', len);
    subprocess_run(&run, (const char *[]){"cat", NULL}, &options);
    CHECK_EQ(run.exit_status, 0);
    CHECK_EQ(run.out_len, len);
    CHECK(memcmp(run.out, input, len) == 0);
    subprocess_finish(&run);
    free(input);
}

TEST(subprocess_is_killed_when_its_time_is_up)
{
    struct subprocess run;
    struct subprocess_options options = {.timeout_s = 1};

    subprocess_run(&run, (const char *[]){"sleep", "60", NULL}, &options);
    CHECK(run.timed_out);
    CHECK_EQ(run.signal, SIGKILL);
    subprocess_finish(&run);
}

TEST(subprocess_has_its_own_directory_and_environment)
{
    struct subprocess run;
    const char *const env[] = {"COLOUR=red", "HOME", NULL};
    struct subprocess_options options = {.dir = "/", .env = env};

    subprocess_run(&run, (const char *[]){"sh", "-c", "pwd; echo $COLOUR${HOME-none}", NULL},
                   &options);
    CHECK_STR(run.out, "/\nrednone\n");
    subprocess_finish(&run);
}

TEST(subprocess_can_have_a_terminal)
{
    struct subprocess run;
    struct subprocess_options options = {.tty = true, .columns = 61};

    subprocess_run(&run, (const char *[]){"sh", "-c", "test -t 1 && stty size <&1", NULL},
                   &options);
    CHECK_EQ(run.exit_status, 0);
    CHECK_STR(run.out, "24 61\r\n");
    subprocess_finish(&run);
}

TEST(subprocess_takes_signals_once_it_has_spoken)
{
    struct subprocess run;

    subprocess_start(&run, (const char *[]){"sh", "-c", "echo up; exec sleep 60", NULL}, NULL);
    subprocess_wait_output(&run, "up\n", false);
    subprocess_signal(&run, SIGTERM);
    subprocess_wait(&run);
    CHECK_EQ(run.signal, SIGTERM);
    subprocess_finish(&run);
}

TEST(port_refused_refuses)
{
    CHECK_ERR(dial(port_refused()), -ECONNREFUSED);
}

TEST(port_blackhole_does_not_answer)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons(port_blackhole())};
    struct timeval limit = {.tv_usec = 200000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    CHECK_EQ(connect(fd, (struct sockaddr *)&addr, sizeof addr), -1);
    CHECK_EQ(errno, EINPROGRESS);
    close(fd);
}

static const struct peer_step two_parts[] = {
    PEER_READ_HEAD(),
    PEER_SEND("first"),
    PEER_CLOSE(),
    PEER_READ_UNTIL("\n"),
    PEER_SEND_SLOWLY("second\0!", 3, 2),
    PEER_CLOSE(),
    PEER_END,
};

TEST(peer_gives_each_connection_its_part_and_repeats_the_last)
{
    struct scripted_peer *peer = peer_start(two_parts);
    char buf[64];

    for (int i = 0; i < 3; i++) {
        int fd = dial(peer_port(peer));
        CHECK(send(fd, "GET /\r\n\r\n", 9, MSG_NOSIGNAL) == 9);
        ssize_t n = read_to_end(fd, buf, sizeof buf);
        CHECK_EQ(n, i == 0 ? 5 : 8);
        CHECK(memcmp(buf, i == 0 ? "first" : "second\0!", (size_t)n) == 0);
        close(fd);
        CHECK_STR(peer_received(peer, i, NULL), "GET /\r\n\r\n");
    }
    CHECK_EQ(peer_connections(peer), 3);
    peer_wait_open(peer, 0);
}

static const struct peer_step reset[] = {
    PEER_READ(3), PEER_SEND("half"), PEER_PAUSE(20), PEER_RESET(), PEER_END,
};

TEST(peer_resets_after_what_it_sent)
{
    struct scripted_peer *peer = peer_start(reset);
    char buf[64];
    int fd = dial(peer_port(peer));

    CHECK(send(fd, "abc", 3, MSG_NOSIGNAL) == 3);
    CHECK_EQ(recv(fd, buf, sizeof buf, 0), 4);
    CHECK_EQ(recv(fd, buf, sizeof buf, 0), -1);
    CHECK_EQ(errno, ECONNRESET);
    close(fd);
}

static const struct peer_step endless[] = {
    PEER_SEND("HTTP/1.1 200 OK\r\n"),
    PEER_SEND_ENDLESSLY("X-More: yes\r\n"),
    PEER_CLOSE(),
    PEER_END,
};

TEST(peer_sends_endlessly_until_the_client_leaves)
{
    struct scripted_peer *peer = peer_start(endless);
    char buf[4096];
    int fd = dial(peer_port(peer));

    for (size_t len = 0; len < 1 << 20;) {
        ssize_t n = recv(fd, buf, sizeof buf, 0);
        CHECK(n > 0);
        len += (size_t)n;
    }
    close(fd);
    peer_wait_connections(peer, 1);
    peer_wait_open(peer, 0);
}

static const struct peer_step hang[] = {PEER_READ_HEAD(), PEER_HANG(), PEER_END};

TEST(peer_stops_while_connections_hang)
{
    struct scripted_peer *peer = peer_start(hang);
    char buf[4];
    int fd = dial(peer_port(peer));

    peer_wait_connections(peer, 1);
    uint16_t port = peer_port(peer);
    peer_stop(peer);
    CHECK_EQ(recv(fd, buf, sizeof buf, 0), 0);
    close(fd);
    CHECK_ERR(dial(port), -ECONNREFUSED);
}

/* Whether `openssl verify` accepts the certificate. */
static bool verifies(const char *name, const char *anchor, const char *option, const char *value)
{
    struct subprocess run;
    char pem[64];

    snprintf(pem, sizeof pem, "%s.pem", name);
    const char *leaf = cert_path(pem);
    subprocess_run(&run,
                   (const char *[]){"openssl", "verify", "-x509_strict", "-CAfile",
                                    cert_path(anchor), "-untrusted", leaf, option, value, leaf,
                                    NULL},
                   NULL);
    bool good = run.exit_status == 0;
    subprocess_finish(&run);
    return good;
}

TEST(certs_are_what_their_names_say)
{
    static const char *const good[] = {"good", "good-ec", "chain"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK(verifies(good[i], "ca.pem", "-verify_hostname", "localhost"));
        CHECK(verifies(good[i], "ca.pem", "-verify_hostname", "two.test"));
        CHECK(verifies(good[i], "ca.pem", "-verify_ip", "127.0.0.1"));
        CHECK(verifies(good[i], "ca.pem", "-verify_ip", "::1"));
        CHECK(!verifies(good[i], "ca.pem", "-verify_hostname", "three.test"));
        CHECK(!verifies(good[i], "foreign-ca.pem", "-verify_hostname", "localhost"));
    }
    CHECK(verifies("ec", "ca-ec.pem", "-verify_hostname", "localhost"));
    CHECK(verifies("ec", "both-cas.pem", "-verify_hostname", "localhost"));
    CHECK(verifies("wildcard", "ca.pem", "-verify_hostname", "a.wild.test"));
    CHECK(verifies("ip-only", "ca.pem", "-verify_ip", "127.0.0.1"));
    CHECK(!verifies("ip-only", "ca.pem", "-verify_hostname", "localhost"));
    CHECK(!verifies("names-only", "ca.pem", "-verify_ip", "127.0.0.1"));
    CHECK(verifies("common-name", "ca.pem", "-purpose", "sslserver"));
    CHECK(!verifies("wrong-name", "ca.pem", "-verify_hostname", "localhost"));
    CHECK(verifies("wrong-name", "ca.pem", "-verify_hostname", "wrong.test"));
    CHECK(!verifies("expired", "ca.pem", "-verify_hostname", "localhost"));
    CHECK(verifies("expired", "ca.pem", "-no_check_time", "-check_ss_sig"));
    CHECK(!verifies("future", "ca.pem", "-verify_hostname", "localhost"));
    CHECK(!verifies("foreign", "ca.pem", "-verify_hostname", "localhost"));
    CHECK(verifies("foreign", "foreign-ca.pem", "-verify_hostname", "localhost"));
    CHECK(!verifies("self-signed", "ca.pem", "-verify_hostname", "localhost"));
    CHECK(!verifies("no-chain", "ca.pem", "-verify_hostname", "localhost"));
    CHECK(!verifies("not-a-ca", "ca.pem", "-verify_hostname", "localhost"));
}

/* Checks what curl prints for a URL of localhost. */
static void curl(const char *scheme, const char *host, uint16_t port, const char *path,
                 const char *expected)
{
    struct subprocess run;
    char url[128];

    snprintf(url, sizeof url, "%s://%s:%d%s", scheme, host, port, path);
    subprocess_run(&run,
                   (const char *[]){"curl", "-sS", "--noproxy", "*", "--cacert",
                                    cert_path("ca.pem"), url, NULL},
                   NULL);
    if (run.exit_status != 0)
        test_fail(__FILE__, __LINE__, "%s: %s", url, run.err);
    CHECK_STR(run.out, expected);
    subprocess_finish(&run);
}

TEST(nginx_serves_http_and_https_on_both_families)
{
    char path[PATH_MAX];

    if (!test_has_program("curl"))
        test_skip("curl is not installed");
    snprintf(path, sizeof path, "%s/page", test_tmpdir());
    FILE *file = fopen(path, "w");
    fputs("the page", file);
    fclose(file);
    struct nginx *nginx = nginx_start(&(struct nginx_options){
        .docroot = test_tmpdir(), .server_conf = "location /teapot { return 418 short; }"});
    curl("http", "127.0.0.1", nginx_port(nginx), "/page", "the page");
    curl("https", "localhost", nginx_tls_port(nginx), "/page", "the page");
    curl("http", "127.0.0.1", nginx_port(nginx), "/teapot", "short");
    int v6 = port_listen_v6(0);
    if (v6 >= 0) {
        close(v6);
        curl("https", "[::1]", nginx_tls_port(nginx), "/page", "the page");
    }
    nginx_wait_requests(nginx, "GET /page 200", 2);
    CHECK_EQ(nginx_requests(nginx, "/teapot 418"), 1);
    uint16_t port = nginx_port(nginx);
    nginx_stop(nginx);
    CHECK_ERR(dial(port), -ECONNREFUSED);
}

TEST_MAIN()
