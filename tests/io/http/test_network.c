/* SPDX-License-Identifier: MIT */
/* Sessions over real sockets: nginx with and without TLS, and peers that refuse, disappear or
 * misbehave. */
#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/io.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/task.h>
#include <whorl/tls.h>

#include "certs.h"
#include "nginx.h"
#include "ports.h"
#include "runtime/park_hook.h"
#include "scripted_peer.h"
#include "test.h"

static struct whorl_error error;

static struct whorl_http_session *session_of(const char *ca, struct whorl_http_timeouts timeouts)
{
    struct whorl_http_session_options options = {.timeouts = timeouts};
    struct whorl_tls_options tls = {.ca_file = ca ? cert_path(ca) : NULL};
    WHORL_AUTO(tls_config) *config = NULL;
    if (ca)
        CHECK_OK(whorl_tls_config_create(&tls, NULL, &config));
    options.tls = config; /* the session now holds it */
    struct whorl_http_session *session = NULL;
    CHECK_OK(whorl_http_session_create(&options, &session));
    return session;
}

static struct whorl_http_session *plain_session(void)
{
    return session_of(NULL, (struct whorl_http_timeouts){0});
}

static const char *url_of(const char *scheme, uint16_t port, const char *path)
{
    static char url[200];
    snprintf(url, sizeof url, "%s://localhost:%u%s", scheme, port, path);
    return url;
}

static WHORL_SUSPENDS int do_get(struct whorl_http_session *session, const char *url,
                                 struct whorl_http_response **ret)
{
    struct whorl_http_request request = {.url = url};
    error = (struct whorl_error){0};
    return whorl_http_do(session, &request, &error, ret);
}

/* Makes a docroot with the file `name` of `len` bytes. Each line of it contains its own offset. */
static const char *docroot(const char *name, size_t len)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/root", test_tmpdir());
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/root/%s", test_tmpdir(), name);
    FILE *file = fopen(path, "w");
    CHECK(file);
    for (size_t i = 0; i + 16 <= len; i += 16)
        fprintf(file, "%015zu\n", i);
    for (size_t i = len / 16 * 16; i < len; i++)
        fputc('.', file);
    fclose(file);
    snprintf(path, sizeof path, "%s/root", test_tmpdir());
    return path;
}

static void check_same(const char *a, const char *b)
{
    char command[1500];
    snprintf(command, sizeof command, "cmp '%s' '%s'", a, b);
    CHECK_EQ(system(command), 0);
}

static WHORL_SUSPENDS_SHIELDED void check_download(const char *scheme,
                                                   struct whorl_http_session *session,
                                                   uint16_t port, const char *name)
{
    WHORL_AUTO(http_response) *response = NULL;
    char url_path[100], from[700], to[700];
    snprintf(url_path, sizeof url_path, "/%s", name);
    snprintf(from, sizeof from, "%s/root/%s", test_tmpdir(), name);
    snprintf(to, sizeof to, "%s/copy", test_tmpdir());
    unlink(to);
    CHECK_OK(do_get(session, url_of(scheme, port, url_path), &response));
    CHECK_EQ(whorl_http_response_status(response), 200);
    CHECK_OK(whorl_http_response_save(response, to, NULL));
    check_same(from, to);
}

TEST_IO(nginx_over_http_and_https)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){.docroot = docroot("small", 1000)});
    docroot("large", 5000003);
    WHORL_AUTO(http_session) *session = session_of("ca.pem", (struct whorl_http_timeouts){0});
    struct whorl_http_session_stats stats;

    for (int i = 0; i < 3; i++) {
        check_download("http", session, nginx_port(nginx), "small");
        check_download("http", session, nginx_port(nginx), "large");
        check_download("https", session, nginx_tls_port(nginx), "small");
        check_download("https", session, nginx_tls_port(nginx), "large");
    }
    whorl_http_session_get_stats(session, &stats);
    CHECK_EQ(stats.requests, 12);
    CHECK_EQ(stats.connections, 2);
    CHECK_EQ(stats.idle, 2);
}

