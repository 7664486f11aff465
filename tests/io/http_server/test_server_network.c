/* SPDX-License-Identifier: MIT */
/* The HTTP server on sockets: this library's client and curl as clients, load, the stop, and
 * clients that hold connections open. */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <whorl.h>

#include "faults.h"
#include "io_faults.h"
#include "served_port.h"
#include "subprocess.h" /* test_has_program() */
#include "test.h"

/* --- a server --- */

struct net_server {
    struct served_port http;
    uint64_t requests;
    const struct whorl_addr *peer;
    int logged, failures;
};

static WHORL_SUSPENDS int handle(void *arg, struct whorl_http_incoming *incoming,
                                 struct whorl_http_reply *reply)
{
    struct net_server *server = arg;
    char buf[8192];
    ssize_t n = 0;
    server->requests++;
    CHECK(whorl_http_incoming_peer(incoming));
    if (strcmp(whorl_http_incoming_path(incoming), "/slow") == 0) {
        int err = whorl_sleep(50 * WHORL_MILLISECOND);
        return err ? err : whorl_http_reply_send(reply, 200, "text/plain", "slow", 4);
    }
    if (strcmp(whorl_http_incoming_method(incoming), "POST") != 0)
        return whorl_http_reply_send(reply, 200, "text/plain", "hello\n", 6);
    /* The body goes back while it arrives. */
    int err = whorl_http_reply_start(reply, 200, whorl_http_incoming_length(incoming));
    while (err == 0 && (n = whorl_http_incoming_read(incoming, buf, sizeof buf)) > 0)
        err = whorl_http_reply_write(reply, buf, (size_t)n);
    return err ? err : (int)n;
}

static uint16_t begin(struct net_server *server)
{
    return served_port_begin(&server->http, handle, server);
}

static WHORL_SUSPENDS_SHIELDED void end(struct net_server *server)
{
    served_port_end(&server->http);
}

/* --- this library's client --- */

struct load {
    struct whorl_http_session *session;
    char url[64];
    int requests;
};

static int fetch_many(void *arg)
{
    struct load *load = arg;
    for (int i = 0; i < load->requests; i++) {
        WHORL_AUTO(http_response) *response = NULL;
        char *text;
        CHECK_OK(whorl_http_get(load->session, load->url, &response));
        CHECK_EQ(whorl_http_response_status(response), 200);
        CHECK_OK(whorl_http_response_read_to_end(response, 100, &text, NULL));
        CHECK_STR(text, "hello\n");
        free(text);
    }
    return 0;
}

TEST_IO(many_requests_on_few_connections_are_answered)
{
    enum { CLIENTS = 8, EACH = 50 };
    struct net_server server = {0};
    struct load load = {.requests = EACH};
    struct whorl_http_session_stats stats;
    WHORL_AUTO(group) group = {0};
    uint16_t port = begin(&server);
    snprintf(load.url, sizeof load.url, "http://127.0.0.1:%d/", port);
    CHECK_OK(whorl_http_session_create(
        &(struct whorl_http_session_options){.conns_per_host_max = CLIENTS}, &load.session));
    for (int i = 0; i < CLIENTS; i++)
        CHECK_OK(whorl_spawn(&group, fetch_many, &load));
    CHECK_OK(whorl_group_wait(&group));
    whorl_http_session_get_stats(load.session, &stats);
    CHECK_EQ(server.requests, CLIENTS * EACH);
    CHECK_EQ(stats.connections, CLIENTS);
    whorl_http_session_destroy(load.session);
    end(&server);
}

/* --- the stop --- */

