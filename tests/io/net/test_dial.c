/* SPDX-License-Identifier: MIT */
/* Dialling by name: which addresses it tries, in which order and when, and what it leaves open. */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <whorl.h>

#include "dns_server.h"
#include "faults.h"
#include "io_faults.h"
#include "ports.h"
#include "runtime/park_hook.h"
#include "test.h"

#define MS WHORL_MILLISECOND

static struct dns_server *start(const struct dns_rule *rules, size_t count)
{
    struct dns_server *server = dns_server_start(rules, count);
    struct whorl_dns_options options = {.servers = dns_server_address(server),
                                        .hosts_file = "/dev/null",
                                        .timeout_ns = 10 * WHORL_SECOND,
                                        .tries = 1};
    CHECK_OK(whorl_dns_configure(&options));
    return server;
}

#define START(rules) start(rules, sizeof(rules) / sizeof *(rules))

/* Returns a socket bound to 127.0.0.`last`. It listens with `backlog`, or does not listen when that
 * is negative. With port 0 a port is chosen and stored. */
static int listen_at(int last, int backlog, uint16_t *port)
{
    char ip[16];
    struct whorl_addr addr;

    snprintf(ip, sizeof ip, "127.0.0.%d", last);
    CHECK_OK(whorl_addr_parse(ip, *port, &addr));
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(whorl_bind(fd, &addr));
    if (backlog >= 0)
        CHECK_OK(listen(fd, backlog));
    CHECK_OK(whorl_addr_local(fd, &addr));
    *port = whorl_addr_port(&addr);
    return fd;
}

/* An address of 127.0.0.0/8 on which connections get no answer, because its backlog is full. */
struct blackhole {
    int fds[8];
    int count;
};

static struct blackhole blackhole_at(int last, uint16_t *port)
{
    struct blackhole hole = {.count = 1};
    struct whorl_addr addr;

    hole.fds[0] = listen_at(last, 0, port);
    CHECK_OK(whorl_addr_local(hole.fds[0], &addr));
    while (hole.count < 8) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
        hole.fds[hole.count++] = fd;
        connect(fd, &addr.sa, addr.len);
        if (poll(&poll_fd, 1, 30) == 0)
            return hole;
    }
    test_fail(__FILE__, __LINE__, "the backlog does not fill");
}

static void blackhole_close(struct blackhole *hole)
{
    while (hole->count > 0)
        close(hole->fds[--hole->count]);
}

/* Dials and returns the peer's address as text, or the name of the error. Closes the connection. */
static WHORL_SUSPENDS const char *dial(const char *host, uint16_t port,
                                       const struct whorl_dial_options *options)
{
    static char text[WHORL_ADDR_TEXT_MAX];
    struct whorl_addr peer, real;
    int fd = whorl_dial_tcp(host, port, options, NULL, &peer);

    if (fd < 0)
        return whorl_error_name(fd);
    CHECK_OK(whorl_addr_peer(fd, &real));
    CHECK_STR(whorl_addr_text(&peer, text, sizeof text),
              whorl_addr_text(&real, (char[WHORL_ADDR_TEXT_MAX]){0},
                              sizeof(char[WHORL_ADDR_TEXT_MAX]){0}));
    close(fd);
    return strcpy(strrchr(text, ':'), "") ? text : NULL;
}

