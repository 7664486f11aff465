/* SPDX-License-Identifier: MIT */
/* The resolver, tested with a name server on loopback that answers by rules. */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <whorl.h>

#include "dns_server.h"
#include "faults.h"
#include "io/dns/dns.h"
#include "io_faults.h"
#include "ports.h"
#include "test.h"

#define MS WHORL_MILLISECOND

static char hosts_path[300];

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Configures the resolver with `servers` and a hosts file that contains `hosts`. */
static void configure_with_timeout(const char *servers, const char *hosts, int64_t timeout_ns)
{
    snprintf(hosts_path, sizeof hosts_path, "%s/hosts", test_tmpdir());
    write_file(hosts_path, hosts);
    struct whorl_dns_options options = {
        .servers = servers, .hosts_file = hosts_path, .timeout_ns = timeout_ns, .tries = 2};
    CHECK_OK(whorl_dns_configure(&options));
}

/* Uses a long timeout, so that a slow machine makes no difference. */
static void configure(const char *servers, const char *hosts)
{
    configure_with_timeout(servers, hosts, 10 * WHORL_SECOND);
}

static struct dns_server *start(const struct dns_rule *rules, size_t count)
{
    struct dns_server *server = dns_server_start(rules, count);
    configure(dns_server_address(server), "");
    return server;
}

#define START(rules) start(rules, sizeof(rules) / sizeof *(rules))

/* The same with a short timeout, for questions that get no answer. */
static struct dns_server *start_impatient(const struct dns_rule *rules, size_t count)
{
    struct dns_server *server = dns_server_start(rules, count);
    configure_with_timeout(dns_server_address(server), "", 100 * MS);
    return server;
}

#define START_IMPATIENT(rules) start_impatient(rules, sizeof(rules) / sizeof *(rules))

/* The routes of this machine: IPv4 leads everywhere, and IPv6 too unless `no_ipv6`. */

static bool no_ipv6;

bool __wrap_dial_socket_source(const struct sockaddr *to, const struct whorl_dial_options *options,
                               struct whorl_addr *ret);
bool __wrap_dial_socket_source(const struct sockaddr *to, const struct whorl_dial_options *options,
                               struct whorl_addr *ret)
{
    const struct sockaddr_in6 *to6 = (const void *)to;
    bool is_v6 = to->sa_family == AF_INET6;
    const char *v6 = is_v6 && IN6_IS_ADDR_LOOPBACK(&to6->sin6_addr) ? "::1" : "2001:db8::99";

    (void)options;
    if (is_v6 && no_ipv6)
        return false;
    CHECK_OK(whorl_addr_parse(is_v6 ? v6 : "10.0.0.99", 0, ret));
    return true;
}

/* Returns the addresses of `host` as text, or the name of the error. */
static WHORL_SUSPENDS const char *resolve(const char *host, int family)
{
    static char text[4096];
    struct whorl_addr addrs[64];
    size_t len = 0;
    int n = whorl_resolve(host, 80, family, addrs, 64);

    if (n < 0)
        return whorl_error_name(n);
    for (int i = 0; i < n; i++) {
        char one[WHORL_ADDR_TEXT_MAX];
        CHECK_EQ(whorl_addr_port(&addrs[i]), 80);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "",
                                whorl_addr_text(&addrs[i], one, sizeof one));
    }
    return text;
}

TEST_IO(resolve_returns_literals_without_asking)
{
    static const struct dns_rule rules[] = {{.answer = "10.9.9.9 ::9"}};
    struct dns_server *server = START(rules);

    CHECK_STR(resolve("192.0.2.1", AF_UNSPEC), "192.0.2.1:80");
    CHECK_STR(resolve("2001:db8::1", AF_UNSPEC), "[2001:db8::1]:80");
    CHECK_STR(resolve("192.0.2.1", AF_INET), "192.0.2.1:80");
    CHECK_STR(resolve("192.0.2.1", AF_INET6), "WHORL_EDNS_NODATA");
    CHECK_STR(resolve("::1", AF_INET), "WHORL_EDNS_NODATA");
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 0);
}

