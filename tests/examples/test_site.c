/* SPDX-License-Identifier: MIT */
/* The demonstration site, tested by its clients. */
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "subprocess.h"
#include "test.h"

struct server {
    struct subprocess process;
    uint16_t port;
};

static void start(struct server *ret, const char *latency_ms)
{
    const char *const argv[] = {test_program("examples/site"), "--latency", latency_ms,
                                "--exit-with-parent", NULL};

    subprocess_start(&ret->process, argv, NULL);
    subprocess_wait_output(&ret->process, "\n", false);
    int port = 0;
    CHECK_EQ(sscanf(ret->process.out, "listening on port %d\n", &port), 1);
    ret->port = (uint16_t)port;
}

/* Stops the server and checks that it ends without errors. */
static void stop(struct server *server)
{
    subprocess_signal(&server->process, SIGTERM);
    subprocess_wait(&server->process);
    CHECK_STR(server->process.err, "");
    CHECK_EQ(server->process.exit_status, 0);
    subprocess_finish(&server->process);
}

static int dial(const struct server *server)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons(server->port)};
    struct timeval limit = {.tv_sec = 5 * test_timeout_scale()};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    CHECK_EQ(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

/* Sends `request` and reads until the server closes. Returns the NUL-terminated bytes; release them
 * with free(). */
static char *exchange(const struct server *server, const char *request)
{
    size_t cap = 1 << 20, len = 0;
    char *answer = malloc(cap);
    int fd = dial(server);
    ssize_t n;

    CHECK_EQ(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    while ((n = recv(fd, answer + len, cap - 1 - len, 0)) > 0)
        len += (size_t)n;
    CHECK_EQ(n, 0);
    answer[len] = '\0';
    close(fd);
    return answer;
}

static void expect(const struct server *server, const char *request, const char *start_text)
{
    char *answer = exchange(server, request);
    if (strncmp(answer, start_text, strlen(start_text)) != 0)
        test_fail(__FILE__, __LINE__, "%s\nwas answered with\n%.200s", request, answer);
    free(answer);
}

TEST(site_serves_a_page_with_its_length)
{
    struct server server;
    start(&server, "0");
    char *answer = exchange(&server, "GET /page-001.html HTTP/1.1\r\nHost: one.localhost:1\r\n"
                                     "Connection: close\r\n\r\n");
    char *length = strstr(answer, "Content-Length: "), *body = strstr(answer, "\r\n\r\n");
    CHECK(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0 && length && body);
    CHECK_EQ(strlen(body + 4), atoi(length + 16));
    CHECK(strstr(body, "Page 1 of one.localhost"));
    free(answer);
    stop(&server);
}

TEST(site_head_has_the_length_and_no_body)
{
    struct server server;
    start(&server, "0");
    char *answer = exchange(&server, "HEAD /page-002.html HTTP/1.1\r\nhost:two.localhost \r\n"
                                     "Connection: close\r\n\r\n");
    CHECK(strstr(answer, "Content-Length: "));
    CHECK_STR(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    free(answer);
    stop(&server);
}

TEST(site_refuses_what_it_does_not_have)
{
    struct server server;
    start(&server, "0");
    expect(&server,
           "GET /page-002.html HTTP/1.1\r\nHost: one.localhost\r\nConnection: close\r\n\r\n",
           "HTTP/1.1 404 ");
    expect(&server, "GET /page-161.html HTTP/1.0\r\nHost: one.localhost\r\n\r\n", "HTTP/1.1 404 ");
    expect(&server, "GET /page-1.html HTTP/1.0\r\nHost: one.localhost\r\n\r\n", "HTTP/1.1 404 ");
    expect(&server, "GET /page-001.html HTTP/1.0\r\nHost: four.localhost\r\n\r\n", "HTTP/1.1 404 ");
    expect(&server,
           "POST / HTTP/1.1\r\nHost: one.localhost\r\nConnection: close\r\nContent-Length: "
           "3\r\n\r\nabc",
           "HTTP/1.1 405 ");
    expect(&server, "GET /page-001.html HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
    expect(&server, "nonsense\r\n\r\n", "HTTP/1.1 400 ");
    expect(&server, "\r\n\r\n", "HTTP/1.1 400 ");
    stop(&server);
}

TEST(site_bounds_the_head)
{
    struct server server;
    char *request = malloc(10001);

    start(&server, "0");
    memset(request, 'x', 10000);
    memcpy(request, "GET /", 5);
    request[10000] = '\0';
    int fd = dial(&server);
    CHECK_EQ(send(fd, request, 10000, MSG_NOSIGNAL), 10000);
    char answer[64] = "";
    CHECK(recv(fd, answer, sizeof answer - 1, 0) > 0);
    CHECK(strncmp(answer, "HTTP/1.1 414 ", 13) == 0);
    close(fd);
    free(request);
    stop(&server);
}

TEST(site_answers_piped_requests_in_order)
{
    struct server server;
    start(&server, "1");
    char *answer = exchange(&server, "GET /page-001.html HTTP/1.1\r\nHost: one.localhost\r\n\r\n"
                                     "GET /page-002.html HTTP/1.1\r\nHost: two.localhost\r\n\r\n"
                                     "GET / HTTP/1.1\r\nHost: three.localhost\r\n"
                                     "Connection: close\r\n\r\n");
    char *one = strstr(answer, "Page 1 of one"), *two = strstr(answer, "Page 2 of two"),
         *three = strstr(answer, "page-003.html");
    CHECK(one && two && three && one < two && two < three);
    free(answer);
    stop(&server);
}

TEST(site_takes_its_time_for_each_page_and_for_all_at_once)
{
    enum { CLIENTS = 20 };
    static const char request[] = "GET /page-001.html HTTP/1.0\r\nHost: one.localhost\r\n\r\n";
    struct server server;
    struct timespec from, to;
    int fds[CLIENTS];
    char buf[64];

    start(&server, "100");
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = dial(&server);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < CLIENTS; i++)
        CHECK(send(fds[i], request, sizeof request - 1, MSG_NOSIGNAL) > 0);
    for (int i = 0; i < CLIENTS; i++)
        CHECK(recv(fds[i], buf, sizeof buf, 0) > 0);
    clock_gettime(CLOCK_MONOTONIC, &to);
    int64_t ms = (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
    CHECK(ms >= 99);
    CHECK(ms < 1900); /* one after the other would take 2 s */
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    stop(&server);
}

TEST(site_ends_on_sigterm_with_clients_connected)
{
    struct server server;
    char buf[4];

    start(&server, "60000");
    int idle = dial(&server), busy = dial(&server);
    CHECK(send(busy, "GET /page-001.html HTTP/1.1\r\nHost: one.localhost\r\n\r\n", 52, 0) > 0);
    stop(&server);
    CHECK(recv(idle, buf, sizeof buf, 0) <= 0);
    CHECK(recv(busy, buf, sizeof buf, 0) <= 0);
    close(idle);
    close(busy);
}

TEST(site_manifest_fits_the_pages)
{
    struct subprocess run;
    static const char script[] =
        "\"$0\" --exit-with-parent --latency 0 --pages 7 --urls urls --manifest sums >out & "
        "pid=$!\n"
        "until grep -q listening out; do sleep 0.02; done\n"
        "while read -r url; do curl -sS --noproxy '*' -O \"$url\" || exit 1; done <urls\n"
        "kill $pid; wait $pid; sha256sum --check --strict sums";
    struct subprocess_options options = {.dir = test_tmpdir()};

    if (!test_has_program("curl"))
        test_skip("curl is not installed");
    subprocess_run(&run, (const char *[]){"sh", "-c", script, test_program("examples/site"), NULL},
                   &options);
    if (run.exit_status != 0)
        test_fail(__FILE__, __LINE__, "%s%s", run.out, run.err);
    CHECK(strstr(run.out, "page-007.html: OK\n"));
    subprocess_finish(&run);
}

TEST_MAIN()