static bool have_ipv6(void)
{
    int fd = port_listen_v6(0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int socket_option(int fd, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof value;
    CHECK_OK(getsockopt(fd, level, option, &value, &len));
    return value;
}

TEST_IO(dial_of_a_literal_connects_at_once)
{
    uint16_t port;
    int listener = port_listen(&port), fds = test_open_fds();
    struct whorl_addr peer;

    int fd = whorl_dial_tcp("127.0.0.1", port, NULL, NULL, &peer);
    CHECK(fd >= 0);
    CHECK_EQ(test_open_fds(), fds + 1);
    CHECK_EQ(peer.sa.sa_family, AF_INET);
    CHECK_EQ(whorl_addr_port(&peer), port);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQ(socket_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    close(fd);
    fd = whorl_dial_tcp("127.0.0.1", port, &(struct whorl_dial_options){.delay_small_writes = true},
                        NULL, NULL);
    CHECK(fd >= 0);
    CHECK_EQ(socket_option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    close(fd);
    close(listener);
}

static int accept_and_echo(void *arg)
{
    char byte;
    int fd = accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_ERR(whorl_read(fd, &byte, 1), 1);
    CHECK_ERR(whorl_write(fd, &byte, 1), 1);
    return whorl_close(fd);
}

TEST_IO(dial_stream_connects_a_stream)
{
    WHORL_AUTO(group) group = {0};
    WHORL_AUTO(stream) *stream = NULL;
    uint16_t port;
    int listener = port_listen(&port);
    char byte = 'x';

    CHECK_OK(whorl_dial_stream("127.0.0.1", port, NULL, NULL, &stream));
    CHECK_EQ(socket_option(whorl_stream_fd(stream), IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_OK(whorl_spawn(&group, accept_and_echo, &listener));
    CHECK_OK(whorl_stream_write(stream, &byte, 1));
    byte = 0;
    CHECK_OK(whorl_stream_read_exact(stream, &byte, 1));
    CHECK_EQ(byte, 'x');
    CHECK_OK(whorl_group_wait(&group));
    close(listener);
}

TEST_IO(dial_stream_says_what_failed_and_leaves_no_socket)
{
    struct whorl_stream *stream = NULL;
    struct whorl_error error = {0};
    struct whorl_scope scope;
    uint16_t port;
    int listener = port_listen(&port), fds = test_open_fds();

    CHECK_ERR(whorl_dial_stream("127.0.0.9", port, NULL, &error, &stream), -ECONNREFUSED);
    CHECK_STR(error.step, "connect");
    faults_arm(1); /* the stream is all there is to allocate */
    CHECK_ERR(whorl_dial_stream("127.0.0.1", port, NULL, &error, &stream), -ENOMEM);
    CHECK(faults_disarm());
    CHECK_ERR(error.code, -ENOMEM);
    CHECK_STR(error.step, "connect");
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_dial_stream("127.0.0.1", port, NULL, &error, &stream), -ECANCELED);
    whorl_scope_leave(&scope, 0);
    CHECK(!stream);
    CHECK_EQ(test_open_fds(), fds);
    close(listener);
}

TEST_IO(dial_says_step_address_and_cause)
{
    static const struct dns_rule rules[] = {{.name = "one.test", .answer = "127.0.0.1"},
                                            {.name = "dead.test", .rcode = DNS_SERVFAIL}};
    START(rules);
    struct whorl_error error;
    uint16_t port = port_refused();
    char expected[64];

    snprintf(expected, sizeof expected, "127.0.0.1:%d: connection refused", port);
    CHECK_ERR(whorl_dial_tcp("127.0.0.1", port, NULL, &error, NULL), -ECONNREFUSED);
    CHECK_EQ(error.code, -ECONNREFUSED);
    CHECK_STR(error.step, "connect");
    CHECK_STR(error.text, expected);
    memset(&error, 0, sizeof error);
    CHECK_ERR(whorl_dial_tcp("one.test", port, NULL, &error, NULL), -ECONNREFUSED);
    CHECK_STR(error.step, "connect");
    CHECK_STR(error.text, expected);
    CHECK_ERR(whorl_dial_tcp("no.such.host", port, NULL, &error, NULL), WHORL_EDNS_NOTFOUND);
    CHECK_EQ(error.code, WHORL_EDNS_NOTFOUND);
    CHECK_STR(error.step, "resolve");
    CHECK_STR(error.text, "no.such.host: host name not found");
    CHECK_ERR(whorl_dial_tcp("dead.test", port, NULL, &error, NULL), WHORL_EDNS_SERVFAIL);
    CHECK_STR(error.text, "dead.test: name server failed to answer");
    CHECK_ERR(whorl_dial_tcp("a\nb", port, NULL, &error, NULL), WHORL_EDNS_BADNAME);
    CHECK_STR(error.text, "a\\x0ab: not a valid host name");
}

TEST_IO(dial_refuses_senseless_arguments)
{
    struct whorl_dial_options options = {.family = AF_UNIX};
    CHECK_ERR(whorl_dial_tcp("127.0.0.1", 1, &options, NULL, NULL), -EINVAL);
    options = (struct whorl_dial_options){.attempt_delay_ns = -1};
    CHECK_ERR(whorl_dial_tcp("127.0.0.1", 1, &options, NULL, NULL), -EINVAL);
    CHECK_ERR(whorl_dial_tcp(NULL, 1, NULL, NULL, NULL), -EINVAL);
}

TEST_IO(dial_says_that_an_address_is_of_a_family_that_is_not_allowed)
{
    struct whorl_dial_options options = {.family = AF_INET6};
    struct whorl_error error;

    CHECK_ERR(whorl_dial_tcp("127.0.0.1", 1, &options, &error, NULL), WHORL_EDNS_NODATA);
    CHECK_STR(error.step, "resolve");
    CHECK_STR(error.text, "127.0.0.1: this is an IPv4 address, but only IPv6 is allowed");
    options.family = AF_INET;
    CHECK_ERR(whorl_dial_tcp("::1", 1, &options, &error, NULL), WHORL_EDNS_NODATA);
    CHECK_STR(error.text, "::1: this is an IPv6 address, but only IPv4 is allowed");
    options = (struct whorl_dial_options){.local_addr = "127.0.0.1"};
    CHECK_ERR(whorl_dial_tcp("::1", 1, &options, &error, NULL), WHORL_EDNS_NODATA);
    CHECK_STR(error.text, "::1: this is an IPv6 address, but the local address 127.0.0.1 is IPv4");
}

TEST(dial_outside_a_task_is_refused)
{
    CHECK_ERR(whorl_dial_tcp("127.0.0.1", 1, NULL, NULL, NULL), WHORL_ENOTASK);
}

TEST_IO(dial_asks_for_the_family_it_wants_only)
{
    static const struct dns_rule rules[] = {{.name = "one.test", .answer = "127.0.0.1 ::1"}};
    struct dns_server *server = START(rules);
    uint16_t port;
    int listener = port_listen(&port);

    CHECK_STR(dial("one.test", port, &(struct whorl_dial_options){.family = AF_INET}), "127.0.0.1");
    CHECK_EQ(dns_server_count(server, NULL, DNS_AAAA), 0);
    close(listener);
}

TEST_IO(dial_prefers_ipv6)
{
    static const struct dns_rule rules[] = {{.name = "one.test", .answer = "127.0.0.1 ::1"}};
    uint16_t port;

    if (!have_ipv6())
        test_skip("no IPv6 on loopback");
    START(rules);
    int v4 = port_listen(&port), v6 = port_listen_v6(port);
    CHECK(v6 >= 0);
    CHECK_STR(dial("one.test", port, NULL), "[::1]");
    CHECK_STR(dial("localhost", port, NULL), "[::1]");
    close(v6);
    /* Refused, so the next address is tried at once. */
    CHECK_STR(dial("one.test", port, NULL), "127.0.0.1");
    CHECK_STR(dial("localhost", port, NULL), "127.0.0.1");
    close(v4);
}

TEST_IO(dial_goes_on_at_once_when_an_address_refuses)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .answer = "127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.1"}};
    uint16_t port;

    START(rules);
    int listener = port_listen(&port), fds = test_open_fds();
    int64_t started_ns = whorl_now();
    struct whorl_dial_options options = {.attempt_delay_ns = 5 * WHORL_SECOND};
    CHECK_STR(dial("one.test", port, &options), "127.0.0.1");
    CHECK(whorl_now() - started_ns < 5 * WHORL_SECOND);
    CHECK(test_open_fds() <= fds);
    close(listener);
}

/* Appends the steps that a watch gets to a text: "try 127.0.0.2 failed 127.0.0.2 ..." */
static void note_step(void *arg, const struct whorl_dial_event *event)
{
    static const char *const names[] = {"resolve", "resolved", "try", "failed", "connected"};
    const struct whorl_addr *addrs = event->addr ? event->addr : event->addrs;
    size_t count = event->addr ? 1 : event->addrs_count;
    char *to = arg, text[WHORL_ADDR_TEXT_MAX];

    to += strlen(to);
    to += sprintf(to, "%s%s", to > (char *)arg ? " " : "", names[event->step]);
    if (event->host)
        to += sprintf(to, " %s", event->host);
    for (size_t i = 0; i < count; i++) {
        whorl_addr_text(&addrs[i], text, sizeof text);
        strcpy(strrchr(text, ':'), "");
        to += sprintf(to, " %s", text);
    }
    if (event->err)
        sprintf(to, " %s", whorl_error_name(event->err));
}

TEST_IO(dial_tells_a_watch_each_step)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .answer = "127.0.0.2 127.0.0.1"},
        {.name = "single.test", .answer = "127.0.0.1"},
        {.name = "many.test",
         .answer = "127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 "
                   "127.0.0.6 127.0.0.7 127.0.0.8 127.0.0.9"}};
    char steps[1024] = "";
    struct whorl_dial_watch watch = {.event = note_step, .arg = steps};
    struct whorl_dial_options options = {.watch = &watch};
    uint16_t port;

    START(rules);
    int listener = port_listen(&port);
    CHECK_STR(dial("one.test", port, &options), "127.0.0.1");
    CHECK_STR(steps, "resolve one.test resolved 127.0.0.2 127.0.0.1 try 127.0.0.2 failed 127.0.0.2 "
                     "ECONNREFUSED try 127.0.0.1 connected 127.0.0.1");
    *steps = '\0';
    CHECK_STR(dial("single.test", port, &options), "127.0.0.1");
    CHECK_STR(steps, "resolve single.test resolved 127.0.0.1 try 127.0.0.1 connected 127.0.0.1");
    *steps = '\0';
    CHECK_STR(dial("many.test", port, &options), "127.0.0.1");
    CHECK_STR(steps, "resolve many.test resolved 127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 "
                     "127.0.0.6 127.0.0.7 127.0.0.8 try 127.0.0.1 connected 127.0.0.1");
    *steps = '\0';
    CHECK_STR(dial("127.0.0.1", port, &options), "127.0.0.1");
    CHECK_STR(steps, "try 127.0.0.1 connected 127.0.0.1");
    *steps = '\0';
    CHECK_STR(dial("none.test", port, &options), "WHORL_EDNS_NOTFOUND");
    CHECK_STR(steps, "resolve none.test");
    close(listener);
    *steps = '\0';
    CHECK_STR(dial("127.0.0.1", port, &options), "ECONNREFUSED");
    CHECK_STR(steps, "try 127.0.0.1 failed 127.0.0.1 ECONNREFUSED");
}