TEST_IO(headers_that_are_null_are_refused)
{
    static const struct whorl_http_header headers[] = {{NULL, "close"}, {"Connection", NULL}};
    static const struct peer_step script[] = {PEER_READ_HEAD(), PEER_END};
    struct scripted_peer *peer = peer_start(script);
    WHORL_AUTO(http_session) *session = plain_session();

    for (int i = 0; i < 2; i++) {
        struct whorl_http_request request = {.url = url_of("http", peer_port(peer), "/"),
                                             .headers = &headers[i],
                                             .headers_count = 1};
        struct whorl_http_response *response;
        CHECK_ERR(whorl_http_do(session, &request, NULL, &response), WHORL_EHTTP_REQUEST_HEADER);
    }
}

TEST_IO(the_stages_of_https_are_timed)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){.docroot = docroot("small", 1000)});
    WHORL_AUTO(http_session) *session = session_of("ca.pem", (struct whorl_http_timeouts){0});
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_timing timing;

    CHECK_OK(do_get(session, url_of("https", nginx_tls_port(nginx), "/small"), &response));
    whorl_http_response_get_timing(response, &timing);
    CHECK(timing.connect_ns > 0);
    CHECK(timing.tls_ns > 0);
    CHECK(timing.first_byte_ns > 0);
    CHECK_EQ(timing.queue_ns, -1);
}

/* Gets `path` over https, which redirects to http. Returns the result of the request. */
static WHORL_SUSPENDS int get_downgraded(bool allow, uint16_t port, const char *path,
                                         bool *ret_downgraded)
{
    struct whorl_tls_options tls = {.ca_file = cert_path("ca.pem")};
    struct whorl_http_session_options options = {.allow_downgrade = allow};
    struct whorl_http_session *session;
    struct whorl_http_response *response;
    struct whorl_http_timing timing;

    CHECK_OK(whorl_tls_config_create(&tls, NULL, &options.tls));
    CHECK_OK(whorl_http_session_create(&options, &session));
    whorl_tls_config_destroy(options.tls);
    int err = do_get(session, url_of("https", port, path), &response);
    if (err == 0) {
        whorl_http_response_get_timing(response, &timing);
        *ret_downgraded = timing.downgraded;
        whorl_http_response_close(response);
    }
    whorl_http_session_destroy(session);
    return err;
}

TEST_IO(a_redirect_from_https_to_http_is_refused_unless_allowed_and_is_noted)
{
    struct nginx *plain = nginx_start(&(struct nginx_options){.docroot = docroot("small", 10)});
    char conf[300];
    bool downgraded = true;

    snprintf(conf, sizeof conf,
             "location = /down { return 302 http://localhost:%u/small; }\n"
             "location = /same { return 302 /small; }",
             nginx_port(plain));
    struct nginx *secure =
        nginx_start(&(struct nginx_options){.docroot = docroot("small", 10), .server_conf = conf});
    uint16_t port = nginx_tls_port(secure);

    CHECK_ERR(get_downgraded(false, port, "/down", &downgraded), WHORL_EHTTP_REDIRECT_DOWNGRADE);
    CHECK_STR(error.step, "redirect");
    CHECK_OK(get_downgraded(true, port, "/same", &downgraded));
    CHECK(!downgraded);
    CHECK_OK(get_downgraded(true, port, "/down", &downgraded));
    CHECK(downgraded);
}

TEST_IO(a_certificate_of_another_authority_is_refused)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){.cert = "foreign"});
    WHORL_AUTO(http_session) *session = session_of("ca.pem", (struct whorl_http_timeouts){0});
    WHORL_AUTO(http_response) *response = NULL;
    struct whorl_http_session_stats stats;

    CHECK_ERR(do_get(session, url_of("https", nginx_tls_port(nginx), "/"), &response),
              WHORL_ETLS_TRUST);
    CHECK_STR(error.step, "TLS");
    CHECK_EQ(error.code, WHORL_ETLS_TRUST);
    whorl_http_session_get_stats(session, &stats);
    CHECK_EQ(stats.open, 0);
}

