/* SPDX-License-Identifier: MIT */
/* How much memory an idle kept connection takes, and an exchange in flight. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/dial.h>
#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/task.h>
#include <whorl/tls.h>

#include "certs.h"
#include "nginx.h"
#include "test.h"
#include "tls_library.h"

enum { CONNS_FEW = 5, CONNS_MANY = 45 };

/* Connects to the server on 127.0.0.1, whatever the host is called. */
static WHORL_SUSPENDS int dial_loopback(void *arg, const char *host, uint16_t port,
                                        struct whorl_error *error, struct whorl_stream **ret)
{
    (void)arg;
    (void)host;
    return whorl_dial_stream("127.0.0.1", port, NULL, error, ret);
}

/* Sanitizers keep freed memory, and add their own to each block. */
static void skip_if_sanitized(void)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    test_skip("memory is not measured with sanitizers");
#endif
}

struct plan {
    struct whorl_http_session *session;
    const char *scheme;
    uint16_t port;
    int number; /* of the next host */
};

/* Gets a body of 100 KB from a host of its own, so that the connection is used for records of full
 * size and kept afterwards. */
static WHORL_SUSPENDS int get(void *arg)
{
    struct plan *plan = arg;
    WHORL_AUTO(http_response) *response = NULL;
    char url[100], *body = NULL;
    size_t len;

    snprintf(url, sizeof url, "%s://h%d.test:%u/big", plan->scheme, plan->number++, plan->port);
    struct whorl_http_request request = {.url = url};
    CHECK_OK(whorl_http_do(plan->session, &request, NULL, &response));
    CHECK_EQ(whorl_http_response_status(response), 200);
    CHECK_OK(whorl_http_response_read_to_end(response, 1 << 20, &body, &len));
    CHECK_EQ(len, 100000);
    free(body);
    return 0;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* Returns the bytes of the heap while `count` connections are idle. */
static WHORL_SUSPENDS_SHIELDED size_t measure(struct plan *plan, int count)
{
    struct whorl_http_session_stats stats;

    while (plan->number < count)
        CHECK_OK(get(plan));
    /* HTTP/2 sends its last frames, and becomes idle after 100 ms. Its tasks run before the second
     * sleep ends, even if the machine is slow. */
    CHECK_OK(whorl_sleep(200 * WHORL_MILLISECOND));
    CHECK_OK(whorl_sleep(50 * WHORL_MILLISECOND));
    whorl_http_session_get_stats(plan->session, &stats);
    CHECK_EQ(stats.idle, (size_t)count);
    return heap_bytes();
}

static WHORL_SUSPENDS_SHIELDED void check(const char *scheme, enum whorl_http_version version,
                                          const char *protocols, double limit_kib)
{
    static const char *const http2[] = {"h2", "http/1.1", NULL};
    skip_if_sanitized();
    struct nginx *nginx = nginx_start(&(struct nginx_options){
        .docroot = test_tmpdir(), .http2 = version == WHORL_HTTP_2, .protocols = protocols});
    struct whorl_tls_options tls = {.insecure = true,
                                    .alpn = version == WHORL_HTTP_2 ? http2 : http2 + 1};
    WHORL_AUTO(tls_config) *config = NULL;
    WHORL_AUTO(http_session) *session = NULL;

    CHECK_OK(whorl_tls_config_create(&tls, NULL, &config));
    struct whorl_http_session_options options = {
        .tls = config, .dialer = {.dial = dial_loopback}, .version = version};
    CHECK_OK(whorl_http_session_create(&options, &session));
    char path[600];
    snprintf(path, sizeof path, "%s/big", test_tmpdir());
    FILE *file = fopen(path, "w");
    CHECK(file);
    for (int i = 0; i < 100000; i++)
        putc('x', file);
    fclose(file);
    struct plan plan = {.session = session,
                        .scheme = scheme,
                        .port = strcmp(scheme, "https") == 0 ? nginx_tls_port(nginx)
                                                             : nginx_port(nginx)};
    size_t few = measure(&plan, CONNS_FEW), many = measure(&plan, CONNS_MANY);
    double kib = (double)(many - few) / (CONNS_MANY - CONNS_FEW) / 1024;
    if (kib > limit_kib)
        test_fail(__FILE__, __LINE__, "%.1f KiB per connection", kib);
}

TEST_IO(an_idle_connection_takes_2_kib)
{
    check("http", WHORL_HTTP_1, NULL, 2);
}

/* BearSSL has about 4 KiB without its areas for records, OpenSSL 21 KiB. */
TEST_IO(an_idle_connection_with_tls_has_no_buffers)
{
    check("https", WHORL_HTTP_1, NULL, tests_use_openssl() ? 25 : 8);
}

TEST_IO(an_idle_connection_with_tls_13_has_no_buffers)
{
    if (!tests_use_openssl())
        test_skip("BearSSL has no TLS 1.3");
    check("https", WHORL_HTTP_1, "TLSv1.3", 25);
}

/* The heap has about 12 KiB of nghttp2's, for the tables of HPACK and of streams. Its buffer for
 * frames is a mapping (http2_memory.h), of which two pages are used. With these 8 KiB, a connection
 * has less than 45 KiB. The session keeps chunks of bodies, and how many it needed depends on the
 * speed of the machine. */
TEST_IO(an_idle_connection_with_http2_takes_45_kib)
{
    check("https", WHORL_HTTP_2, NULL, tests_use_openssl() ? 37 : 21);
}

enum { FLIGHT_COUNT = 10000, FLIGHT_LIMIT_MB = 400 };

/* A connection whose server answers after 20 s. It is no task, so that only the clients' memory
 * counts. */
struct slow {
    struct whorl_stream stream;
    bool has_answered;
};

static WHORL_SUSPENDS ssize_t slow_read(struct whorl_stream *stream, void *buf, size_t len)
{
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    struct slow *slow = (struct slow *)stream;

    if (slow->has_answered)
        return 0;
    int err = whorl_sleep(20 * WHORL_SECOND);
    if (err)
        return err;
    CHECK(len >= sizeof answer);
    slow->has_answered = true;
    memcpy(buf, answer, sizeof answer - 1);
    return sizeof answer - 1;
}

static WHORL_SUSPENDS int slow_writev(struct whorl_stream *stream, const struct iovec *iov,
                                      int iov_count)
{
    (void)stream, (void)iov, (void)iov_count;
    return 0;
}

static bool slow_is_idle(struct whorl_stream *stream)
{
    (void)stream;
    return false;
}

static int slow_fd(struct whorl_stream *stream)
{
    (void)stream;
    return -1;
}

static void slow_close(struct whorl_stream *stream)
{
    free(stream);
}

static WHORL_SUSPENDS int dial_slow(void *arg, const char *host, uint16_t port,
                                    struct whorl_error *error, struct whorl_stream **ret)
{
    static const struct whorl_stream_ops ops = {
        .name = "slow",
        .read = slow_read,
        .writev = slow_writev,
        .is_idle = slow_is_idle,
        .fd = slow_fd,
        .close = slow_close,
    };
    struct slow *slow = calloc(1, sizeof *slow);

    (void)arg, (void)host, (void)port, (void)error;
    CHECK(slow);
    slow->stream.ops = &ops;
    *ret = &slow->stream;
    return 0;
}

static int in_flight;

static int fly(void *arg)
{
    struct whorl_http_session *session = arg;
    struct whorl_http_request request = {.url = "http://a.test/"};
    WHORL_AUTO(http_response) *response = NULL;

    in_flight++;
    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    return 0;
}

/* The resident memory of this process. */
static long resident_kib(void)
{
    char line[200];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");

    CHECK(file);
    while (kib < 0 && fgets(line, sizeof line, file))
        sscanf(line, "VmRSS: %ld kB", &kib);
    fclose(file);
    return kib;
}

TEST_VIRTUAL(ten_thousand_exchanges_in_flight_take_less_than_400_mb)
{
    struct whorl_http_session_options options = {.dialer = {.dial = dial_slow},
                                                 .conns_max = FLIGHT_COUNT,
                                                 .conns_per_host_max = FLIGHT_COUNT};
    struct whorl_http_session_stats stats;
    WHORL_AUTO(http_session) *session = NULL;
    struct whorl_group group = {0};

    skip_if_sanitized();
    mallopt(M_PERTURB, 0); /* $MALLOC_PERTURB_ makes all memory of each block resident */
    CHECK_OK(whorl_http_session_create(&options, &session));
    for (int i = 0; i < FLIGHT_COUNT; i++)
        CHECK_OK(whorl_spawn(&group, fly, session));
    CHECK_OK(whorl_sleep(10 * WHORL_SECOND));
    CHECK_EQ(in_flight, FLIGHT_COUNT);
    whorl_http_session_get_stats(session, &stats);
    CHECK_EQ(stats.open, FLIGHT_COUNT);
    long kib = resident_kib();
    if (kib * 1024 > FLIGHT_LIMIT_MB * 1000000L)
        test_fail(__FILE__, __LINE__, "%ld KiB", kib);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_MAIN()
