/* SPDX-License-Identifier: MIT */
/* TLS servers on sockets, with OpenSSL, curl and this library's HTTP client as clients. */
#include <stdlib.h>
#include <sys/socket.h>

#include <whorl.h>

#include "certs.h"
#include "io_faults.h"
#include "memstream.h"
#include "served_port.h"
#include "subprocess.h" /* test_has_program() */
#include "test.h"

/* --- a server --- */

struct tls_served {
    struct served_port http;
    struct whorl_tls_server_options tls;
    int failures, last_failure, handled;
};

/* Replies with the properties of the connection. */
static WHORL_SUSPENDS int handle(void *arg, struct whorl_http_incoming *incoming,
                                 struct whorl_http_reply *reply)
{
    struct tls_served *server = arg;
    int64_t len = whorl_http_incoming_length(incoming);
    char *body = NULL;

    server->handled++;
    if (strcmp(whorl_http_incoming_path(incoming), "/refuse") == 0)
        return whorl_http_reply_send(reply, 413, "text/plain", "too large\n", 10);
    if (len == 0)
        return whorl_http_reply_send(reply, 200, "text/plain", "hello\n", 6);
    int err = whorl_http_incoming_read_to_end(incoming, 8 << 20, &body, NULL);
    if (err == 0)
        err = whorl_http_reply_send(reply, 200, "text/plain", body, (size_t)len);
    free(body);
    return err;
}

static void note_failure(void *arg, struct whorl_stream *stream, int err)
{
    struct tls_served *server = arg;

    (void)stream;
    server->failures++;
    server->last_failure = err;
}

static uint16_t begin(struct tls_served *server)
{
    if (!server->tls.cert_file) {
        server->tls.cert_file = cert_path("good-ec.pem");
        server->tls.key_file = cert_path("good-ec.key");
    }
    CHECK_OK(whorl_tls_server_create(&server->tls, NULL, &server->http.options.serve.tls));
    server->http.options.serve.failed = note_failure;
    return served_port_begin(&server->http, handle, server);
}

static WHORL_SUSPENDS_SHIELDED void end(struct tls_served *server)
{
    served_port_end(&server->http);
    whorl_tls_server_destroy(server->http.options.serve.tls);
}

/* Runs a shell script with the server's port in $port and the certificates' directory in $certs,
 * and expects its output. */
static WHORL_SUSPENDS_SHIELDED void expect(uint16_t port, const char *script, const char *expected)
{
    char text[2048];
    struct whorl_process_output output = {0};
    const char *argv[] = {"sh", "-c", text, NULL};
    const struct whorl_process_options options = {.argv = argv, .dir = test_tmpdir()};

    snprintf(text, sizeof text,
             "port=%d; certs=%s; set -f; curl=\"curl -sS --noproxy * --max-time 20 --cacert "
             "$certs/ca.pem\"; url=https://localhost:$port; client=\"openssl s_client -connect "
             "127.0.0.1:$port -CAfile $certs/ca.pem\"; %s",
             port, cert_path("."), script);
    CHECK_OK(whorl_process_run(&options, NULL, 0, 1 << 20, &output));
    if (strcmp(output.out, expected) != 0)
        test_fail(__FILE__, __LINE__, "%s: got \"%s\", expected \"%s\": %s", script, output.out,
                  expected, output.err);
    whorl_process_output_finish(&output);
}

/* Waits for the server's n-th failure, which it may see only after the client has ended. */
static WHORL_SUSPENDS int await_failure(const struct tls_served *server, int n)
{
    struct whorl_scope scope;
    int err = 0;

    whorl_scope_enter_timeout(&scope, test_timeout_scale() * 5 * WHORL_SECOND);
    while (server->failures < n && err == 0)
        err = whorl_sleep(WHORL_MILLISECOND);
    err = whorl_scope_leave(&scope, err);
    return err ? err : server->last_failure;
}

/* --- OpenSSL --- */