TEST_IO(https_to_a_server_of_plain_http_is_an_error)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){0});
    WHORL_AUTO(http_session) *session = session_of("ca.pem", (struct whorl_http_timeouts){0});
    WHORL_AUTO(http_response) *response = NULL;
    CHECK(do_get(session, url_of("https", nginx_port(nginx), "/"), &response) < 0);
    CHECK_STR(error.step, "TLS");
}

TEST_IO(a_refused_connection_says_where)
{
    WHORL_AUTO(http_session) *session = plain_session();
    WHORL_AUTO(http_response) *response = NULL;
    char url[100], text[100];
    unsigned port = port_refused();
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    snprintf(text, sizeof text, "127.0.0.1:%u: connection refused", port);
    CHECK_ERR(do_get(session, url, &response), -ECONNREFUSED);
    CHECK_STR(error.step, "connect");
    CHECK_STR(error.text, text);
}

TEST_IO(a_server_that_never_answers_a_connect_times_out)
{
    struct whorl_http_timeouts timeouts = {.connect_ns = 200 * WHORL_MILLISECOND};
    WHORL_AUTO(http_session) *session = session_of(NULL, timeouts);
    WHORL_AUTO(http_response) *response = NULL;
    char url[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", port_blackhole());
    CHECK_ERR(do_get(session, url, &response), WHORL_EHTTP_CONNECT_TIMEOUT);
    CHECK_STR(error.step, "connect");
}

TEST_IO(a_server_that_never_answers_a_hello_times_out)
{
    static const struct peer_step script[] = {PEER_HANG(), PEER_END};
    struct scripted_peer *peer = peer_start(script);
    struct whorl_http_timeouts timeouts = {.tls_ns = 200 * WHORL_MILLISECOND};
    WHORL_AUTO(http_session) *session = session_of("ca.pem", timeouts);
    WHORL_AUTO(http_response) *response = NULL;
    CHECK_ERR(do_get(session, url_of("https", peer_port(peer), "/"), &response),
              WHORL_EHTTP_TLS_TIMEOUT);
    CHECK_STR(error.step, "TLS");
}

TEST_IO(a_reset_in_the_body_is_an_error_and_leaves_no_file)
{
    static const struct peer_step script[] = {
        PEER_READ_HEAD(), PEER_SEND("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"),
        PEER_PAUSE(20), PEER_RESET(), PEER_END};
    struct scripted_peer *peer = peer_start(script);
    WHORL_AUTO(http_session) *session = plain_session();
    WHORL_AUTO(http_response) *response = NULL;
    char path[600];
    snprintf(path, sizeof path, "%s/f", test_tmpdir());
    CHECK_OK(do_get(session, url_of("http", peer_port(peer), "/"), &response));
    CHECK_ERR(whorl_http_response_save(response, path, NULL), -ECONNRESET);
    CHECK_STR(whorl_http_response_error(response)->step, "body");
    CHECK_EQ(whorl_http_response_error(response)->code, -ECONNRESET);
    CHECK(access(path, F_OK) != 0);
}

TEST_IO(a_kept_connection_that_the_server_closed_is_noticed_or_retried)
{
    static const struct peer_step script[] = {
        /* Closes directly after its response. */
        PEER_READ_HEAD(), PEER_SEND("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), PEER_CLOSE(),
        /* Closes when the next request has arrived. */
        PEER_READ_HEAD(), PEER_SEND("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        PEER_READ_HEAD(), PEER_RESET(), PEER_READ_HEAD(),
        PEER_SEND("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), PEER_HANG(), PEER_END};
    struct scripted_peer *peer = peer_start(script);
    WHORL_AUTO(http_session) *session = plain_session();
    static const int retries[] = {0, 0, 1};

    for (int i = 0; i < 3; i++) {
        WHORL_AUTO(http_response) *response = NULL;
        struct whorl_http_timing timing;
        char *body;
        CHECK_OK(do_get(session, url_of("http", peer_port(peer), "/"), &response));
        CHECK_OK(whorl_http_response_read_to_end(response, 10, &body, NULL));
        CHECK_STR(body, "hi");
        free(body);
        whorl_http_response_get_timing(response, &timing);
        CHECK_EQ(timing.retries, retries[i]);
        CHECK_OK(whorl_sleep(50 * WHORL_MILLISECOND));
    }
    CHECK_EQ(peer_connections(peer), 3);
}

static const struct peer_step answer_and_keep[] = {
    PEER_READ_HEAD(), PEER_SEND("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), PEER_HANG(),
    PEER_END};

static int wait_for_nobody_beside_a_kept_connection(void *arg)
{
    WHORL_AUTO(http_session) *session = plain_session();
    struct whorl_event never = {0};
    char *body;

    WHORL_AUTO(http_response) *response = NULL;
    CHECK_OK(do_get(session, url_of("http", peer_port(arg), "/"), &response));
    CHECK_OK(whorl_http_response_read_to_end(response, 10, &body, NULL));
    free(body);
    whorl_http_response_close(response);
    response = NULL;
    return whorl_event_wait(&never);
}

/* The session would keep the connection for 30 s. */
TEST(a_connection_kept_for_reuse_does_not_delay_the_report_of_a_deadlock)
{
    struct whorl_io_options options = {.run.quiet = true};
    struct scripted_peer *peer = peer_start(answer_and_keep);
    struct timespec began, ended;

    clock_gettime(CLOCK_MONOTONIC, &began);
    CHECK_ERR(whorl_io_run_with(&options, NULL, wait_for_nobody_beside_a_kept_connection, peer),
              -EDEADLK);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    CHECK(ended.tv_sec - began.tv_sec < 10);
    CHECK_EQ(peer_connections(peer), 1);
}

static int sleep_beside_a_kept_connection(void *arg)
{
    struct whorl_http_session_options options = {.idle_ns = 50 * WHORL_MILLISECOND};
    struct whorl_http_session *session = NULL;
    WHORL_AUTO(http_response) *response = NULL;
    char *body;

    CHECK_OK(whorl_http_session_create(&options, &session));
    CHECK_OK(do_get(session, url_of("http", peer_port(arg), "/"), &response));
    CHECK_OK(whorl_http_response_read_to_end(response, 10, &body, NULL));
    free(body);
    whorl_http_response_close(response);
    response = NULL;
    CHECK_EQ(peer_open(arg), 1);
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_EQ(peer_open(arg), 0);
    whorl_http_session_destroy(session);
    return 0;
}

TEST(a_connection_kept_for_reuse_is_closed_in_time)
{
    struct scripted_peer *peer = peer_start(answer_and_keep);

    CHECK_OK(whorl_io_run(sleep_beside_a_kept_connection, peer));
}

/* The connection is asked for readable bytes before it is used again. */
/* Dials one end of a socket pair, whose other end has sent a head. */
static WHORL_SUSPENDS int dial_pair(void *arg, const char *host, uint16_t port,
                                    struct whorl_error *dial_error, struct whorl_stream **ret)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    int *peer = arg, fds[2];
    (void)host, (void)port, (void)dial_error;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    CHECK_EQ(write(fds[1], head, sizeof head - 1), sizeof head - 1);
    *peer = fds[1];
    return whorl_stream_from_socket(fds[0], ret);
}

TEST_IO(a_close_reads_a_short_rest_that_is_in_the_socket)
{
    static const struct {
        size_t read, sent, idle;
    } cases[] = {{40000, 100000, 1}, {40000, 99999, 0}, {1000, 100000, 0}};
    static char body[100000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int peer = -1;
        struct whorl_http_session_options options = {.dialer = {.dial = dial_pair, .arg = &peer}};
        WHORL_AUTO(http_session) *session = NULL;
        struct whorl_http_session_stats stats;
        struct whorl_http_response *response = NULL;

        CHECK_OK(whorl_http_session_create(&options, &session));
        CHECK_OK(whorl_http_get(session, "http://a.test/", &response));
        CHECK_OK(whorl_write_all(peer, body, cases[i].sent));
        for (size_t got = 0; got < cases[i].read;) {
            ssize_t n = whorl_http_response_read(response, body, cases[i].read - got);
            CHECK(n > 0);
            got += (size_t)n;
        }
        whorl_http_response_close(response);
        whorl_http_session_get_stats(session, &stats);
        CHECK_EQ(stats.idle, cases[i].idle);
        close(peer);
    }
}

TEST_IO(an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one)
{
    static const struct peer_step script[] = {
        PEER_READ_HEAD(), PEER_SEND("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        PEER_PAUSE(2),    PEER_SEND("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
        PEER_READ_HEAD(), PEER_HANG(),
        PEER_READ_HEAD(), PEER_SEND("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        PEER_HANG(),      PEER_END};
    struct scripted_peer *peer = peer_start(script);
    WHORL_AUTO(http_session) *session = plain_session();

    for (int i = 0; i < 2; i++) {
        WHORL_AUTO(http_response) *response = NULL;
        char *body;
        CHECK_OK(do_get(session, url_of("http", peer_port(peer), "/"), &response));
        CHECK_OK(whorl_http_response_read_to_end(response, 10, &body, NULL));
        CHECK_STR(body, "hi");
        free(body);
        usleep(50000); /* the thread sleeps: the loop has no turn in which it could notice */
    }
}

TEST_IO(nginx_refuses_a_large_body_early_and_says_so)
{
    static char data[8 << 20];
    struct nginx *nginx =
        nginx_start(&(struct nginx_options){.server_conf = "client_max_body_size 1k;"});
    WHORL_AUTO(http_session) *session = plain_session();
    for (int i = 0; i < 5; i++) {
        WHORL_AUTO(http_response) *response = NULL;
        struct whorl_http_request request = {.url = url_of("http", nginx_port(nginx), "/"),
                                             .method = "PUT",
                                             .body = {.data = data, .len = sizeof data}};
        CHECK_OK(whorl_http_do(session, &request, NULL, &response));
        CHECK_EQ(whorl_http_response_status(response), 413);
    }
}

static WHORL_SUSPENDS ssize_t give_zeros(void *arg, void *buf, size_t len)
{
    (void)arg;
    memset(buf, 0, len);
    return (ssize_t)len;
}

/* A body that ends with the connection. The peer answers while the request is still being sent. */
static WHORL_SUSPENDS ssize_t read_early_answer(const struct peer_step *script, bool streamed)
{
    struct scripted_peer *peer = peer_start(script);
    WHORL_AUTO(http_session) *session = plain_session();
    WHORL_AUTO(http_response) *response = NULL;
    static char data[32 << 20];
    struct whorl_http_request request = {.url = url_of("http", peer_port(peer), "/"),
                                         .method = "PUT",
                                         .body = {.data = data, .len = sizeof data}};
    char buf[100];
    ssize_t n, total = 0;

    if (streamed)
        request.body = (struct whorl_http_body){.read = give_zeros, .len = -1};
    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    while ((n = whorl_http_response_read(response, buf, sizeof buf)) > 0)
        total += n;
    return n < 0 ? n : total;
}

/* The kernel reports the reset once. It reports it to the writing task, or to the reading one. */
TEST_IO(a_reset_while_the_request_is_sent_does_not_end_a_body)
{
    static const struct peer_step script[] = {PEER_READ_HEAD(),
                                              PEER_SEND("HTTP/1.1 200 OK\r\n\r\nhalf"),
                                              PEER_PAUSE(50), PEER_RESET(), PEER_END};

    for (int i = 0; i < 2; i++) {
        ssize_t n = read_early_answer(script, i);
        CHECK(n == WHORL_EHTTP_TRUNCATED || n == -ECONNRESET);
    }
}

/* Cancelled at every suspension point while https is saved to a file: nothing is left behind. */

static struct whorl_scope *scope_to_cancel;
static struct whorl_task *victim;
static int points, strike_at;

static void count_point(const char *what)
{
    (void)what;
    if (scope_to_cancel && whorl_task_self() == victim && ++points == strike_at)
        whorl_scope_cancel(scope_to_cancel);
}

static int entries_in(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

static WHORL_SUSPENDS int save_once(struct whorl_http_session *session, const char *url,
                                    const char *path)
{
    WHORL_AUTO(http_response) *response = NULL;
    int err = do_get(session, url, &response);
    return err ? err : whorl_http_response_save(response, path, NULL);
}

static WHORL_SUSPENDS_SHIELDED void check_cancel_everywhere(const char *url, const char *original,
                                                            bool reuse)
{
    char directory[600], path[620];
    int reached = 1, whole = 0, fds = 0;

    snprintf(directory, sizeof directory, "%s/out", test_tmpdir());
    snprintf(path, sizeof path, "%s/f", directory);
    CHECK_OK(mkdir(directory, 0755));
    victim = whorl_task_self();
    sched_park_hook = count_point;
    /* The number of waits differs a little from run to run, so continue until a run is not
     * cancelled. */
    for (int k = 0; reached; k++) {
        struct whorl_http_session *session = session_of("ca.pem", (struct whorl_http_timeouts){0});
        struct whorl_http_session_stats stats;
        struct whorl_scope scope;

        if (reuse) {
            CHECK_OK(save_once(session, url, path));
            CHECK_OK(unlink(path));
        }
        points = 0;
        strike_at = k;
        whorl_scope_enter(&scope, WHORL_FOREVER);
        scope_to_cancel = &scope;
        int err = save_once(session, url, path);
        scope_to_cancel = NULL;
        whorl_scope_leave(&scope, 0);
        CHECK(err == 0 || err == -ECANCELED);
        reached = k == 0 || points >= k;
        CHECK(k > 0 || err == 0);
        if (access(path, F_OK) == 0) {
            check_same(original, path);
            CHECK_OK(unlink(path));
            whole++;
        }
        CHECK_EQ(entries_in(directory), 0);
        whorl_http_session_get_stats(session, &stats);
        CHECK_EQ(stats.open, stats.idle);
        CHECK_EQ(stats.queued, 0);
        whorl_http_session_destroy(session);
        if (k == 0)
            fds = test_open_fds();
        CHECK_EQ(test_open_fds(), fds);
        if (!reached) {
            printf("# %d points, %d completed\n", k - 1, whole - 2);
            CHECK(k > (reuse ? 5 : 10));
        }
    }
    sched_park_hook = NULL;
}

TEST_IO(https_into_a_file_cancelled_at_any_point_leaves_nothing)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){.docroot = docroot("f", 100000)});
    char original[700];
    snprintf(original, sizeof original, "%s/root/f", test_tmpdir());
    check_cancel_everywhere(url_of("https", nginx_tls_port(nginx), "/f"), original, false);
}

TEST_IO(http_on_a_kept_connection_cancelled_at_any_point_leaves_nothing)
{
    struct nginx *nginx = nginx_start(&(struct nginx_options){.docroot = docroot("f", 100000)});
    char original[700];
    snprintf(original, sizeof original, "%s/root/f", test_tmpdir());
    check_cancel_everywhere(url_of("http", nginx_port(nginx), "/f"), original, true);
}

TEST_MAIN()