TEST_IO(resolve_answers_special_names_without_asking)
{
    static const struct dns_rule rules[] = {{.answer = "10.9.9.9 ::9"}};
    struct dns_server *server = START(rules);

    CHECK_STR(resolve("localhost", AF_UNSPEC), "[::1]:80 127.0.0.1:80");
    CHECK_STR(resolve("a.b.LocalHost.", AF_UNSPEC), "[::1]:80 127.0.0.1:80");
    CHECK_STR(resolve("localhost", AF_INET), "127.0.0.1:80");
    CHECK_STR(resolve("localhost", AF_INET6), "[::1]:80");
    CHECK_STR(resolve("x.onion", AF_UNSPEC), "WHORL_EDNS_NOTFOUND");
    CHECK_STR(resolve("x.invalid", AF_UNSPEC), "WHORL_EDNS_NOTFOUND");
    CHECK_STR(resolve("a b", AF_UNSPEC), "WHORL_EDNS_BADNAME");
    CHECK_STR(resolve("127.1", AF_UNSPEC), "WHORL_EDNS_BADNAME");
    CHECK_STR(resolve("", AF_UNSPEC), "WHORL_EDNS_BADNAME");
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 0);
}

TEST_VIRTUAL(resolve_without_io_knows_literals_and_localhost_only)
{
    CHECK_STR(resolve("192.0.2.1", AF_UNSPEC), "192.0.2.1:80");
    CHECK_STR(resolve("localhost", AF_INET), "127.0.0.1:80");
    CHECK_STR(resolve("one.test", AF_UNSPEC), "WHORL_ENOIO");
    CHECK_ERR(whorl_dns_configure(&(struct whorl_dns_options){0}), WHORL_ENOIO);
}

TEST(resolve_outside_a_task_is_refused)
{
    struct whorl_addr addr;
    CHECK_ERR(whorl_resolve("127.0.0.1", 1, AF_UNSPEC, &addr, 1), WHORL_ENOTASK);
    CHECK_ERR(whorl_dns_configure(&(struct whorl_dns_options){0}), WHORL_ENOTASK);
}

TEST_IO(resolve_refuses_senseless_arguments)
{
    struct whorl_addr addr;
    CHECK_ERR(whorl_resolve("127.0.0.1", 1, AF_UNSPEC, &addr, 0), -EINVAL);
    CHECK_ERR(whorl_resolve("127.0.0.1", 1, AF_UNIX, &addr, 1), -EINVAL);
    CHECK_ERR(whorl_resolve(NULL, 1, AF_UNSPEC, &addr, 1), -EINVAL);
}

TEST_IO(resolve_is_a_cancel_point_even_for_literals)
{
    struct whorl_scope scope;
    struct whorl_addr addr;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_resolve("127.0.0.1", 1, AF_UNSPEC, &addr, 1), -ECANCELED);
    whorl_scope_leave(&scope, 0);
}

TEST_IO(resolve_asks_both_families_and_interleaves_with_ipv6_first)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test",
         .answer = "10.0.0.1 10.0.0.2 10.0.0.3 2001:db8::1 2001:db8::2",
         .ttl_s = 30}};
    struct dns_server *server = START(rules);
    struct whorl_addr addrs[3];

    CHECK_STR(resolve("one.test", AF_UNSPEC),
              "[2001:db8::1]:80 10.0.0.1:80 [2001:db8::2]:80 10.0.0.2:80 10.0.0.3:80");
    CHECK_STR(resolve("one.test", AF_INET), "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80");
    CHECK_STR(resolve("ONE.test", AF_INET6), "[2001:db8::1]:80 [2001:db8::2]:80");
    CHECK_EQ(whorl_resolve("one.test", 1, AF_UNSPEC, addrs, 3), 3);
    CHECK_EQ(dns_server_count(server, "one.test", DNS_A), 1);
    CHECK_EQ(dns_server_count(server, "one.test", DNS_AAAA), 1);
}