TEST_IO(openssl_agrees_on_every_suite_and_curve)
{
    struct whorl_tls_pair more[] = {{cert_path("good.pem"), cert_path("good.key")}, {0}};
    struct tls_served server = {.tls.more = more};
    uint16_t port = begin(&server);

    expect(port,
           "for suite in ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 "
           "ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384 "
           "ECDHE-RSA-CHACHA20-POLY1305; do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | "
           "$client -cipher $suite -tls1_2 -ign_eof 2>&1 | grep -E -o "
           "'^    Cipher *: .*|Verify return code: 0|^hello'; done",
           "    Cipher    : ECDHE-ECDSA-AES128-GCM-SHA256\nVerify return code: 0\nhello\n"
           "    Cipher    : ECDHE-ECDSA-AES256-GCM-SHA384\nVerify return code: 0\nhello\n"
           "    Cipher    : ECDHE-ECDSA-CHACHA20-POLY1305\nVerify return code: 0\nhello\n"
           "    Cipher    : ECDHE-RSA-AES128-GCM-SHA256\nVerify return code: 0\nhello\n"
           "    Cipher    : ECDHE-RSA-AES256-GCM-SHA384\nVerify return code: 0\nhello\n"
           "    Cipher    : ECDHE-RSA-CHACHA20-POLY1305\nVerify return code: 0\nhello\n");
    /* A client that does not know the curve of the EC key gets the RSA certificate. */
    expect(port,
           "for curve in X25519:P-256 P-256 P-384 P-521 X25519; do $client -groups $curve -tls1_2 "
           "</dev/null 2>&1 | sed -n 's/^Server Temp Key: //p; s/^.*Cipher is ECDHE-//p'; done",
           "X25519, 253 bits\nECDSA-AES256-GCM-SHA384\n"
           "ECDH, prime256v1, 256 bits\nECDSA-AES256-GCM-SHA384\n"
           "ECDH, secp384r1, 384 bits\nRSA-AES256-GCM-SHA384\n"
           "ECDH, secp521r1, 521 bits\nRSA-AES256-GCM-SHA384\n"
           "X25519, 253 bits\nRSA-AES256-GCM-SHA384\n");
    CHECK_EQ(server.failures, 0);
    end(&server);
}

TEST_IO(clients_without_a_common_version_or_suite_are_told)
{
    struct tls_served server = {0};
    uint16_t port = begin(&server);

    /* TLS 1.3 has suites of its own. */
    expect(port, "$client -tls1_3 </dev/null 2>&1 | grep -o 'alert handshake failure'",
           "alert handshake failure\n");
    CHECK_ERR(await_failure(&server, 1), WHORL_ETLS_HANDSHAKE);
    expect(port,
           "$client -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA </dev/null 2>&1 | grep -o 'alert "
           "handshake failure'",
           "alert handshake failure\n");
    CHECK_ERR(await_failure(&server, 2), WHORL_ETLS_HANDSHAKE);
    /* Only suites for RSA certificates, which this server has not. */
    expect(port,
           "$client -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 </dev/null 2>&1 | grep -o 'alert "
           "handshake failure'",
           "alert handshake failure\n");
    CHECK_ERR(await_failure(&server, 3), WHORL_ETLS_HANDSHAKE);
    CHECK_EQ(server.failures, 3);
    CHECK_EQ(server.handled, 0);
    end(&server);
}

#define STORE "$client -tls1_2 $options -sess_out session </dev/null >/dev/null 2>&1; "
#define RESUME \
    "$client -tls1_2 $options -sess_in session </dev/null 2>&1 | grep -E -o '^(New|Reused)'"

TEST_IO(sessions_are_resumed)
{
    struct tls_served server = {0};
    uint16_t port = begin(&server);

    expect(port, STORE RESUME "; " RESUME, "Reused\nReused\n");
    expect(port, "options='-servername one.test'; " STORE RESUME, "Reused\n");
    /* RFC 6066 §3: not for another host. */
    expect(port, "options='-servername one.test'; " STORE "options='-servername two.test'; " RESUME,
           "New\n");
    expect(port, "options='-servername one.test'; " STORE "options=-noservername; " RESUME,
           "New\n");
    expect(port,
           "$client -tls1_2 -reconnect </dev/null 2>&1 | grep -E -o '^(New|Reused)' | uniq -c | "
           "tr -s ' '",
           " 1 New\n 5 Reused\n");
    end(&server);
}