TEST_IO(dial_goes_on_after_the_delay_when_an_address_is_silent)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .answer = "127.0.0.2 127.0.0.3 127.0.0.4"}};
    uint16_t port = 0;
    struct blackhole first = blackhole_at(2, &port), second = blackhole_at(3, &port);
    int listener = listen_at(4, 16, &port);

    START(rules);
    int fds = test_open_fds();
    int64_t started_ns = whorl_now();
    CHECK_STR(dial("one.test", port, &(struct whorl_dial_options){.attempt_delay_ns = 20 * MS}),
              "127.0.0.4");
    int64_t took_ns = whorl_now() - started_ns;
    CHECK(took_ns >= 40 * MS);
    CHECK(took_ns < 490 * MS);
    CHECK(test_open_fds() <= fds); /* the other attempts are closed */
    started_ns = whorl_now();
    CHECK_STR(dial("one.test", port, NULL), "127.0.0.4"); /* the default is 250 ms per address */
    CHECK(whorl_now() - started_ns >= 500 * MS);
    close(listener);
    blackhole_close(&first);
    blackhole_close(&second);
}

/* Lets a blackhole accept connections again: the kernel completes them when a SYN is repeated. */
static int open_blackhole(void *arg)
{
    struct blackhole *hole = arg;
    struct pollfd fd = {.fd = hole->fds[0], .events = POLLIN};

    CHECK_OK(whorl_sleep(300 * MS));
    while (hole->count > 1)
        close(hole->fds[--hole->count]); /* otherwise their repeated SYNs would take the place */
    while (poll(&fd, 1, 0) == 1)
        close(accept(hole->fds[0], NULL, NULL));
    return 0;
}

