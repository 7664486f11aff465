/* SPDX-License-Identifier: MIT */
/* The options of dialling: overrides, resolvers, local addresses, interfaces, Unix sockets, and the
 * order of addresses by route. */
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl.h>

#include "dns_server.h"
#include "faults.h"
#include "io/net/dial_options.h"
#include "io/net/dial_resolve.h"
#include "io/net/dial_socket.h"
#include "ports.h"
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

/* The system calls and functions that tests replace. */

static const char *unroutable; /* no route leads to this address; NULL: all are as they are */
static bool may_not_bind_to_device;
static const char *fake_address; /* the only one of each interface; NULL: those that exist */

bool __real_dial_socket_source(const struct sockaddr *to, const struct whorl_dial_options *options,
                               struct whorl_addr *ret);
bool __wrap_dial_socket_source(const struct sockaddr *to, const struct whorl_dial_options *options,
                               struct whorl_addr *ret);
bool __wrap_dial_socket_source(const struct sockaddr *to, const struct whorl_dial_options *options,
                               struct whorl_addr *ret)
{
    struct whorl_addr addr;

    if (unroutable) {
        CHECK_OK(whorl_addr_parse(unroutable, 0, &addr));
        CHECK(addr.len <= sizeof addr.in6);
        if (to->sa_family == AF_INET && addr.sa.sa_family == AF_INET &&
            ((const struct sockaddr_in *)(const void *)to)->sin_addr.s_addr ==
                addr.in.sin_addr.s_addr)
            return false;
        if (to->sa_family == AF_INET6 && addr.sa.sa_family == AF_INET6)
            return false;
    }
    return __real_dial_socket_source(to, options, ret);
}

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (may_not_bind_to_device && level == SOL_SOCKET && name == SO_BINDTODEVICE) {
        errno = EPERM;
        return -1;
    }
    return __real_setsockopt(fd, level, name, value, len);
}

int __real_getifaddrs(struct ifaddrs **ret);
int __wrap_getifaddrs(struct ifaddrs **ret);
int __wrap_getifaddrs(struct ifaddrs **ret)
{
    static struct whorl_addr addr;

    int err = __real_getifaddrs(ret);
    if (err == 0 && fake_address)
        for (struct ifaddrs *one = *ret; one; one = one->ifa_next) {
            CHECK_OK(whorl_addr_parse(fake_address, 0, &addr));
            one->ifa_addr = &addr.sa;
        }
    return err;
}

/* Returns a listener on an IPv4 address. With port 0 a port is chosen and stored. */
static int listen_at(const char *ip, int backlog, uint16_t *port)
{
    struct whorl_addr addr;

    CHECK_OK(whorl_addr_parse(ip, *port, &addr));
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(whorl_bind(fd, &addr));
    CHECK_OK(listen(fd, backlog));
    CHECK_OK(whorl_addr_local(fd, &addr));
    *port = whorl_addr_port(&addr);
    return fd;
}