TEST_IO(resolve_puts_addresses_in_the_order_in_which_they_are_tried)
{
    static const struct dns_rule rules[] = {
        /* 2002:: is 6to4, whose precedence is below that of IPv4 and of other IPv6 (RFC 6724 §2.1).
         * Of the others, the one that shares a longer prefix with 2001:db8::99 comes first. */
        {.name = "both.test", .answer = "2002::1 2001:db9::1 2001:db8::1 10.0.0.2 10.0.0.1"}};
    struct whorl_addr one;
    char text[WHORL_ADDR_TEXT_MAX];

    START(rules);
    CHECK_STR(resolve("both.test", AF_UNSPEC),
              "[2001:db8::1]:80 10.0.0.2:80 [2001:db9::1]:80 10.0.0.1:80 [2002::1]:80");
    CHECK_STR(resolve("both.test", AF_INET6), "[2001:db8::1]:80 [2001:db9::1]:80 [2002::1]:80");
    CHECK_STR(resolve("both.test", AF_INET), "10.0.0.2:80 10.0.0.1:80");
    no_ipv6 = true;
    CHECK_ERR(whorl_resolve("both.test", 80, AF_UNSPEC, &one, 1), 1);
    CHECK_STR(whorl_addr_text(&one, text, sizeof text), "10.0.0.2:80");
    CHECK_STR(resolve("localhost", AF_UNSPEC), "127.0.0.1:80 [::1]:80");
}

TEST_IO(resolve_of_one_family_asks_only_that)
{
    static const struct dns_rule rules[] = {{.name = "one.test", .answer = "10.0.0.1 2001:db8::1"}};
    struct dns_server *server = START(rules);

    CHECK_STR(resolve("one.test", AF_INET), "10.0.0.1:80");
    CHECK_EQ(dns_server_count(server, NULL, DNS_AAAA), 0);
    CHECK_STR(resolve("one.test", AF_INET6), "[2001:db8::1]:80");
    CHECK_EQ(dns_server_count(server, NULL, DNS_A), 1);
}

TEST_IO(resolve_asks_again_after_the_ttl)
{
    static const struct dns_rule rules[] = {{.name = "one.test", .answer = "10.0.0.1", .times = 1},
                                            {.name = "one.test", .answer = "10.0.0.2"}};
    struct dns_server *server = START(rules);

    CHECK_STR(resolve("one.test", AF_INET), "10.0.0.1:80");
    CHECK_STR(resolve("one.test", AF_INET), "10.0.0.1:80");
    CHECK_OK(whorl_sleep(1050 * MS)); /* a TTL of 0 counts as 1 s */
    CHECK_STR(resolve("one.test", AF_INET), "10.0.0.2:80");
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 2);
}

TEST_IO(resolve_succeeds_when_one_family_fails)
{
    static const struct dns_rule rules[] = {
        {.name = "four.test", .type = DNS_A, .answer = "10.0.0.1"},
        {.name = "four.test", .rcode = DNS_SERVFAIL},
        {.name = "six.test", .type = DNS_AAAA, .answer = "2001:db8::1"},
        {.name = "six.test", .rcode = DNS_NXDOMAIN},
    };
    START(rules);

    CHECK_STR(resolve("four.test", AF_UNSPEC), "10.0.0.1:80");
    CHECK_STR(resolve("six.test", AF_UNSPEC), "[2001:db8::1]:80");
}

TEST_IO(resolve_tells_absence_from_absence_of_addresses)
{
    static const struct dns_rule rules[] = {
        {.name = "empty.test"},
        {.name = "alias.test", .cname = "target.test"},
        {.name = "half.test", .type = DNS_A},
        {.name = "half.test", .rcode = DNS_NXDOMAIN},
    };
    struct dns_server *server = START(rules);

    for (int i = 0; i < 2; i++) { /* the second answer comes from the cache */
        CHECK_STR(resolve("none.test", AF_UNSPEC), "WHORL_EDNS_NOTFOUND");
        CHECK_STR(resolve("empty.test", AF_UNSPEC), "WHORL_EDNS_NODATA");
        CHECK_STR(resolve("alias.test", AF_UNSPEC), "WHORL_EDNS_NODATA");
        CHECK_STR(resolve("half.test", AF_UNSPEC), "WHORL_EDNS_NODATA");
    }
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 8);
}