TEST_IO(dial_takes_an_early_attempt_that_succeeds_late)
{
    static const struct dns_rule rules[] = {{.name = "one.test", .answer = "127.0.0.2 127.0.0.3"}};
    uint16_t port = 0;
    struct blackhole first = blackhole_at(2, &port), second = blackhole_at(3, &port);
    WHORL_AUTO(group) group = {0};

    START(rules);
    CHECK_OK(whorl_spawn(&group, open_blackhole, &first));
    CHECK_STR(dial("one.test", port, &(struct whorl_dial_options){.attempt_delay_ns = 10 * MS}),
              "127.0.0.2");
    CHECK_OK(whorl_group_wait(&group));
    blackhole_close(&first);
    blackhole_close(&second);
}

TEST_IO(dial_waits_50_ms_for_ipv6_and_no_longer)
{
    static const struct dns_rule rules[] = {
        {.name = "slow6.test", .type = DNS_AAAA, .answer = "::1", .delay_ms = 3000},
        {.name = "slow6.test", .type = DNS_A, .answer = "127.0.0.1"},
        {.name = "slow4.test", .type = DNS_AAAA, .answer = "::1"},
        {.name = "slow4.test", .type = DNS_A, .answer = "127.0.0.1", .delay_ms = 3000},
        {.name = "none6.test", .type = DNS_AAAA, .rcode = DNS_NXDOMAIN, .delay_ms = 15},
        {.name = "none6.test", .type = DNS_A, .answer = "127.0.0.1"},
        {.name = "only6.test", .type = DNS_AAAA, .answer = "::1", .delay_ms = 100},
        {.name = "only6.test", .type = DNS_A},
        {.type = DNS_AAAA, .answer = "::1", .delay_ms = 10},
        {.answer = "127.0.0.1"},
    };
    uint16_t port;

    if (!have_ipv6())
        test_skip("no IPv6 on loopback");
    START(rules);
    int v4 = port_listen(&port), v6 = port_listen_v6(port);
    CHECK(v6 >= 0);

    int64_t started_ns = whorl_now();
    CHECK_STR(dial("slow6.test", port, NULL), "127.0.0.1");
    int64_t took_ns = whorl_now() - started_ns;
    CHECK(took_ns >= 50 * MS);
    CHECK(took_ns < 2500 * MS);
    started_ns = whorl_now();
    CHECK_STR(dial("slow4.test", port, NULL), "[::1]");
    CHECK(whorl_now() - started_ns < 2500 * MS);
    CHECK_STR(dial("none6.test", port, NULL), "127.0.0.1");
    CHECK_STR(dial("only6.test", port, NULL), "[::1]");
    static const char *const near[] = {"a.test", "b.test", "c.test", "d.test", "e.test"};
    int used = 0; /* a busy machine may be too slow for some of them */
    for (int i = 0; i < 5; i++)
        used += strcmp(dial(near[i], port, NULL), "[::1]") == 0;
    CHECK(used > 0);
    close(v4);
    close(v6);
}