/* Passes a connection through a stream in memory, of which the server reads a few bytes at a
 * time. */
struct relay {
    struct whorl_tls_server *server;
    struct whorl_listener *listener;
    struct whorl_stream *outer, *inner;
};

static int relay(void *arg)
{
    struct relay *relay = arg;

    test_ignore(whorl_stream_copy_both(relay->outer, relay->inner, NULL, NULL));
    return 0;
}

static int serve_in_pieces(void *arg)
{
    struct relay *x = arg;

    for (int i = 0; i < 2; i++) {
        WHORL_AUTO(group) group = {0};
        struct whorl_stream *stream;
        char byte;
        int fd = whorl_accept(x->listener, NULL);
        CHECK(fd >= 0);
        CHECK_OK(whorl_stream_from_socket(fd, &x->outer));
        CHECK_OK(memstream_pair(&x->inner, &stream));
        memstream_chunk(stream, 10);
        CHECK_OK(whorl_spawn(&group, relay, x));
        CHECK_OK(whorl_tls_accept(x->server, stream, NULL, &stream));
        CHECK_EQ(whorl_tls_is_resumed(stream), i == 1);
        CHECK(whorl_stream_read(stream, &byte, 1) <= 0);
        whorl_stream_close(stream);
        CHECK_OK(whorl_group_wait(&group));
        whorl_stream_close(x->outer);
        whorl_stream_close(x->inner);
    }
    return 0;
}

TEST_IO(session_is_resumed_when_the_hello_comes_in_pieces)
{
    struct whorl_tls_server_options options = {.cert_file = cert_path("good-ec.pem"),
                                               .key_file = cert_path("good-ec.key")};
    WHORL_AUTO(group) group = {0};
    struct relay x = {0};
    struct whorl_addr addr;

    CHECK_OK(whorl_tls_server_create(&options, NULL, &x.server));
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &x.listener));
    CHECK_OK(whorl_spawn(&group, serve_in_pieces, &x));
    expect(whorl_addr_port(whorl_listener_addr(x.listener)), STORE RESUME, "Reused\n");
    CHECK_OK(whorl_group_wait(&group));
    whorl_listener_close(x.listener);
    whorl_tls_server_destroy(x.server);
}

TEST_IO(sessions_can_be_limited_and_switched_off)
{
    struct tls_served none = {.tls.no_sessions = true}, one = {.tls.sessions_max = 1};
    uint16_t port = begin(&none);

    expect(port, STORE RESUME, "New\n");
    end(&none);
    port = begin(&one);
    expect(port, STORE RESUME, "Reused\n");
    /* A second session takes the place of the first one. */
    expect(port, STORE "mv session first; " STORE "mv first session; " RESUME, "New\n");
    expect(port, STORE RESUME, "Reused\n");
    /* Nor are they resumed after a reload. */
    expect(port, STORE, "");
    CHECK_OK(whorl_tls_server_reload(one.http.options.serve.tls, &one.tls, NULL));
    expect(port, RESUME, "New\n");
    end(&one);
}

/* --- HTTPS --- */