TEST_IO(resolve_follows_an_alias_in_the_answer)
{
    static const struct dns_rule rules[] = {
        {.name = "alias.test", .cname = "target.test", .answer = "10.0.0.1 2001:db8::1"}};
    START(rules);
    CHECK_STR(resolve("alias.test", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
}

TEST_IO(resolve_names_each_refusal_of_a_server_and_does_not_keep_it)
{
    static const struct dns_rule rules[] = {
        {.name = "servfail.test", .rcode = DNS_SERVFAIL},
        {.name = "refused.test", .rcode = DNS_REFUSED},
        {.name = "notimp.test", .rcode = DNS_NOTIMP},
        {.name = "formerr.test", .rcode = DNS_FORMERR},
        {.name = "garbage.test", .garbage = true},
    };
    struct dns_server *server = START(rules);

    CHECK_STR(resolve("servfail.test", AF_UNSPEC), "WHORL_EDNS_SERVFAIL");
    CHECK_STR(resolve("refused.test", AF_UNSPEC), "WHORL_EDNS_REFUSED");
    CHECK_STR(resolve("notimp.test", AF_UNSPEC), "WHORL_EDNS_SERVFAIL");
    CHECK_STR(resolve("formerr.test", AF_UNSPEC), "WHORL_EDNS_SERVFAIL");
    CHECK_STR(resolve("garbage.test", AF_UNSPEC), "WHORL_EDNS_BADRESPONSE");
    int before = dns_server_count(server, "servfail.test", DNS_A);
    CHECK_STR(resolve("servfail.test", AF_UNSPEC), "WHORL_EDNS_SERVFAIL");
    CHECK(dns_server_count(server, "servfail.test", DNS_A) > before);
}

TEST_IO(resolve_times_out_when_nobody_answers_and_asks_again_later)
{
    static const struct dns_rule rules[] = {{.name = "dead.test", .drop = true}};
    struct dns_server *server = START_IMPATIENT(rules);

    int64_t started_ns = whorl_now();
    CHECK_STR(resolve("dead.test", AF_UNSPEC), "WHORL_EDNS_TIMEOUT");
    int64_t took_ns = whorl_now() - started_ns;
    CHECK(took_ns >= 290 * MS); /* 100 ms, then 200 */
    CHECK(took_ns < 5000 * MS);
    CHECK_EQ(dns_server_count(server, "dead.test", DNS_A), 2);
    CHECK_STR(resolve("dead.test", AF_INET), "WHORL_EDNS_TIMEOUT");
    CHECK_EQ(dns_server_count(server, "dead.test", DNS_A), 4);
}

TEST_IO(resolve_recovers_from_a_lost_answer)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .type = DNS_A, .drop = true, .times = 1},
        {.name = "one.test", .answer = "10.0.0.1"},
    };
    struct dns_server *server = START_IMPATIENT(rules);

    CHECK_STR(resolve("one.test", AF_UNSPEC), "10.0.0.1:80");
    CHECK_EQ(dns_server_count(server, "one.test", DNS_A), 2);
}

TEST_IO(resolve_says_so_when_no_server_can_be_reached)
{
    char servers[64];
    snprintf(servers, sizeof servers, "127.0.0.1:%d", port_refused());
    configure(servers, "");

    int64_t started_ns = whorl_now();
    CHECK_STR(resolve("one.test", AF_UNSPEC), "WHORL_EDNS_UNREACHABLE");
    CHECK(whorl_now() - started_ns < 5 * WHORL_SECOND); /* fails at once, not by timeout */
}