TEST_IO(dial_uses_ipv6_addresses_that_arrive_late)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .type = DNS_AAAA, .answer = "::1", .delay_ms = 120},
        {.name = "one.test", .type = DNS_A, .answer = "127.0.0.2"},
        {.name = "two.test", .type = DNS_AAAA, .answer = "::1", .delay_ms = 120},
        {.name = "two.test", .type = DNS_A, .answer = "127.0.0.9"},
    };
    uint16_t port = 0;

    if (!have_ipv6())
        test_skip("no IPv6 on loopback");
    START(rules);
    struct blackhole hole = blackhole_at(2, &port);
    int v6 = port_listen_v6(port);
    CHECK(v6 >= 0);
    CHECK_STR(dial("one.test", port, NULL), "[::1]"); /* the first address does not answer */
    CHECK_STR(dial("two.test", port, NULL), "[::1]"); /* it has already refused */
    close(v6);
    blackhole_close(&hole);
}

TEST_IO(dial_reports_the_last_address_tried_rather_than_a_lookup)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .type = DNS_A, .answer = "127.0.0.2 127.0.0.3"},
        {.name = "one.test", .type = DNS_AAAA, .rcode = DNS_SERVFAIL, .delay_ms = 70},
    };
    START(rules);
    struct whorl_error error;
    uint16_t port = 0;
    int second = listen_at(3, -1, &port), first = listen_at(2, -1, &port);
    char expected[64];

    snprintf(expected, sizeof expected, "127.0.0.3:%d: connection refused", port);
    CHECK_ERR(whorl_dial_tcp("one.test", port, NULL, &error, NULL), -ECONNREFUSED);
    CHECK_STR(error.step, "connect");
    CHECK_STR(error.text, expected);
    close(first);
    close(second);
}

