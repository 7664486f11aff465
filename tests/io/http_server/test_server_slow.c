/* SPDX-License-Identifier: MIT */
/* Slow clients, which send a byte now and then to hold their connections: honest clients must not
 * notice them. With TEST_SLOW set, there are 5,000 of them. */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "test.h"

enum {
    SLOW_MAX = 5000,
    HONEST = 8,         /* clients */
    REQUESTS_MAX = 300, /* of each */
    ROUNDS = 5,         /* another process may take the processor during some of them */
};

#define PAUSE_NS   (5 * WHORL_MILLISECOND) /* between two requests of an honest client */
#define DRIP_EVERY WHORL_SECOND

static struct whorl_listener *listener;
static int slow[SLOW_MAX], slow_count, requests;
static int64_t latencies[HONEST * REQUESTS_MAX];
static size_t latencies_count;

static const char get[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
static const char slow_head[] =
    "POST /0123456789 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n";

/* Sanitizers make the machine too slow for a comparison of times. */
static bool is_full(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#else
    return getenv("TEST_SLOW") != NULL;
#endif
}

static WHORL_SUSPENDS int answer(void *arg, struct whorl_http_incoming *incoming,
                                 struct whorl_http_reply *reply)
{
    char *body;
    (void)arg;
    int err = whorl_http_incoming_read_to_end(incoming, 10000, &body, NULL);
    if (err)
        return err;
    free(body);
    return whorl_http_reply_send(reply, 200, "text/plain", "hello", 5);
}

static int serve(void *arg)
{
    (void)arg;
    return whorl_http_serve(&listener, 1, NULL, answer, NULL);
}

static int dial(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(whorl_addr_port(whorl_listener_addr(listener))),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_OK(connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0 ? -errno : 0);
    return fd;
}

static int honest(void *arg)
{
    char reply[512];
    int fd = dial();
    (void)arg;
    for (int i = 0; i < requests; i++) {
        int64_t start_ns = whorl_now();
        CHECK_OK(whorl_write_all(fd, get, sizeof get - 1));
        CHECK(whorl_recv(fd, reply, sizeof reply, 0) > 0);
        CHECK(strncmp(reply, "HTTP/1.1 200", 12) == 0);
        latencies[latencies_count++] = whorl_now() - start_ns;
        CHECK_OK(whorl_sleep(PAUSE_NS));
    }
    return whorl_close(fd);
}

static int by_length(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The time within which 99 of 100 requests of honest clients are answered. */
static WHORL_SUSPENDS_SHIELDED int64_t measure_p99(void)
{
    WHORL_AUTO(group) group = {0};
    latencies_count = 0;
    for (int i = 0; i < HONEST; i++)
        CHECK_OK(whorl_spawn(&group, honest, NULL));
    CHECK_OK(whorl_group_wait(&group));
    qsort(latencies, latencies_count, sizeof *latencies, by_length);
    return latencies[latencies_count * 99 / 100];
}

/* Half of the slow clients send a head, the others a body. Each sends one byte per second. */
static int drip(void *arg)
{
    size_t sent = 0;
    (void)arg;
    for (;;) {
        for (int i = 0; i < slow_count; i++) {
            /* One that the server has cut off fails: it stays as it is. */
            test_ignore(send(slow[i], i % 2 ? "x" : &slow_head[4 + sent], 1, MSG_NOSIGNAL));
            if (i % 8 == 7) {
                int err = whorl_sleep(DRIP_EVERY * 8 / slow_count);
                if (err)
                    return err;
            }
        }
        sent++;
    }
}

static WHORL_SUSPENDS_SHIELDED void open_slow(void)
{
    for (; slow_count < (is_full() ? SLOW_MAX : 200); slow_count++) {
        size_t len = slow_count % 2 ? sizeof slow_head - 1 : 4;
        slow[slow_count] = dial();
        CHECK_EQ(send(slow[slow_count], slow_head, len, 0), len);
        if (slow_count % 64 == 63)
            CHECK_OK(whorl_sleep(WHORL_MILLISECOND)); /* the server accepts them */
    }
}

TEST_SLOW(slow_clients_do_not_delay_others, TEST_ROOT_IO, 60)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_group dripping = {0};
    struct rlimit files;

    requests = is_full() ? REQUESTS_MAX : REQUESTS_MAX / 10;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    if (is_full() && files.rlim_max < 2 * SLOW_MAX + 100)
        test_skip("the limit of open files is %lu", (unsigned long)files.rlim_max);
    CHECK_OK(whorl_listen_ip("127.0.0.1", 0, NULL, &listener));
    CHECK_OK(whorl_spawn(&group, serve, NULL));
    int64_t alone_ns = measure_p99();
    open_slow();
    CHECK_OK(whorl_spawn(&dripping, drip, NULL));
    /* In a short run, other tests run at the same time. */
    int64_t limit_ns = is_full() ? 2 * alone_ns : WHORL_SECOND;
    int64_t slow_ns = INT64_MAX;
    for (int i = 0; i < ROUNDS && slow_ns > limit_ns; i++) {
        int64_t round_ns = measure_p99();
        slow_ns = round_ns < slow_ns ? round_ns : slow_ns;
    }
    whorl_group_cancel(&dripping);
    test_ignore(whorl_group_wait(&dripping));
    for (int i = 0; i < slow_count; i++)
        close(slow[i]);
    CHECK_OK(whorl_group_stop(&group, 10 * WHORL_SECOND));
    whorl_listener_close(listener);
    printf("# p99 %lld us, and %lld us beside %d slow connections\n", (long long)alone_ns / 1000,
           (long long)slow_ns / 1000, slow_count);
    CHECK(slow_ns <= limit_ns);
}

TEST_MAIN()