TEST_IO(a_stop_closes_idle_connections_and_finishes_requests)
{
    static const char slow[] = "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n";
    struct net_server server = {.http.options.serve.grace_ns = WHORL_MINUTE};
    struct whorl_stream *idle[20], *busy;
    char *reply;
    begin(&server);
    for (int i = 0; i < 20; i++)
        idle[i] = served_port_dial(&server.http);
    busy = served_port_dial(&server.http);
    CHECK_OK(whorl_stream_write(busy, slow, sizeof slow - 1));
    while (server.requests == 0)
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    int64_t start = whorl_now();
    CHECK_OK(whorl_group_stop(&server.http.group, WHORL_MINUTE));
    CHECK(whorl_now() - start < 5 * WHORL_SECOND);
    CHECK_OK(server.http.result);
    CHECK_OK(whorl_stream_read_to_end(busy, 1000, &reply, NULL));
    CHECK(strstr(reply, "Connection: close\r\n") && strstr(reply, "\r\n\r\nslow"));
    free(reply);
    for (int i = 0; i < 20; i++) {
        char byte;
        CHECK_ERR(whorl_stream_read(idle[i], &byte, 1), 0);
        whorl_stream_close(idle[i]);
    }
    whorl_stream_close(busy);
    whorl_listener_close(server.http.listener);
}

/* --- clients that hold connections open --- */

TEST_IO(clients_that_drip_do_not_hold_up_others)
{
    enum { DRIPPING = 100 };
    struct net_server server = {.http.options.timeouts.head_ns = 300 * WHORL_MILLISECOND};
    struct whorl_stream *dripping[DRIPPING];
    struct load load = {.requests = 20};
    uint16_t port = begin(&server);
    for (int i = 0; i < DRIPPING; i++) {
        dripping[i] = served_port_dial(&server.http);
        CHECK_OK(whorl_stream_write(dripping[i], "GET / HTTP/1.1\r\nHost: ", 22));
    }
    snprintf(load.url, sizeof load.url, "http://127.0.0.1:%d/", port);
    CHECK_OK(whorl_http_session_create(NULL, &load.session));
    CHECK_OK(fetch_many(&load));
    whorl_http_session_destroy(load.session);
    for (int i = 0; i < DRIPPING; i++) {
        char reply[200] = "";
        CHECK(whorl_stream_read(dripping[i], reply, sizeof reply - 1) > 0);
        CHECK(strncmp(reply, "HTTP/1.1 408 ", 13) == 0);
        whorl_stream_close(dripping[i]);
    }
    end(&server);
}

static void note_log(void *arg, const struct whorl_http_log_entry *entry)
{
    struct net_server *server = arg;
    char text[WHORL_ADDR_TEXT_MAX];
    CHECK(entry->peer);
    CHECK(strncmp(whorl_addr_text(entry->peer, text, sizeof text), "127.0.0.1:", 10) == 0);
    server->logged++;
}

static void note_failure(void *arg, struct whorl_stream *stream, int err)
{
    struct net_server *server = arg;
    CHECK(stream);
    CHECK_ERR(err, -ECONNRESET);
    server->failures++;
}

TEST_IO(the_log_and_failures_of_connections_get_the_argument_of_the_server)
{
    static const char get[] = "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n";
    struct net_server server = {.http.options = {.log = note_log, .serve.failed = note_failure}};
    begin(&server);
    struct whorl_stream *client = served_port_dial(&server.http);
    CHECK_OK(whorl_stream_write(client, get, sizeof get - 1));
    while (server.requests == 0)
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(setsockopt(whorl_stream_fd(client), SOL_SOCKET, SO_LINGER,
                        &(struct linger){.l_onoff = 1}, sizeof(struct linger)));
    whorl_stream_close(client); /* a reset */
    while (server.logged == 0 || server.failures == 0)
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(server.failures, 1);
    end(&server);
}

/* --- connections ------------------------------------------------------------------------------ */

static WHORL_SUSPENDS_SHIELDED void exchange(struct whorl_stream *client, const char *request,
                                             const char *end)
{
    char reply[4096] = "";
    size_t len = 0;
    CHECK_OK(whorl_stream_write(client, request, strlen(request)));
    while (len < strlen(end) || strcmp(reply + len - strlen(end), end) != 0) {
        ssize_t n = whorl_stream_read(client, reply + len, sizeof reply - 1 - len);
        CHECK(n > 0);
        len += (size_t)n;
    }
}