/* Number of connections to `port` of any address that wait for an answer. */
static int connecting(uint16_t port)
{
    FILE *file = fopen("/proc/net/tcp", "re");
    unsigned remote, state;
    int n = 0;
    char line[256];

    CHECK(file != NULL);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%*d: %*x:%*x %*x:%x %x", &remote, &state) == 2)
            n += remote == port && state == TCP_SYN_SENT;
    fclose(file);
    return n;
}

/* A dial that gets no answer, and the scope that ends it. */
struct silent_dial {
    const char *host;
    int connections; /* attempts that it makes at the same time; 0: the name is not answered */
    uint16_t port;
    int connecting_before, fds_before;
    struct dns_server *server;
    struct whorl_scope scope;
    int64_t ended_ns;
};

static bool is_waiting(const struct silent_dial *d)
{
    if (d->connections == 0)
        return dns_server_count(d->server, d->host, DNS_ANY) > 0;
    /* The sockets of the queries are closed when all answers are in. */
    return connecting(d->port) == d->connecting_before + d->connections &&
           test_open_fds() == d->fds_before + d->connections;
}

/* Ends the scope when the dial waits for the answer that never comes. */
static int end_when_waiting(void *arg)
{
    struct silent_dial *d = arg;

    while (!is_waiting(d))
        CHECK_OK(whorl_sleep(MS));
    d->ended_ns = whorl_now();
    whorl_scope_set_deadline(&d->scope, d->ended_ns);
    return 0;
}

TEST_IO(dial_cancelled_returns_at_once_and_leaves_no_socket)
{
    static const struct dns_rule rules[] = {
        {.name = "silent.test", .answer = "127.0.0.2 127.0.0.3"},
        {.name = "single.test", .answer = "127.0.0.2"},
        {.name = "unanswered.test", .drop = true},
    };
    struct silent_dial dials[] = {
        {.host = "silent.test", .connections = 2},
        {.host = "single.test", .connections = 1},
        {.host = "127.0.0.2", .connections = 1},
        {.host = "unanswered.test", .connections = 0},
    };
    struct dns_server *server = START(rules);
    uint16_t port = 0;
    struct blackhole first = blackhole_at(2, &port), second = blackhole_at(3, &port);
    struct whorl_error error;
    struct whorl_dial_options options = {.attempt_delay_ns = 10 * MS};
    WHORL_AUTO(group) group = {0};

    for (size_t i = 0; i < sizeof dials / sizeof *dials; i++) {
        struct silent_dial *d = &dials[i];
        d->port = port;
        d->server = server;
        d->connecting_before = connecting(port);
        CHECK_OK(whorl_spawn(&group, end_when_waiting, d));
        d->fds_before = test_open_fds(); /* now, because the first task opens a descriptor */
        whorl_scope_enter(&d->scope, WHORL_FOREVER);
        int err = whorl_dial_tcp(d->host, port, &options, &error, NULL);
        CHECK_ERR(err, -ECANCELED);
        CHECK_ERR(whorl_scope_leave(&d->scope, err), -ETIMEDOUT);
        CHECK(whorl_now() - d->ended_ns < 5 * WHORL_SECOND);
        CHECK_EQ(error.code, -ECANCELED);
        CHECK_STR(error.step, d->connections ? "connect" : "resolve");
        /* The query without an answer is still in flight. */
        CHECK(test_open_fds() <= d->fds_before + !d->connections);
        CHECK_OK(whorl_group_wait(&group));
    }
    blackhole_close(&first);
    blackhole_close(&second);
}