TEST_IO(curl_speaks_https)
{
    static const char *const alpn[] = {"http/1.1", NULL};
    struct tls_served server = {.tls.alpn = alpn};

    if (!test_has_program("curl"))
        test_skip("curl is not installed");
    uint16_t port = begin(&server);
    expect(port, "$curl $url", "hello\n");
    expect(port, "$curl -v $url 2>&1 | grep -c 'ALPN: server accepted http/1.1'", "1\n");
    expect(port,
           "head -c 1000000 /dev/urandom >body; $curl --data-binary @body $url | cmp body && echo "
           "same",
           "same\n");
    expect(
        port,
        "$curl -o /dev/null -w '%{num_connects}\\n' \"$url/[1-20]\" | sort | uniq -c | tr -s ' '",
        " 19 0\n 1 1\n");
    /* A reply that comes before the end of a long body. */
    expect(port,
           "head -c 200000 /dev/zero >body; for i in 1 2 3; do $curl -H Expect: -H "
           "'Transfer-Encoding: chunked' --data-binary @body $url/refuse -w '%{http_code}\\n' "
           "2>/dev/null; done",
           "too large\n413\ntoo large\n413\ntoo large\n413\n");
    CHECK_EQ(server.failures, 0);
    expect(port, "$curl http://localhost:$port 2>&1 | grep -o -i 'curl: ([0-9]*)'", "curl: (52)\n");
    CHECK_ERR(await_failure(&server, 1), WHORL_ETLS_NOTTLS);
    expect(port, "$curl --cacert $certs/foreign-ca.pem $url 2>&1 | grep -o 'curl: ([0-9]*)'",
           "curl: (60)\n");
    CHECK_ERR(await_failure(&server, 2), WHORL_ETLS_ALERT);
    end(&server);
}

TEST_IO(client_of_this_library_speaks_https)
{
    struct tls_served server = {0};
    uint16_t port = begin(&server);
    struct whorl_tls_options trust = {.ca_file = cert_path("ca.pem")};
    struct whorl_http_session_options options = {0};
    WHORL_AUTO(http_session) *session = NULL;
    char url[64];

    CHECK_OK(whorl_tls_config_create(&trust, NULL, &options.tls));
    snprintf(url, sizeof url, "https://localhost:%d/", port);
    CHECK_OK(whorl_http_session_create(&options, &session));
    whorl_tls_config_destroy(options.tls); /* the session holds it */
    for (int i = 0; i < 3; i++) {
        WHORL_AUTO(http_response) *response = NULL;
        char *body = NULL;
        CHECK_OK(whorl_http_get(session, url, &response));
        CHECK_EQ(whorl_http_response_status(response), 200);
        CHECK_OK(whorl_http_response_read_to_end(response, 100, &body, NULL));
        CHECK_STR(body, "hello\n");
        free(body);
    }
    CHECK_EQ(server.handled, 3);
    end(&server);
    CHECK_EQ(server.failures, 0);
}

/* --- the server's end, and slow clients --- */

/* A client that sends on after the reply must not get a reset, which could destroy the reply. */
TEST_IO(reply_before_the_end_of_a_request_is_not_lost)
{
    static const char request[] =
        "POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nthe beginning";
    struct whorl_tls_options trust = {.ca_file = cert_path("ca.pem")};
    struct whorl_tls_config *config;
    struct tls_served server = {0};
    struct whorl_stream *stream;
    char reply[1000], more[1000] = "";
    ssize_t n;
    size_t len = 0;

    CHECK_OK(whorl_tls_config_create(&trust, NULL, &config));
    begin(&server);
    CHECK_OK(whorl_tls_connect(config, served_port_dial(&server.http), "localhost", NULL, &stream));
    CHECK_OK(whorl_stream_write(stream, request, sizeof request - 1));
    while ((n = whorl_stream_read(stream, reply + len, sizeof reply - 1 - len)) > 0)
        len += (size_t)n;
    CHECK_OK(n);
    reply[len] = '\0';
    CHECK(strstr(reply, "HTTP/1.1 413 ") && strstr(reply, "too large\n"));
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(whorl_send(whorl_stream_option_fd(stream), more, sizeof more, 0), sizeof more);
        CHECK_OK(whorl_sleep(10 * WHORL_MILLISECOND));
    }
    whorl_stream_close(stream);
    whorl_tls_config_destroy(config);
    end(&server);
    CHECK_EQ(server.failures, 0);
}