static bool have_ipv6(void)
{
    int fd = port_listen_v6(0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static char *ip_of(const struct whorl_addr *addr, char text[static WHORL_ADDR_TEXT_MAX])
{
    whorl_addr_text(addr, text, WHORL_ADDR_TEXT_MAX);
    *strrchr(text, ':') = '\0';
    return text;
}

/* Dials and returns "LOCAL>PEER", or the name of the error. */
static WHORL_SUSPENDS const char *dial(const char *host, uint16_t port,
                                       const struct whorl_dial_options *options)
{
    static char text[2 * WHORL_ADDR_TEXT_MAX];
    char one[WHORL_ADDR_TEXT_MAX];
    struct whorl_addr peer, local, real;

    int fd = whorl_dial_tcp(host, port, options, NULL, &peer);
    if (fd < 0)
        return whorl_error_name(fd);
    CHECK_OK(whorl_addr_local(fd, &local));
    CHECK_OK(whorl_addr_peer(fd, &real));
    CHECK_EQ(peer.len, real.len);
    CHECK(memcmp(&peer, &real, peer.len) == 0);
    close(fd);
    strcpy(text, ip_of(&local, one));
    strcat(text, ">");
    return strcat(text, ip_of(&peer, one));
}

/* Dials, checks step and text of the failure, and returns its code. */
static WHORL_SUSPENDS int failure(const char *host, uint16_t port,
                                  const struct whorl_dial_options *options, const char *step,
                                  const char *text)
{
    struct whorl_error error = {0};
    int fds = test_open_fds();

    int err = whorl_dial_tcp(host, port, options, &error, NULL);
    CHECK_ERR(error.code, err);
    CHECK_STR(error.step, step);
    CHECK_STR(error.text, text);
    CHECK(test_open_fds() <= fds);
    return err;
}

/* "HOST:PORT:ADDRS" in one of a few buffers. */
static const char * override(const char *host, uint16_t port, const char *addrs)
{
    static char texts[4][128];
    static int next;
    char *text = texts[next++ % 4];

    snprintf(text, sizeof texts[0], "%s:%u:%s", host, port, addrs);
    return text;
}

/* Overrides */

TEST_IO(an_override_replaces_the_lookup)
{
    static const struct dns_rule rules[] = {{.answer = "127.0.0.9"}};
    struct dns_server *server = START(rules);
    uint16_t port = 0;
    int two = listen_at("127.0.0.2", 9, &port), three = listen_at("127.0.0.3", 9, &port);
    const char *overrides[] = {override("*", port, "127.0.0.3"),
                               override("One.Test", port, "127.0.0.2"),
                               override("127.0.0.8", port, "127.0.0.2"),
                               override("other.test", (uint16_t)(port ^ 1), "127.0.0.2")};
    struct whorl_dial_options options = {.overrides = overrides, .overrides_count = 4};

    CHECK_STR(dial("one.test.", port, &options), "127.0.0.1>127.0.0.2");
    CHECK_STR(dial("other.test", port, &options), "127.0.0.1>127.0.0.3");
    CHECK_STR(dial("127.0.0.8", port, &options), "127.0.0.1>127.0.0.2");
    CHECK_STR(dial("not-a-name.7", port, &options), "127.0.0.1>127.0.0.3");
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 0);
    /* Without the one for all, names are looked up and literals are what they are. */
    options.overrides++;
    options.overrides_count = 1;
    CHECK_STR(dial("other.test", port, &options), "ECONNREFUSED");
    CHECK_STR(dial("127.0.0.3", port, &options), "127.0.0.1>127.0.0.3");
    CHECK(dns_server_count(server, NULL, DNS_A) > 0);
    close(two);
    close(three);
}

TEST_IO(the_addresses_of_an_override_are_tried_in_their_order)
{
    uint16_t port = 0;
    int two = listen_at("127.0.0.2", 9, &port), three = listen_at("127.0.0.3", 9, &port);
    const char *overrides[] = {override("a.test", port, "127.0.0.9,127.0.0.3,127.0.0.2"),
                               override("b.test", port, "127.0.0.2,127.0.0.3")};
    struct whorl_dial_options options = {.overrides = overrides, .overrides_count = 2};

    unroutable = "127.0.0.3"; /* the order of RFC 6724 would have it last */
    CHECK_STR(dial("a.test", port, &options), "127.0.0.1>127.0.0.3");
    CHECK_STR(dial("b.test", port, &options), "127.0.0.1>127.0.0.2");
    close(two);
    close(three);
}

TEST_IO(an_address_that_is_a_black_hole_costs_250_ms)
{
    uint16_t port = 0;
    struct whorl_addr addr;
    int fds[8], count = 0, hole = listen_at("127.0.0.2", 0, &port);
    int good = listen_at("127.0.0.3", 9, &port);
    const char *one = override("a.test", port, "127.0.0.2,127.0.0.3");
    struct whorl_dial_options options = {.overrides = &one, .overrides_count = 1};

    CHECK_OK(whorl_addr_local(hole, &addr));
    for (struct pollfd last = {.events = POLLOUT}; count < 8;) {
        last.fd = fds[count++] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(last.fd, &addr.sa, addr.len);
        if (poll(&last, 1, 30) == 0)
            break;
    }
    int64_t started_ns = whorl_now();
    CHECK_STR(dial("a.test", port, &options), "127.0.0.1>127.0.0.3");
    int64_t took_ns = whorl_now() - started_ns;
    CHECK(took_ns >= 250 * MS);
    CHECK(took_ns < 900 * MS); /* before the kernel repeats its SYN */
    while (count > 0)
        close(fds[--count]);
    close(hole);
    close(good);
}

TEST_IO(an_override_without_an_address_of_the_family_is_no_address)
{
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", 9, &port);
    const char *one = override("a.test", port, "::1,127.0.0.1");
    const char *v6 = override("a.test", port, "::1");
    struct whorl_dial_options options = {
        .family = AF_INET, .overrides = &one, .overrides_count = 1};

    CHECK_STR(dial("a.test", port, &options), "127.0.0.1>127.0.0.1");
    options.overrides = &v6;
    CHECK_ERR(failure("a.test", port, &options, "resolve", "a.test: host name has no address"),
              WHORL_EDNS_NODATA);
    close(listener);
}

/* Resolvers */

struct answer {
    const char *addrs[3];
    int err, calls;
    uint16_t port; /* 0: the port that is asked for */
};

static WHORL_SUSPENDS int answer(void *arg, const char *host, uint16_t port, int family,
                                 struct whorl_addr *ret, size_t ret_max)
{
    struct answer *a = arg;
    int n = 0;

    a->calls++;
    CHECK_STR(host, "a.test");
    CHECK(family == AF_UNSPEC || family == AF_INET);
    CHECK(ret_max >= 3);
    CHECK_OK(whorl_sleep(1 * MS));
    while (n < 3 && a->addrs[n]) {
        CHECK_OK(whorl_addr_parse(a->addrs[n], a->port ? a->port : port, &ret[n]));
        n++;
    }
    return a->err ? a->err : n;
}

TEST_IO(a_resolver_replaces_the_lookup)
{
    struct answer a = {.addrs = {"127.0.0.9", "127.0.0.2"}};
    uint16_t port = 0;
    int listener = listen_at("127.0.0.2", 9, &port);
    const char *one = override("a.test", port, "127.0.0.2");
    struct whorl_dial_options options = {.resolver = {.resolve = answer, .arg = &a}};

    CHECK_STR(dial("a.test", port, &options), "127.0.0.1>127.0.0.2");
    CHECK_STR(dial("127.0.0.2", port, &options), "127.0.0.1>127.0.0.2");
    CHECK_EQ(a.calls, 1); /* not for the literal */
    options.overrides = &one;
    options.overrides_count = 1;
    CHECK_STR(dial("a.test", port, &options), "127.0.0.1>127.0.0.2");
    CHECK_EQ(a.calls, 1); /* not with an override */
    options.overrides_count = 0;
    a.port = port;
    CHECK_STR(dial("a.test", 1, &options), "127.0.0.1>127.0.0.2");
    close(listener);
}

TEST_IO(a_failing_resolver_fails_the_call)
{
    struct answer a = {.err = WHORL_EDNS_SERVFAIL};
    struct whorl_dial_options options = {.resolver = {.resolve = answer, .arg = &a}};

    CHECK_ERR(failure("a.test", 1, &options, "resolve", "a.test: name server failed to answer"),
              WHORL_EDNS_SERVFAIL);
    a.err = 0;
    CHECK_ERR(failure("a.test", 1, &options, "resolve", "a.test: host name has no address"),
              WHORL_EDNS_NODATA);
    a.addrs[0] = "::1";
    options.family = AF_INET;
    CHECK_ERR(failure("a.test", 1, &options, "resolve", "a.test: host name has no address"),
              WHORL_EDNS_NODATA);
}

TEST_IO(every_source_of_addresses_can_be_asked_without_dialling)
{
    static const struct dns_rule rules[] = {{.answer = "127.0.0.9"}};
    struct answer a = {.addrs = {"127.0.0.2", "127.0.0.3", "127.0.0.4"}};
    const char *one = "b.test:80:127.0.0.5";
    struct whorl_dial_options options = {
        .resolver = {.resolve = answer, .arg = &a}, .overrides = &one, .overrides_count = 1};
    struct whorl_addr addrs[3];
    char text[WHORL_ADDR_TEXT_MAX];

    START(rules);
    CHECK_EQ(dial_resolve("a.test", 80, &options, addrs, 3), 3);
    CHECK_STR(whorl_addr_text(&addrs[2], text, sizeof text), "127.0.0.4:80");
    CHECK_EQ(dial_resolve("b.test", 80, &options, addrs, 3), 1);
    CHECK_STR(whorl_addr_text(addrs, text, sizeof text), "127.0.0.5:80");
    CHECK_EQ(dial_resolve("127.0.0.6", 80, &options, addrs, 3), 1);
    CHECK_STR(whorl_addr_text(addrs, text, sizeof text), "127.0.0.6:80");
    options.local_addr = "::1"; /* not of their family */
    CHECK_EQ(dial_resolve("a.test", 80, &options, addrs, 3), 3);
    options.resolver.resolve = NULL;
    CHECK_EQ(dial_resolve("a.test", 80, &options, addrs, 3), 1);
    CHECK_STR(whorl_addr_text(addrs, text, sizeof text), "127.0.0.9:80");
}

/* The order by route */

TEST_IO(addresses_without_a_route_are_tried_last)
{
    static const struct dns_rule rules[] = {{.name = "v4.test", .answer = "127.0.0.2 127.0.0.3"},
                                            {.name = "both.test", .answer = "::1 127.0.0.2"}};
    struct answer a = {.addrs = {"127.0.0.2", "127.0.0.3"}};
    struct whorl_dial_options options = {.resolver = {.resolve = answer, .arg = &a}};
    uint16_t port = 0;
    int two = listen_at("127.0.0.2", 9, &port), three = listen_at("127.0.0.3", 9, &port);

    START(rules);
    CHECK_STR(dial("v4.test", port, NULL), "127.0.0.1>127.0.0.2");
    CHECK_STR(dial("a.test", port, &options), "127.0.0.1>127.0.0.2");
    unroutable = "127.0.0.2";
    CHECK_STR(dial("v4.test", port, NULL), "127.0.0.1>127.0.0.3");
    CHECK_STR(dial("a.test", port, &options), "127.0.0.1>127.0.0.3");
    if (have_ipv6()) {
        struct whorl_addr both[2];
        int v6 = port_listen_v6(port);
        CHECK_ERR(whorl_resolve("both.test", 1, AF_UNSPEC, both, 2), 2); /* into the cache */
        CHECK_STR(dial("both.test", port, NULL), "[::1]>[::1]");
        unroutable = "::1";
        CHECK_STR(dial("both.test", port, NULL), "127.0.0.1>127.0.0.2");
        close(v6);
    }
    close(two);
    close(three);
}

TEST_IO(the_source_address_is_that_of_a_connection)
{
    struct whorl_dial_options options = {0};
    struct whorl_addr to, source;
    char text[WHORL_ADDR_TEXT_MAX];
    int fds = test_open_fds();

    CHECK_OK(whorl_addr_parse("127.0.0.1", 80, &to));
    CHECK(dial_socket_source(&to.sa, &options, &source));
    CHECK_STR(ip_of(&source, text), "127.0.0.1");
    options.local_addr = "127.0.0.7";
    CHECK(dial_socket_source(&to.sa, &options, &source));
    CHECK_STR(ip_of(&source, text), "127.0.0.7");
    options.local_addr = "192.0.2.1";
    CHECK(!dial_socket_source(&to.sa, &options, &source));
    if (have_ipv6()) {
        options = (struct whorl_dial_options){.interface = "lo"};
        CHECK_OK(whorl_addr_parse("::1", 80, &to));
        CHECK(dial_socket_source(&to.sa, &options, &source));
        CHECK_STR(ip_of(&source, text), "[::1]");
        CHECK_OK(whorl_addr_parse("2001:db8::1", 80, &to));
        CHECK(!dial_socket_source(&to.sa, &options, &source));
    }
    CHECK_EQ(test_open_fds(), fds);
}

/* Moves this process to a network namespace of its own, whose only interface is a loopback without
 * IPv6. */
static void enter_network_without_ipv6(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        test_skip("network namespaces are not permitted");
    FILE *file = fopen("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "w");
    if (file && (fputs("1", file) < 0 || fclose(file) != 0))
        test_skip("IPv6 cannot be switched off in a network namespace");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_OK(ioctl(fd, SIOCSIFFLAGS, &request));
    close(fd);
}

static void log_addrs(void *arg, const struct whorl_dial_event *event)
{
    char text[WHORL_ADDR_TEXT_MAX];

    (void)arg;
    for (size_t i = 0; i < event->addrs_count; i++)
        test_log("%s", whorl_addr_text(&event->addrs[i], text, sizeof text));
}

static int dial_localhost(void *arg)
{
    const struct whorl_dial_watch watch = {.event = log_addrs};
    struct whorl_dial_options options = {.watch = &watch};
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", 9, &port);
    char expected[64];

    (void)arg;
    CHECK_STR(dial("localhost", port, &options), "127.0.0.1>127.0.0.1");
    snprintf(expected, sizeof expected, "127.0.0.1:%u [::1]:%u", port, port);
    CHECK_STR(test_logged(), expected);
    return close(listener);
}

TEST(without_a_route_for_ipv6_localhost_begins_with_ipv4)
{
    enter_network_without_ipv6();
    CHECK_OK(whorl_io_run(dial_localhost, NULL));
}

/* Local addresses and interfaces */

TEST_IO(a_connection_comes_from_the_local_address)
{
    static const struct dns_rule rules[] = {{.name = "both.test", .answer = "::1 127.0.0.2"},
                                            {.name = "v6.test", .answer = "::1"}};
    struct whorl_dial_options options = {.local_addr = "127.0.0.7"};
    uint16_t port = 0;
    int listener = listen_at("127.0.0.2", 9, &port);
    char text[64];

    START(rules);
    CHECK_STR(dial("127.0.0.2", port, &options), "127.0.0.7>127.0.0.2");
    CHECK_STR(dial("both.test", port, &options), "127.0.0.7>127.0.0.2");
    CHECK_STR(dial("v6.test", port, &options), "WHORL_EDNS_NODATA");
    CHECK_STR(dial("::1", port, &options), "WHORL_EDNS_NODATA");
    options.local_addr = "192.0.2.1";
    snprintf(text, sizeof text, "127.0.0.2:%u from 192.0.2.1: %s", port,
             whorl_strerror(-EADDRNOTAVAIL));
    CHECK_ERR(failure("127.0.0.2", port, &options, "connect", text), -EADDRNOTAVAIL);
    CHECK_ERR(failure("both.test", port, &options, "connect", text), -EADDRNOTAVAIL);
    close(listener);
}

TEST_IO(a_connection_uses_the_interface)
{
    struct whorl_dial_options options = {.interface = "lo"};
    char name[IF_NAMESIZE] = "", text[64];
    socklen_t size = sizeof name;
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", 9, &port);

    if (test_on_qemu())
        test_skip("qemu cannot read SO_BINDTODEVICE");
    int fd = whorl_dial_tcp("127.0.0.1", port, &options, NULL, NULL);
    CHECK(fd >= 0);
    CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
    close(fd);
    if (!*name)
        test_skip("SO_BINDTODEVICE is not permitted");
    CHECK_STR(name, "lo");
    options.local_addr = "127.0.0.7";
    CHECK_STR(dial("127.0.0.1", port, &options), "127.0.0.7>127.0.0.1");
    options = (struct whorl_dial_options){.interface = "no-such0"};
    snprintf(text, sizeof text, "127.0.0.1:%u from no-such0: %s", port, whorl_strerror(-ENODEV));
    CHECK_ERR(failure("127.0.0.1", port, &options, "connect", text), -ENODEV);
    close(listener);
}

TEST_IO(without_permission_an_address_of_the_interface_is_used)
{
    struct whorl_dial_options options = {.interface = "lo"};
    uint16_t port = 0;
    int listener = listen_at("127.0.0.1", 9, &port);

    may_not_bind_to_device = true;
    CHECK_STR(dial("127.0.0.1", port, &options), "127.0.0.1>127.0.0.1");
    fake_address = "127.0.0.7";
    CHECK_STR(dial("127.0.0.1", port, &options), "127.0.0.7>127.0.0.1");
    fake_address = "::1"; /* the wrong family */
    CHECK_STR(dial("127.0.0.1", port, &options), "EADDRNOTAVAIL");
    if (have_ipv6()) { /* the destination is on a link, but the address is not valid there */
        fake_address = "::1";
        CHECK_STR(dial("fe80::1%lo", port, &options), "EADDRNOTAVAIL");
    }
    fake_address = NULL;
    options.local_addr = "127.0.0.7"; /* not limited to the interface */
    CHECK_STR(dial("127.0.0.1", port, &options), "EPERM");
    options = (struct whorl_dial_options){.interface = "no-such0"};
    CHECK_STR(dial("127.0.0.1", port, &options), "ENODEV");
    close(listener);
}

/* Unix sockets */

TEST_IO(a_unix_socket_takes_the_place_of_the_host)
{
    char path[108], name[64], text[256];
    struct whorl_addr addr, peer;

    snprintf(path, sizeof path, "%s/socket", test_tmpdir());
    snprintf(name, sizeof name, "@whorl-test-%d", getpid());
    const char *const paths[] = {path, name};
    for (int i = 0; i < 2; i++) {
        WHORL_AUTO(listener) *listener = NULL;
        struct whorl_dial_options options = {.unix_path = paths[i]};
        CHECK_OK(whorl_addr_unix(paths[i], &addr));
        snprintf(text, sizeof text, "%s: %s", paths[i],
                 whorl_strerror(i ? -ECONNREFUSED : -ENOENT));
        CHECK_ERR(failure("a.test", 1, &options, "connect", text), i ? -ECONNREFUSED : -ENOENT);
        CHECK_OK(whorl_listen(&addr, NULL, &listener));
        int fd = whorl_dial_tcp("a.test", 1, &options, NULL, &peer);
        CHECK(fd >= 0);
        CHECK_STR(whorl_addr_text(&peer, text, sizeof text), paths[i]);
        CHECK_ERR(whorl_send(fd, "x", 1, 0), 1);
        int accepted = whorl_accept(listener, NULL);
        CHECK(accepted >= 0);
        CHECK_ERR(whorl_recv(accepted, text, 1, 0), 1);
        close(accepted);
        close(fd);
    }
}

/* The check and the copy */

TEST_IO(wrong_options_are_refused_with_field_and_reason)
{
    static const char *const wrong[] = {"a:1:127.0.0.1", "a:b"}, *const none[] = {NULL};
    char path[200];
    const struct {
        struct whorl_dial_options options;
        int code;
        const char *text;
    } rows[] = {
        {{.family = AF_UNIX}, -EINVAL, "family: not AF_UNSPEC, AF_INET or AF_INET6"},
        {{.attempt_delay_ns = -1}, -EINVAL, "attempt_delay_ns: negative"},
        {{.overrides = wrong, .overrides_count = 2},
         -EINVAL,
         "override \"a:b\": its port is not a number from 1 to 65535, followed by a colon"},
        {{.local_addr = "localhost"},
         -EINVAL,
         "local_addr \"localhost\": not an IPv4 or IPv6 address"},
        {{.local_addr = ""}, -EINVAL, "local_addr \"\": not an IPv4 or IPv6 address"},
        {{.local_addr = "::1", .family = AF_INET},
         -EINVAL,
         "local_addr \"::1\": not of the family that is asked for"},
        {{.interface = ""}, -EINVAL, "interface \"\": not a name of a network interface"},
        {{.interface = "0123456789abcdef"},
         -EINVAL,
         "interface \"0123456789abcdef\": not a name of a network interface"},
        {{.interface = "a/b"}, -EINVAL, "interface \"a/b\": not a name of a network interface"},
        {{.unix_path = ""}, -EINVAL, "unix_path \"\": not a path"},
        {{.unix_path = "@"}, -EINVAL, "unix_path \"@\": not a path"},
        {{.overrides_count = 1}, -EINVAL, "overrides: a NULL pointer"},
        {{.overrides = none, .overrides_count = 1}, -EINVAL, "overrides: a NULL pointer"},
        {{.unix_path = path}, -ENAMETOOLONG, NULL},
        {{.unix_path = "/a", .family = AF_INET},
         -EINVAL,
         "family: cannot be combined with unix_path"},
        {{.unix_path = "/a", .resolver = {.resolve = answer}},
         -EINVAL,
         "resolver: cannot be combined with unix_path"},
        {{.unix_path = "/a", .overrides = wrong, .overrides_count = 1},
         -EINVAL,
         "overrides: cannot be combined with unix_path"},
        {{.unix_path = "/a", .local_addr = "::1"},
         -EINVAL,
         "local_addr: cannot be combined with unix_path"},
        {{.unix_path = "/a", .interface = "lo"},
         -EINVAL,
         "interface: cannot be combined with unix_path"},
    };

    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct whorl_error error = {0};
        CHECK_ERR(whorl_dial_options_check(&rows[i].options, &error), rows[i].code);
        CHECK_STR(error.step, "options");
        if (rows[i].text)
            CHECK_STR(error.text, rows[i].text);
        CHECK_ERR(whorl_dial_tcp("127.0.0.1", 1, &rows[i].options, NULL, NULL), rows[i].code);
    }
    CHECK_OK(whorl_dial_options_check(&(struct whorl_dial_options){0}, NULL));
}

TEST(a_copy_of_options_has_its_own_strings)
{
    char one[] = "a.test:80:127.0.0.1", two[] = "b.test:80:127.0.0.2", local[] = "127.0.0.3",
         interface[] = "lo", path[] = "/socket";
    const char *overrides[] = {one, two};
    struct whorl_dial_options options = {.family = AF_INET,
                                         .attempt_delay_ns = 5,
                                         .delay_small_writes = true,
                                         .resolver = {.resolve = answer, .arg = one},
                                         .overrides = overrides,
                                         .overrides_count = 2,
                                         .local_addr = local,
                                         .interface = interface,
                                         .unix_path = path};

    faults_arm(1);
    CHECK(!dial_options_copy(&options));
    CHECK(faults_disarm());
    struct whorl_dial_options *copy = dial_options_copy(&options);
    CHECK(copy);
    overrides[0] = overrides[1] = NULL;
    memset(one, 'x', 3), memset(two, 'x', 3), memset(local, 'x', 3), memset(interface, 'x', 1),
        memset(path, 'x', 3);
    CHECK_EQ(copy->family, AF_INET);
    CHECK_EQ(copy->attempt_delay_ns, 5);
    CHECK(copy->delay_small_writes);
    CHECK(copy->resolver.resolve == answer && copy->resolver.arg == one);
    CHECK_EQ(copy->overrides_count, 2);
    CHECK_STR(copy->overrides[0], "a.test:80:127.0.0.1");
    CHECK_STR(copy->overrides[1], "b.test:80:127.0.0.2");
    CHECK_STR(copy->local_addr, "127.0.0.3");
    CHECK_STR(copy->interface, "lo");
    CHECK_STR(copy->unix_path, "/socket");
    free(copy);
    options = (struct whorl_dial_options){0};
    copy = dial_options_copy(&options);
    CHECK(copy && !copy->local_addr && !copy->interface && !copy->unix_path);
    CHECK_EQ(copy->overrides_count, 0);
    free(copy);
}

TEST_MAIN()