struct canceller {
    struct whorl_scope *scope;
    int turns;
};

static int cancel_after(void *arg)
{
    struct canceller *canceller = arg;
    for (int i = 0; i < canceller->turns; i++)
        if (whorl_yield() < 0)
            return 0;
    whorl_scope_cancel(canceller->scope);
    return 0;
}

/* Dials, and cancels after this many turns of the scheduler. Returns whether it connected. */
static WHORL_SUSPENDS bool dial_cancelled_after(int turns, const char *host, uint16_t port)
{
    struct whorl_scope scope;
    WHORL_AUTO(group) group = {0};

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn_copy(&group, cancel_after, &(struct canceller){&scope, turns}));
    int fd = whorl_dial_tcp(host, port, NULL, NULL, NULL);
    whorl_scope_leave(&scope, 0);
    whorl_group_cancel(&group);
    CHECK(fd >= 0 || fd == -ECANCELED);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

TEST_IO(dial_cancelled_at_any_turn_leaves_no_socket)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .answer = "127.0.0.9 127.0.0.1 ::1", .ttl_s = 60}};
    static const char *const hosts[] = {"one.test", "localhost", "127.0.0.1"};
    uint16_t port;

    START(rules);
    int listener = port_listen(&port);
    CHECK_STR(dial("one.test", port, NULL), "127.0.0.1");   /* cached from now on */
    test_ignore(dial_cancelled_after(0, "one.test", port)); /* and stacks exist */
    int fds = test_open_fds();
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        int turns = 0;
        while (!dial_cancelled_after(turns, hosts[i], port))
            if (++turns == 10000)
                test_fail(__FILE__, __LINE__, "%s never connects", hosts[i]);
        CHECK_EQ(test_open_fds(), fds);
    }
    close(listener);
}

struct job {
    uint16_t port;
    int *connected;
    const char *server, *hosts_file;
};

static int connect_once(void *arg)
{
    struct job *job = arg;
    int fd = whorl_dial_tcp("one.test", job->port, NULL, NULL, NULL);
    CHECK(fd >= 0);
    ++*job->connected;
    close(fd);
    return 0;
}

TEST_IO(dial_by_many_tasks_at_once_works_for_all)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .answer = "127.0.0.9 127.0.0.1 ::1", .delay_ms = 10}};
    struct dns_server *server = START(rules);
    WHORL_AUTO(group) group = {0};
    uint16_t port;
    int listener = port_listen(&port), connected = 0;

    for (int i = 0; i < 200; i++)
        CHECK_OK(whorl_spawn_copy(&group, connect_once,
                                  &(struct job){.port = port, .connected = &connected}));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(connected, 200);
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 2);
    close(listener);
}

TEST_IO(dial_of_a_known_address_allocates_nothing)
{
    static const struct dns_rule rules[] = {
        {.name = "single.test", .answer = "127.0.0.1", .ttl_s = 60},
        {.name = "several.test", .answer = "127.0.0.9 127.0.0.1", .ttl_s = 60},
    };
    static const char *const hosts[] = {"127.0.0.1", "single.test", "several.test", "localhost"};
    uint16_t port;

    START(rules);
    int listener = port_listen(&port);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        CHECK_STR(dial(hosts[i], port, NULL), "127.0.0.1");
        faults_arm(1000);
        CHECK_STR(dial(hosts[i], port, NULL), "127.0.0.1");
        CHECK_EQ(faults_seen(), 0);
        faults_disarm();
    }
    close(listener);
}