TEST_IO(resolve_goes_on_to_the_next_server)
{
    static const struct dns_rule bad[] = {{.name = "dropped.test", .drop = true},
                                          {.name = "servfail.test", .rcode = DNS_SERVFAIL},
                                          {.name = "refused.test", .rcode = DNS_REFUSED}};
    static const struct dns_rule good[] = {{.answer = "10.0.0.1"}};
    struct dns_server *first = dns_server_start(bad, 3), *second = dns_server_start(good, 1);
    char servers[128];

    snprintf(servers, sizeof servers, "127.0.0.1:%d,%s,%s", port_refused(),
             dns_server_address(first), dns_server_address(second));
    configure_with_timeout(servers, "", 100 * MS);
    CHECK_STR(resolve("dropped.test", AF_INET), "10.0.0.1:80");
    CHECK_STR(resolve("servfail.test", AF_INET), "10.0.0.1:80");
    CHECK_STR(resolve("refused.test", AF_INET), "10.0.0.1:80");
    CHECK_STR(resolve("unknown.test", AF_INET), "WHORL_EDNS_NOTFOUND");
}

TEST_IO(resolve_repeats_a_truncated_answer_over_tcp)
{
    static const struct dns_rule rules[] = {
        {.name = "long.test", .answer = "10.0.0.1 2001:db8::1", .truncate = true}};
    struct dns_server *server = START(rules);

    CHECK_STR(resolve("long.test", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
    CHECK_EQ(dns_server_count_tcp(server), 2);
}

TEST_IO(resolve_takes_an_answer_above_512_bytes_over_udp)
{
    static char answer[40 * 12];
    static struct dns_rule rules[] = {{.name = "many.test", .answer = answer}};
    struct dns_server *server;
    struct whorl_addr addrs[64];

    for (int i = 0; i < 40; i++)
        sprintf(answer + strlen(answer), "%s10.0.0.%d", i ? " " : "", i);
    server = START(rules);
    CHECK_EQ(whorl_resolve("many.test", 80, AF_INET, addrs, 64), DNS_IPS_MAX);
    CHECK_EQ(dns_server_count_tcp(server), 0);
    CHECK_EQ(dns_server_count_edns(server), 1);
}

TEST_IO(resolve_does_without_edns_where_the_server_does_not_know_it)
{
    static const struct dns_rule rules[] = {{.answer = "10.0.0.1 2001:db8::1", .no_edns = true}};
    struct dns_server *server = START(rules);

    CHECK_STR(resolve("one.test", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
    CHECK_EQ(dns_server_count_edns(server), 2);
    CHECK_STR(resolve("two.test", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
    CHECK_EQ(dns_server_count_edns(server), 2);
}

TEST_IO(resolve_ignores_an_answer_with_another_id)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .answer = "10.0.0.1 2001:db8::1", .forge = true}};
    START(rules);
    CHECK_STR(resolve("one.test", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
}

struct asker {
    const char *name;
    int *done;
};

static int ask(void *arg)
{
    struct asker *asker = arg;
    CHECK_STR(resolve(asker->name, AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
    ++*asker->done;
    return 0;
}

TEST_IO(resolve_asks_once_for_all_tasks_that_want_the_same_name)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .answer = "10.0.0.1 2001:db8::1", .hold = true}};
    struct dns_server *server = START(rules);
    WHORL_AUTO(group) group = {0};
    int done = 0;

    for (int i = 0; i < 50; i++)
        CHECK_OK(whorl_spawn_copy(&group, ask, &(struct asker){"one.test", &done}));
    CHECK_OK(whorl_sleep(20 * MS));
    CHECK_EQ(done, 0);
    dns_server_release(server);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(done, 50);
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 2);
}

TEST_IO(resolve_cancelled_leaves_the_query_to_others_and_to_the_cache)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .answer = "10.0.0.1 2001:db8::1", .hold = true}};
    struct dns_server *server = START(rules);
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;
    int done = 0;

    whorl_scope_enter(&scope, whorl_after(10 * MS));
    CHECK_STR(resolve("one.test", AF_UNSPEC), "ECANCELED");
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK_OK(whorl_spawn_copy(&group, ask, &(struct asker){"one.test", &done}));
    whorl_scope_enter(&scope, whorl_after(10 * MS));
    CHECK_STR(resolve("one.test", AF_INET), "ECANCELED");
    whorl_scope_leave(&scope, 0);
    dns_server_release(server);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(done, 1);
    CHECK_STR(resolve("one.test", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 2);
}

TEST_IO(resolve_cancelled_by_all_still_fills_the_cache)
{
    static const struct dns_rule rules[] = {
        {.name = "one.test", .answer = "10.0.0.1 2001:db8::1", .delay_ms = 30}};
    struct dns_server *server = START(rules);
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(5 * MS));
    CHECK_STR(resolve("one.test", AF_UNSPEC), "ECANCELED");
    whorl_scope_leave(&scope, 0);
    CHECK_OK(whorl_sleep(300 * MS));
    CHECK_STR(resolve("one.test", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 2); /* it was not asked again */
}

static int leave_a_query_behind(void *arg)
{
    struct whorl_scope scope;

    configure(arg, "");
    whorl_scope_enter(&scope, whorl_after(10 * MS));
    CHECK_STR(resolve("one.test", AF_UNSPEC), "ECANCELED");
    whorl_scope_leave(&scope, 0);
    return 7;
}

TEST(run_ends_at_once_with_a_query_in_flight)
{
    static const struct dns_rule rules[] = {{.name = "one.test", .truncate = true, .times = 1},
                                            {.name = "one.test", .drop = true}};
    struct dns_server *server = dns_server_start(rules, 2);
    int fds = test_open_fds();

    int64_t started_ns = whorl_now();
    CHECK_EQ(whorl_io_run(leave_a_query_behind, (void *)dns_server_address(server)), 7);
    CHECK(whorl_now() - started_ns < 5 * WHORL_SECOND);
    for (int tries = 0; test_open_fds() > fds && tries < 1000; tries++)
        usleep(1000); /* the server closes its side some time later */
    CHECK_EQ(test_open_fds(), fds);
}

TEST_IO(resolve_keeps_no_socket_once_all_is_answered)
{
    static const struct dns_rule rules[] = {
        {.name = "udp.test", .answer = "10.0.0.1 2001:db8::1"},
        {.name = "tcp.test", .answer = "10.0.0.1 2001:db8::1", .truncate = true},
        {.name = "dead.test", .drop = true},
    };
    START_IMPATIENT(rules);
    int fds = test_open_fds();

    CHECK_STR(resolve("udp.test", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
    CHECK_STR(resolve("tcp.test", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
    CHECK_STR(resolve("dead.test", AF_UNSPEC), "WHORL_EDNS_TIMEOUT");
    CHECK_OK(whorl_sleep(5 * MS));
    CHECK(test_open_fds() <= fds + 1); /* the server may not have closed its side */
}

TEST_IO(resolve_of_a_thousand_names_at_once_loses_none)
{
    static const struct dns_rule rules[] = {{.answer = "10.0.0.1 2001:db8::1"}};
    struct dns_server *server = START(rules);
    WHORL_AUTO(group) group = {0};
    static char names[1000][16];
    int done = 0;

    for (int i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof names[i], "n%d.test", i);
        CHECK_OK(whorl_spawn_copy(&group, ask, &(struct asker){names[i], &done}));
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(done, 1000);
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 2000); /* no question was sent again */
}

TEST_IO(resolve_of_many_truncated_names_at_once_loses_none)
{
    static const struct dns_rule rules[] = {{.answer = "10.0.0.1 2001:db8::1", .truncate = true}};
    struct dns_server *server = START(rules);
    WHORL_AUTO(group) group = {0};
    static char names[30][16];
    int done = 0;

    for (int i = 0; i < 30; i++) {
        snprintf(names[i], sizeof names[i], "n%d.test", i);
        CHECK_OK(whorl_spawn_copy(&group, ask, &(struct asker){names[i], &done}));
    }
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(done, 30);
    CHECK_EQ(dns_server_count_tcp(server), 60);
}

TEST_IO(resolve_takes_names_from_the_hosts_file_without_asking)
{
    static const struct dns_rule rules[] = {{.answer = "10.9.9.9 ::9"}};
    struct dns_server *server = dns_server_start(rules, 1);

    configure(dns_server_address(server), "10.0.0.1 both one.test # two.test\n"
                                          "2001:db8::1 both\n10.9.0.1 localhost\n");
    CHECK_STR(resolve("Both", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
    CHECK_STR(resolve("one.test", AF_UNSPEC), "10.0.0.1:80");
    CHECK_STR(resolve("one.test.", AF_INET6), "WHORL_EDNS_NODATA");
    CHECK_STR(resolve("localhost", AF_INET), "127.0.0.1:80");
    CHECK_EQ(dns_server_count(server, NULL, DNS_ANY), 0);
    CHECK_STR(resolve("two.test", AF_INET), "10.9.9.9:80");
    CHECK_OK(whorl_sleep(1010 * MS));
    write_file(hosts_path, "10.0.0.2 two.test");
    CHECK_STR(resolve("two.test", AF_INET), "10.0.0.2:80");
}

TEST_IO(configure_refuses_servers_that_do_not_parse)
{
    static const char *const bad[] = {"",
                                      ",",
                                      "1.2.3.4,",
                                      "1.2.3.4:",
                                      "name",
                                      "1.2.3.4:0",
                                      "1.2.3.4:65536",
                                      "[::1",
                                      "[::1]53",
                                      "[1.2.3.4]:x",
                                      "1.2.3.4:5x",
                                      "1.2.3.4 ",
                                      "1.2.3.4:000053",
                                      "[::1]:",
                                      "1.2.3.4,,::1"};
    static const char *const good[] = {"1.2.3.4", "1.2.3.4:53", "::1", "[::1]", "[::1]:53,1.2.3.4"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (whorl_dns_configure(&(struct whorl_dns_options){.servers = bad[i]}) != -EINVAL)
            test_fail(__FILE__, __LINE__, "\"%s\" was accepted", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (whorl_dns_configure(&(struct whorl_dns_options){.servers = good[i]}) != 0)
            test_fail(__FILE__, __LINE__, "\"%s\" was not accepted", good[i]);
    CHECK_ERR(whorl_dns_configure(&(struct whorl_dns_options){.timeout_ns = -1}), -EINVAL);
    CHECK_ERR(whorl_dns_configure(&(struct whorl_dns_options){.tries = -1}), -EINVAL);
}

TEST_IO(configure_after_a_lookup_is_too_late)
{
    configure("127.0.0.1:1", "10.0.0.1 one.test\n");
    CHECK_STR(resolve("192.0.2.1", AF_INET), "192.0.2.1:80");
    CHECK_OK(whorl_dns_configure(&(struct whorl_dns_options){.hosts_file = hosts_path}));
    CHECK_STR(resolve("one.test", AF_INET), "10.0.0.1:80");
    CHECK_ERR(whorl_dns_configure(&(struct whorl_dns_options){0}), -EBUSY);
}

/* Makes the run use a resolv.conf of the test; `server` listens on 127.0.0.1. */
static const char *use_resolv_conf(struct dns_server *server, const char *text)
{
    static char path[300];
    const char *address = dns_server_address(server);

    configure(NULL, "");
    snprintf(path, sizeof path, "%s/resolv.conf", test_tmpdir());
    write_file(path, text);
    CHECK_OK(dns_set_resolv_conf(path, (uint16_t)atoi(strchr(address, ':') + 1)));
    return path;
}

TEST_IO(resolv_conf_gives_servers_and_search_list)
{
    static const struct dns_rule rules[] = {{.name = "one.corp.test", .answer = "10.0.0.1"},
                                            {.name = "two", .answer = "10.0.0.2"},
                                            {.name = "bad.corp.test", .rcode = DNS_SERVFAIL}};
    struct dns_server *server = dns_server_start(rules, 3);

    use_resolv_conf(server, "search corp.test\nnameserver 127.0.0.1\n");
    CHECK_STR(resolve("one", AF_INET), "10.0.0.1:80");
    CHECK_STR(resolve("two", AF_INET), "10.0.0.2:80");
    CHECK_STR(resolve("one.", AF_INET), "WHORL_EDNS_NOTFOUND");
    CHECK_STR(resolve("bad", AF_INET), "WHORL_EDNS_SERVFAIL");
}

TEST_IO(resolv_conf_is_read_again_when_it_changes)
{
    static const struct dns_rule rules[] = {{.name = "one.test", .answer = "10.0.0.1"}};
    struct dns_server *server = dns_server_start(rules, 1);
    const char *path = use_resolv_conf(server, "nameserver 127.0.0.99\n"); /* no server there */

    CHECK_STR(resolve("one.test", AF_INET), "WHORL_EDNS_UNREACHABLE");
    write_file(path, "nameserver 127.0.0.1\n");
    CHECK_OK(whorl_sleep(1010 * MS));
    CHECK_STR(resolve("one.test", AF_INET), "10.0.0.1:80");
}

TEST_IO(resolv_conf_changed_lets_queries_in_flight_come_to_their_end)
{
    static const struct dns_rule rules[] = {
        {.name = "slow.test", .answer = "10.0.0.1 2001:db8::1", .times = 2, .hold = true},
        {.answer = "10.0.0.1 2001:db8::1", .ttl_s = 60},
    };
    struct dns_server *server = dns_server_start(rules, 2);
    WHORL_AUTO(group) group = {0};
    int done = 0;

    const char *path = use_resolv_conf(server, "nameserver 127.0.0.1\n");
    CHECK_STR(resolve("old.test", AF_INET), "10.0.0.1:80");
    CHECK_OK(whorl_spawn_copy(&group, ask, &(struct asker){"slow.test", &done}));
    CHECK_OK(whorl_sleep(1010 * MS));
    write_file(path, "nameserver 127.0.0.1\noptions rotate\n");
    CHECK_STR(resolve("old.test", AF_INET), "10.0.0.1:80"); /* the cache was emptied */
    CHECK_EQ(dns_server_count(server, "old.test", DNS_A), 2);
    CHECK_STR(resolve("slow.test", AF_INET), "10.0.0.1:80"); /* does not join the old query */
    CHECK_EQ(done, 0);
    dns_server_release(server);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(done, 1);
}

TEST_IO(resolve_without_descriptors_left_says_so)
{
    static const struct dns_rule rules[] = {{.answer = "10.0.0.1 2001:db8::1"}};
    START(rules);
    struct rlimit limit, none;

    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
    int err = whorl_resolve("one.test", 80, AF_UNSPEC, &(struct whorl_addr){0}, 1);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_ERR(err, -EMFILE);
    CHECK_STR(resolve("one.test", AF_UNSPEC), "[2001:db8::1]:80 10.0.0.1:80");
}

static int sweep_root(void *arg)
{
    struct whorl_dns_options options = {.servers = arg, .hosts_file = hosts_path};
    struct whorl_addr addrs[2];
    int err = whorl_dns_configure(&options);

    if (err)
        return err;
    int n = whorl_resolve("one.test", 80, AF_UNSPEC, addrs, 2);
    if (n == 0)
        return -EINVAL;
    return n < 0 ? n : 0;
}

static int sweep_run(void *arg)
{
    return whorl_io_run(sweep_root, arg);
}

TEST(resolve_survives_every_failed_allocation)
{
    static const struct dns_rule rules[] = {{.answer = "10.0.0.1 2001:db8::1", .delay_ms = 1}};
    struct dns_server *server = dns_server_start(rules, 1);

    snprintf(hosts_path, sizeof hosts_path, "%s/hosts", test_tmpdir());
    write_file(hosts_path, "10.0.0.1 other.test\n");
    CHECK(faults_sweep(sweep_run, (void *)dns_server_address(server)) >= 15);
}

TEST(resolve_survives_every_failed_request)
{
    static const struct dns_rule rules[] = {{.answer = "10.0.0.1 2001:db8::1", .delay_ms = 1}};
    struct dns_server *server = dns_server_start(rules, 1);

    snprintf(hosts_path, sizeof hosts_path, "%s/hosts", test_tmpdir());
    write_file(hosts_path, "");
    CHECK(io_faults_sweep(sweep_run, (void *)dns_server_address(server), -EIO) >= 2);
}

TEST_MAIN()