TEST_IO(stop_does_not_wait_for_handshakes)
{
    struct tls_served server = {.tls.handshake_ns = WHORL_FOREVER};
    char byte;

    begin(&server);
    struct whorl_stream *silent = served_port_dial(&server.http),
                        *slow = served_port_dial(&server.http);
    CHECK_OK(whorl_stream_write(slow, "\x16\x03\x01", 3));
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    int64_t start_ns = whorl_now();
    end(&server);
    CHECK(whorl_now() - start_ns < 5 * WHORL_SECOND);
    CHECK_EQ(server.failures, 0);
    CHECK(whorl_stream_read(silent, &byte, 1) <= 0);
    CHECK(whorl_stream_read(slow, &byte, 1) <= 0);
    whorl_stream_close(silent);
    whorl_stream_close(slow);
}

TEST_IO(slow_handshakes_are_cut_while_others_are_served)
{
    struct tls_served server = {.tls.handshake_ns = WHORL_SECOND};
    struct whorl_stream *slow[20];
    uint16_t port = begin(&server);
    char byte;

    for (int i = 0; i < 20; i++) {
        slow[i] = served_port_dial(&server.http);
        CHECK_OK(whorl_stream_write(slow[i], "\x16\x03\x01\x01", 4));
    }
    expect(port, "$client -tls1_2 </dev/null 2>&1 | grep -o '^New'", "New\n");
    for (int i = 0; i < 20; i++) {
        CHECK(whorl_stream_read(slow[i], &byte, 1) <= 0);
        whorl_stream_close(slow[i]);
    }
    CHECK_ERR(await_failure(&server, 20), -ETIMEDOUT);
    CHECK_EQ(server.failures, 20);
    end(&server);
}

/* --- failed requests to the driver --- */

static WHORL_SUSPENDS int say_hello(void *arg, struct whorl_stream *stream)
{
    (void)arg;
    return whorl_stream_write(stream, "hello", 5);
}

struct exchange {
    struct whorl_tls_server *server;
    struct whorl_tls_config *config;
    struct whorl_stream *near, *far;
    int served;
};

static int serve_far(void *arg)
{
    struct exchange *x = arg;
    struct whorl_stream *tls;

    x->served = whorl_tls_accept(x->server, x->far, NULL, &tls);
    if (x->served == 0) {
        x->served = say_hello(NULL, tls);
        whorl_stream_close(tls);
    } else {
        whorl_stream_close(x->far);
    }
    return x->served;
}

static int exchange(void *arg)
{
    struct exchange *x = arg;
    struct whorl_stream *tls = NULL;
    WHORL_AUTO(group) group = {0};
    int fds[2];
    char buf[5];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
    CHECK_OK(whorl_stream_from_socket(fds[0], &x->near));
    CHECK_OK(whorl_stream_from_socket(fds[1], &x->far));
    CHECK_OK(whorl_spawn(&group, serve_far, x));
    int err = whorl_tls_connect(x->config, x->near, "localhost", NULL, &tls);
    if (err == 0)
        err = whorl_stream_read_exact(tls, buf, 5);
    if (!tls)
        whorl_stream_close(x->near);
    whorl_stream_close(tls);
    int served = whorl_group_wait(&group);
    if (err == 0 && served == 0)
        return 0;
    /* The other side sees a hang-up or the end. */
    return err == -EIO || served == -EIO         ? -EIO
           : err == -ENOMEM || served == -ENOMEM ? -ENOMEM
                                                 : err;
}

static int exchange_in_a_run(void *arg)
{
    return whorl_io_run(exchange, arg);
}

TEST(failed_requests_are_reported)
{
    struct whorl_tls_server_options options = {.cert_file = cert_path("good-ec.pem"),
                                               .key_file = cert_path("good-ec.key")};
    struct whorl_tls_options trust = {.ca_file = cert_path("ca.pem")};
    struct exchange x = {0};

    CHECK_OK(whorl_tls_server_create(&options, NULL, &x.server));
    CHECK_OK(whorl_tls_config_create(&trust, NULL, &x.config));
    CHECK(io_faults_sweep(exchange_in_a_run, &x, -EIO) > 4);
    whorl_tls_server_destroy(x.server);
    whorl_tls_config_destroy(x.config);
}

TEST_MAIN()