static int sweep_root(void *arg)
{
    const struct job *job = arg;
    struct whorl_dns_options options = {.servers = job->server, .hosts_file = job->hosts_file};
    int err = whorl_dns_configure(&options);

    if (err)
        return err;
    int fd = whorl_dial_tcp("one.test", job->port, NULL, NULL, NULL);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

static int sweep_run(void *arg)
{
    return whorl_io_run(sweep_root, arg);
}

TEST(dial_survives_every_failed_allocation)
{
    static const struct dns_rule rules[] = {{.name = "one.test", .answer = "127.0.0.9 127.0.0.1"}};
    char hosts_file[300];
    struct job job = {.hosts_file = hosts_file};
    int listener = port_listen(&job.port);

    snprintf(hosts_file, sizeof hosts_file, "%s/hosts", test_tmpdir());
    FILE *file = fopen(hosts_file, "w");
    CHECK(file && fputs("10.0.0.1 other.test\n", file) >= 0 && fclose(file) == 0);
    job.server = dns_server_address(dns_server_start(rules, 1));
    /* Allocations: the resolver, its copy of the path, the hosts file's text, table, copy, records
     * and buckets; the channel, servers, two entries, two queries, a socket. */
    CHECK(faults_sweep(sweep_run, &job) >= 14);
    close(listener);
}

TEST(dial_survives_every_failed_request)
{
    static const struct dns_rule rules[] = {{.name = "one.test", .answer = "127.0.0.9 127.0.0.1"}};
    struct job job = {.hosts_file = "/dev/null"};
    int listener = port_listen(&job.port);

    job.server = dns_server_address(dns_server_start(rules, 1));
    CHECK(io_faults_sweep(sweep_run, &job, -EIO) >= 4);
    close(listener);
}

TEST_IO(dial_asks_again_for_an_interrupted_connect)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .answer = "127.0.0.9 127.0.0.1", .ttl_s = 60}};
    uint16_t port;

    START(rules);
    int listener = port_listen(&port);
    CHECK_STR(dial("one.test", port, NULL), "127.0.0.1");
    for (int nth = 1; nth <= 2; nth++) {
        io_faults_complete((uint64_t)nth, -EINTR);
        CHECK_STR(dial("one.test", port, NULL), "127.0.0.1");
        CHECK(io_faults_disarm());
    }
    close(listener);
}

static struct whorl_scope *scope_to_cancel;
static int parks_left;

static void cancel_at_park(const char *what)
{
    (void)what;
    if (--parks_left == 0)
        whorl_scope_cancel(scope_to_cancel);
}

/* Dials a name that was not asked before, and cancels at its nth wait. Returns whether it
 * connected. */
static WHORL_SUSPENDS bool dial_cancelled_at(int nth, uint16_t port)
{
    struct whorl_scope scope;
    char host[32];

    snprintf(host, sizeof host, "n%d.test", nth);
    whorl_scope_enter(&scope, WHORL_FOREVER);
    scope_to_cancel = &scope;
    parks_left = nth;
    sched_park_hook = cancel_at_park;
    int fd = whorl_dial_tcp(host, port, &(struct whorl_dial_options){.attempt_delay_ns = MS}, NULL,
                            NULL);
    sched_park_hook = NULL;
    whorl_scope_leave(&scope, 0);
    CHECK(fd >= 0 || fd == -ECANCELED);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

TEST_IO(dial_cancelled_at_any_wait_leaves_no_socket)
{
    static const struct dns_rule rules[] = {
        {.type = DNS_A, .answer = "127.0.0.2 127.0.0.3 127.0.0.4"},
        {.answer = "::1", .delay_ms = 5},
    };
    uint16_t port = 0;
    struct blackhole first = blackhole_at(2, &port), second = blackhole_at(3, &port);
    int listener = listen_at(4, 64, &port), nth = 1;

    START(rules);
    int fds = test_open_fds();
    while (!dial_cancelled_at(nth, port)) {
        for (int tries = 0; test_open_fds() > fds && tries < 1000; tries++)
            CHECK_OK(whorl_sleep(MS)); /* the query is still in flight */
        CHECK_EQ(test_open_fds(), fds);
        nth++;
    }
    CHECK(nth > 3);
    close(listener);
    blackhole_close(&first);
    blackhole_close(&second);
}

TEST_MAIN()