#define GET  "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

TEST_IO(an_idle_connection_leaves_its_buffers_to_others)
{
    struct net_server server = {0};
    begin(&server);
    struct whorl_stream *first = served_port_dial(&server.http),
                        *second = served_port_dial(&server.http);
    /* The body arrives later than the head, so the large buffer is needed. */
    exchange(second, GET, "hello\n");
    CHECK_OK(whorl_stream_write(first, POST, sizeof POST - 1));
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    exchange(first, "1\r\nx\r\n0\r\n\r\n", "0\r\n\r\n");
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    faults_arm(UINT64_MAX);
    CHECK_OK(whorl_stream_write(second, POST, sizeof POST - 1));
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    exchange(second, "1\r\nx\r\n0\r\n\r\n", "0\r\n\r\n");
    CHECK_EQ(faults_seen(), 0);
    faults_disarm();
    whorl_stream_close(first);
    whorl_stream_close(second);
    end(&server);
}

/* The socket of the server whose peer is `client`. */
static int accepted_fd(struct whorl_stream *client)
{
    struct whorl_addr local, peer;
    CHECK_OK(whorl_addr_local(whorl_stream_fd(client), &local));
    for (int fd = 3; fd < 1000; fd++)
        if (whorl_addr_peer(fd, &peer) == 0 && whorl_addr_port(&peer) == whorl_addr_port(&local))
            return fd;
    return -1;
}

TEST_IO(a_chunk_is_sent_without_delay)
{
    struct net_server server = {0};
    int on = 0;
    begin(&server);
    struct whorl_stream *client = served_port_dial(&server.http);
    exchange(client, GET, "hello\n");
    CHECK_OK(
        getsockopt(accepted_fd(client), IPPROTO_TCP, TCP_NODELAY, &on, &(socklen_t){sizeof on}));
    CHECK_EQ(on, 1);
    whorl_stream_close(client);
    end(&server);
}

/* A close while bytes are unread would reset the connection, and the client would lose the
 * reply. */
TEST_IO(a_client_that_sends_much_reads_why_it_was_refused)
{
    struct net_server server = {0};
    size_t len = 200000, reply_len;
    char *request = malloc(len), *reply;
    begin(&server);
    struct whorl_stream *client = served_port_dial(&server.http);
    memset(request, 'x', len);
    memcpy(request, GET "x\r\n\r\n", sizeof GET + 4);
    CHECK_OK(whorl_stream_write(client, request, len));
    CHECK_OK(whorl_sleep(20 * WHORL_MILLISECOND));
    CHECK_OK(whorl_stream_read_to_end(client, 4096, &reply, &reply_len));
    CHECK(strncmp(reply, "HTTP/1.1 200 ", 13) == 0);
    CHECK(strstr(reply, "\r\n\r\nhello\nHTTP/1.1 400 "));
    free(reply);
    free(request);
    whorl_stream_close(client);
    end(&server);
}

static WHORL_SUSPENDS_SHIELDED void fetch_date(struct whorl_stream *client, char ret[64])
{
    char reply[512] = "";
    CHECK_OK(whorl_stream_write(client, GET, sizeof GET - 1));
    CHECK(whorl_stream_read(client, reply, sizeof reply - 1) > 0);
    char *date = strstr(reply, "Date: ");
    CHECK(date);
    snprintf(ret, 64, "%.35s", date);
}

TEST_IO(the_date_moves_on)
{
    struct net_server server = {0};
    char first[64], second[64];
    begin(&server);
    struct whorl_stream *client = served_port_dial(&server.http);
    fetch_date(client, first);
    CHECK_OK(whorl_sleep(1100 * WHORL_MILLISECOND));
    fetch_date(client, second);
    CHECK(strcmp(first, second) != 0);
    whorl_stream_close(client);
    end(&server);
}

/* One request; the connection may fail, but the server must end in order. */
static int ask_once(void *arg)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    struct net_server server = {.http = {.fn = handle, .arg = &server}};
    struct whorl_stream *client = NULL;
    struct whorl_scope scope;
    char reply[512];
    ssize_t n = 1;
    (void)arg;
    int err = whorl_listen_ip("127.0.0.1", 0, NULL, &server.http.listener);
    if (err)
        return err;
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(whorl_stream_from_socket(fd, &client));
    err = whorl_spawn(&server.http.group, served_port_serve, &server.http);
    whorl_scope_enter_timeout(&scope, WHORL_SECOND);
    if (err == 0)
        err = whorl_connect(fd, whorl_listener_addr(server.http.listener));
    if (err == 0)
        err = whorl_stream_write(client, get, sizeof get - 1);
    if (err == -EPIPE || err == -ECONNRESET) /* the server has closed */
        n = err = 0;
    while (err == 0 && n > 0) {
        n = whorl_stream_read(client, reply, sizeof reply);
        err = n < 0 && n != -ECONNRESET ? (int)n : 0;
    }
    err = whorl_scope_leave(&scope, err);
    if (err == -ETIMEDOUT) { /* without an accept, the server has ended */
        CHECK(server.http.result < 0);
        err = 0;
    }
    whorl_stream_close(client);
    int stopped = whorl_group_stop(&server.http.group, WHORL_SECOND);
    whorl_group_finish(&server.http.group);
    whorl_listener_close(server.http.listener);
    err = err ? err : server.http.result < 0 ? server.http.result : 0;
    return err ? err : stopped;
}

static int run_ask_once(void *arg)
{
    return whorl_io_run(ask_once, arg);
}

TEST(requests_of_the_driver_that_fail_end_a_connection_only)
{
    CHECK(io_faults_sweep(run_ask_once, NULL, -EIO) > 4);
}

/* --- curl ------------------------------------------------------------------------------------- */

/* Runs a shell script with the server's URL in $url and expects its output. */
static WHORL_SUSPENDS_SHIELDED void expect_curl(uint16_t port, const char *script,
                                                const char *expected)
{
    char text[1024];
    struct whorl_process_output output = {0};
    const char *argv[] = {"sh", "-c", text, NULL};
    const struct whorl_process_options options = {.argv = argv, .dir = test_tmpdir()};
    snprintf(text, sizeof text,
             "url=http://127.0.0.1:%d/; curl='curl -sS --noproxy * --max-time 20'; set -f; %s",
             port, script);
    CHECK_OK(whorl_process_run(&options, NULL, 0, 1 << 20, &output));
    if (output.exit.status != 0 || strcmp(output.out, expected) != 0)
        test_fail(__FILE__, __LINE__, "%s: %s%s", script, output.out, output.err);
    whorl_process_output_finish(&output);
}

TEST_SLOW(curl_gets_what_it_asks_for, TEST_ROOT_IO, 60)
{
    struct net_server server = {0};
    if (!test_has_program("curl"))
        test_skip("curl is not installed");
    uint16_t port = begin(&server);
    expect_curl(port, "$curl $url", "hello\n");
    expect_curl(port, "$curl -0 $url", "hello\n");
    expect_curl(port, "$curl -I $url | grep -c '^Content-Length: 6'", "1\n");
    expect_curl(port, "$curl -d some=data $url", "some=data");
    expect_curl(port, "$curl -d some=data -H 'Transfer-Encoding: chunked' $url", "some=data");
    /* Long bodies: with a length, in chunks, and after "100 Continue". */
    expect_curl(port,
                "head -c 3000000 /dev/urandom >body; for header in A: 'Transfer-Encoding: chunked' "
                "'Expect: 100-continue'; do $curl --data-binary @body -H \"$header\" $url | "
                "cmp body && echo same; done",
                "same\nsame\nsame\n");
    /* Three hundred on one connection. */
    expect_curl(port,
                "$curl -o /dev/null -w '%{num_connects}\\n' \"${url}[1-300]\" | sort | uniq -c | "
                "tr -s ' '",
                " 299 0\n 1 1\n");
    CHECK(server.requests >= 308);
    end(&server);
}

TEST_MAIN()
