/* SPDX-License-Identifier: MIT */
/* The parts of the resolver that do no I/O: names, the text of the hosts file, the cache, the order
 * of tries. */
#include <stdlib.h>

#include <whorl/error.h>

#include "io/dns/cache.h"
#include "io/dns/hosts.h"
#include "io/dns/message.h"
#include "io/dns/name.h"
#include "test.h"

/* --- names --- */

static int prepare(const char *host, const char *expected)
{
    char name[DNS_NAME_SIZE] = "untouched";
    int kind = dns_name_prepare(host, name);
    CHECK_STR(name, kind < 0 ? "untouched" : expected);
    return kind;
}

TEST(name_is_lowered_and_keeps_its_trailing_dot)
{
    CHECK_EQ(prepare("Www.Example.COM", "www.example.com"), DNS_NAME_ORDINARY);
    CHECK_EQ(prepare("Example.com.", "example.com."), DNS_NAME_ORDINARY);
    CHECK_EQ(prepare("_sip._tcp.x-1", "_sip._tcp.x-1"), DNS_NAME_ORDINARY);
    CHECK_EQ(prepare("a", "a"), DNS_NAME_ORDINARY);
}

TEST(name_with_foreign_bytes_or_empty_labels_is_refused)
{
    static const char *const bad[] = {"",     ".",    "..",      "a..b",    ".a",          "a..",
                                      "a b",  "a\nb", "a\x7f.b", "a/b",     "a:b",         "a%b",
                                      "a\\b", "a@b",  "[::1]",   "fe80::1", "\xc3\xa4.de", "*.com",
                                      "a\tb", "a,b",  "a?b",     "\x01"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int kind = prepare(bad[i], "");
        if (kind != WHORL_EDNS_BADNAME)
            test_fail(__FILE__, __LINE__, "\"%s\" gave %d", bad[i], kind);
    }
}

TEST(name_that_inet_aton_would_read_as_an_address_is_refused)
{
    static const char *const bad[] = {"127.1",     "0x7f.0.0.1", "1.2.3.4",   "2130706433",
                                      "1.2.3.4.",  "a.1",        "256.1.1.1", "0x7F000001",
                                      "1.2.3.0x4", "0x",         "1.2.3.4.5", "017700000001"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int kind = prepare(bad[i], "");
        if (kind != WHORL_EDNS_BADNAME)
            test_fail(__FILE__, __LINE__, "\"%s\" gave %d", bad[i], kind);
    }
    CHECK_EQ(prepare("1.2.3.4a", "1.2.3.4a"), DNS_NAME_ORDINARY);
    CHECK_EQ(prepare("3com", "3com"), DNS_NAME_ORDINARY);
    CHECK_EQ(prepare("0xyz", "0xyz"), DNS_NAME_ORDINARY);
}

TEST(name_lengths_are_held_to_63_and_253)
{
    char label[66], name[300];

    memset(label, 'a', sizeof label);
    label[63] = '\0';
    CHECK_EQ(prepare(label, label), DNS_NAME_ORDINARY);
    label[63] = 'a';
    label[64] = '\0';
    CHECK_EQ(prepare(label, ""), WHORL_EDNS_BADNAME);
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 50 == 49 ? '.' : 'b';
    name[253] = '\0';
    CHECK_EQ(prepare(name, name), DNS_NAME_ORDINARY);
    name[253] = '.';
    name[254] = '\0';
    CHECK_EQ(prepare(name, name), DNS_NAME_ORDINARY);
    name[253] = 'b';
    CHECK_EQ(prepare(name, ""), WHORL_EDNS_BADNAME);
    memset(name, 'b', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK_EQ(prepare(name, ""), WHORL_EDNS_BADNAME);
}

TEST(name_of_a_special_zone_is_recognised_at_label_borders_only)
{
    CHECK_EQ(prepare("localhost", "localhost"), DNS_NAME_LOCALHOST);
    CHECK_EQ(prepare("LOCALHOST.", "localhost."), DNS_NAME_LOCALHOST);
    CHECK_EQ(prepare("a.b.localhost", "a.b.localhost"), DNS_NAME_LOCALHOST);
    CHECK_EQ(prepare("notlocalhost", "notlocalhost"), DNS_NAME_ORDINARY);
    CHECK_EQ(prepare("localhost.com", "localhost.com"), DNS_NAME_ORDINARY);
    CHECK_EQ(prepare("x.onion", "x.onion"), DNS_NAME_NONEXISTENT);
    CHECK_EQ(prepare("x.Invalid.", "x.invalid."), DNS_NAME_NONEXISTENT);
    CHECK_EQ(prepare("union", "union"), DNS_NAME_ORDINARY);
}

/* --- messages --- */

/* An answer with rcode 5 to a question for one.test, A. */
static const char refusal[] = "\x12\x34\x81\x85\0\1\0\0\0\0\0\0\3oNe\4test\0\0\1\0\1";

static int rcode_of(const char *bytes, size_t len, const char *name, int family)
{
    uint8_t *exact = malloc(len); /* so that the sanitizer detects a read of one byte too many */
    memcpy(exact, bytes, len);
    int rcode = dns_message_rcode(exact, len, name, family);
    free(exact);
    return rcode;
}

TEST(message_is_matched_by_name_type_and_search_domain)
{
    size_t len = sizeof refusal - 1;

    CHECK_EQ(rcode_of(refusal, len, "one.test", AF_INET), 5);
    CHECK_EQ(rcode_of(refusal, len, "one.test.", AF_INET), 5);
    CHECK_EQ(rcode_of(refusal, len, "one", AF_INET), 5); /* with "test" from the search list */
    CHECK_EQ(rcode_of(refusal, len, "one.test", AF_INET6), -EINVAL);
    CHECK_EQ(rcode_of(refusal, len, "one.tes", AF_INET), -EINVAL);
    CHECK_EQ(rcode_of(refusal, len, "on", AF_INET), -EINVAL);
    CHECK_EQ(rcode_of(refusal, len, "one.test.org", AF_INET), -EINVAL);
    CHECK_EQ(rcode_of(refusal, len, "two.test", AF_INET), -EINVAL);
}

TEST(message_cut_short_or_malformed_is_no_answer)
{
    char bytes[sizeof refusal];

    for (size_t len = 0; len < sizeof refusal - 1; len++)
        CHECK_EQ(rcode_of(refusal, len, "one.test", AF_INET), -EINVAL);
    for (size_t i = 12; i < sizeof refusal - 1; i++) {
        for (int value = 0; value < 256; value++) {
            memcpy(bytes, refusal, sizeof bytes);
            bytes[i] = (char)value;
            int rcode = rcode_of(bytes, sizeof bytes - 1, "one.test", AF_INET);
            bool same_letter = (i == 13 || i == 14 || i == 15 || (i >= 17 && i <= 20)) &&
                               (value | 0x20) == (refusal[i] | 0x20);
            CHECK_EQ(rcode, value == refusal[i] || same_letter ? 5 : -EINVAL);
        }
    }
    memcpy(bytes, refusal, sizeof bytes);
    bytes[2] = 1; /* a question */
    CHECK_EQ(rcode_of(bytes, sizeof bytes - 1, "one.test", AF_INET), -EINVAL);
}

/* --- the hosts file --- */

static struct dns_hosts_table *parse_hosts(const char *text)
{
    struct dns_hosts_table *table = NULL;
    CHECK_OK(dns_hosts_parse(text, strlen(text), &table));
    return table;
}

static const char *ips_text(const struct dns_ip *ips, int n)
{
    static char text[1024];
    size_t len = 0;

    text[0] = '\0';
    for (int i = 0; i < n; i++) {
        struct whorl_addr addr;
        char one[INET6_ADDRSTRLEN];
        dns_ip_to_addr(&ips[i], 0, &addr);
        if (ips[i].family == AF_INET6)
            snprintf(one, sizeof one, "v6..%02x", ips[i].v6.s6_addr[15]);
        else
            snprintf(one, sizeof one, "v4..%d", ((const uint8_t *)&ips[i].v4)[3]);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "", one);
    }
    return text;
}

static const char *find_hosts(const struct dns_hosts_table *table, const char *name, int family)
{
    struct dns_ip ips[DNS_IPS_MAX];
    int n = dns_hosts_find(table, name, family, ips);
    return n == -ENOENT ? "unknown" : ips_text(ips, n);
}

TEST(hosts_lines_are_read_with_blanks_comments_and_aliases)
{
    struct dns_hosts_table *table = parse_hosts("# 1.1.1.1 comment\n"
                                                "10.0.0.1\tAlpha  beta.example # gamma\r\n"
                                                "\n   \n"
                                                "  10.0.0.2 alpha delta.#x\n"
                                                "::5 alpha\n"
                                                "10.0.0.7\n"
                                                "10.0.0.9 last");
    CHECK_STR(find_hosts(table, "alpha", AF_INET), "v4..1 v4..2");
    CHECK_STR(find_hosts(table, "alpha", AF_INET6), "v6..05");
    CHECK_STR(find_hosts(table, "alpha.", AF_INET), "v4..1 v4..2");
    CHECK_STR(find_hosts(table, "beta.example", AF_INET), "v4..1");
    CHECK_STR(find_hosts(table, "beta.example", AF_INET6), "");
    CHECK_STR(find_hosts(table, "delta", AF_INET), "v4..2");
    CHECK_STR(find_hosts(table, "gamma", AF_INET), "unknown");
    CHECK_STR(find_hosts(table, "x", AF_INET), "unknown");
    CHECK_STR(find_hosts(table, "comment", AF_INET), "unknown");
    CHECK_STR(find_hosts(table, "last", AF_INET), "v4..9");
    CHECK_STR(find_hosts(table, "alph", AF_INET), "unknown");
    CHECK_STR(find_hosts(table, "alphaa", AF_INET), "unknown");
    dns_hosts_table_destroy(table);
}

TEST(hosts_nonsense_is_passed_over)
{
    struct dns_hosts_table *table = parse_hosts("300.0.0.1 a\nname 10.0.0.1\n10.0.0.2 a/b b\n"
                                                "fe80::1%lo c\n10.0.0.3 .. - d\n\t\n10.0.0.4");
    CHECK_STR(find_hosts(table, "a", AF_INET), "unknown");
    CHECK_STR(find_hosts(table, "name", AF_INET), "unknown");
    CHECK_STR(find_hosts(table, "b", AF_INET), "v4..2");
    CHECK_STR(find_hosts(table, "c", AF_INET6), "unknown");
    CHECK_STR(find_hosts(table, "d", AF_INET), "v4..3");
    dns_hosts_table_destroy(table);
    table = parse_hosts("");
    CHECK_STR(find_hosts(table, "a", AF_INET), "unknown");
    dns_hosts_table_destroy(table);
    CHECK_STR(find_hosts(NULL, "a", AF_INET), "unknown");
}

TEST(hosts_addresses_come_once_and_are_capped)
{
    char text[2048] = "10.0.0.1 x\n10.0.0.1 x x\n";
    struct dns_hosts_table *table;

    table = parse_hosts(text);
    CHECK_STR(find_hosts(table, "x", AF_INET), "v4..1");
    dns_hosts_table_destroy(table);
    for (int i = 2; i < 40; i++)
        sprintf(text + strlen(text), "10.0.0.%d x\n", i);
    table = parse_hosts(text);
    struct dns_ip ips[DNS_IPS_MAX];
    CHECK_EQ(dns_hosts_find(table, "x", AF_INET, ips), DNS_IPS_MAX);
    dns_hosts_table_destroy(table);
}

TEST(hosts_of_ten_thousand_lines_are_all_found)
{
    size_t size = 10000 * 40, len = 0;
    char *text = malloc(size), name[32];

    for (int i = 0; i < 10000; i++)
        len += (size_t)snprintf(text + len, size - len, "10.0.%d.%d host%d\n", i / 250, i % 250, i);
    struct dns_hosts_table *table;
    CHECK_OK(dns_hosts_parse(text, len, &table));
    for (int i = 0; i < 10000; i++) {
        struct dns_ip ips[DNS_IPS_MAX];
        snprintf(name, sizeof name, "host%d", i);
        CHECK_EQ(dns_hosts_find(table, name, AF_INET, ips), 1);
        CHECK_EQ(((uint8_t *)&ips[0].v4)[3], i % 250);
    }
    dns_hosts_table_destroy(table);
    free(text);
}

static void write_hosts(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

TEST(hosts_file_is_looked_at_once_a_second_and_read_when_changed)
{
    char path[300];
    snprintf(path, sizeof path, "%s/hosts", test_tmpdir());
    struct dns_hosts hosts = {.path = path};

    CHECK_OK(dns_hosts_refresh(&hosts, 0)); /* no such file */
    CHECK_STR(find_hosts(hosts.table, "a", AF_INET), "unknown");
    write_hosts(path, "10.0.0.1 a\n");
    CHECK_OK(dns_hosts_refresh(&hosts, WHORL_SECOND - 1));
    CHECK_STR(find_hosts(hosts.table, "a", AF_INET), "unknown");
    CHECK_OK(dns_hosts_refresh(&hosts, WHORL_SECOND));
    CHECK_STR(find_hosts(hosts.table, "a", AF_INET), "v4..1");
    struct dns_hosts_table *kept = hosts.table;
    CHECK_OK(dns_hosts_refresh(&hosts, 3 * WHORL_SECOND));
    CHECK(hosts.table == kept);
    write_hosts(path, "10.0.0.22 a\n");
    CHECK_OK(dns_hosts_refresh(&hosts, 5 * WHORL_SECOND));
    CHECK_STR(find_hosts(hosts.table, "a", AF_INET), "v4..22");
    remove(path);
    CHECK_OK(dns_hosts_refresh(&hosts, 7 * WHORL_SECOND));
    CHECK_STR(find_hosts(hosts.table, "a", AF_INET), "unknown");
    dns_hosts_finish(&hosts);
}

TEST(hosts_path_that_is_no_file_counts_as_empty)
{
    struct dns_hosts hosts = {.path = test_tmpdir()};
    CHECK_OK(dns_hosts_refresh(&hosts, 0));
    CHECK(hosts.table == NULL);
    dns_hosts_finish(&hosts);
}

/* --- the cache --- */

static struct dns_answer answer_of(uint32_t ttl_s, int last_byte)
{
    struct dns_answer answer = {.ttl_s = ttl_s, .ip_count = 1};
    answer.ips[0].family = AF_INET;
    ((uint8_t *)&answer.ips[0].v4)[3] = (uint8_t)last_byte;
    return answer;
}

static struct dns_cache cache;

static bool is_cached(const char *name, int64_t now_ns)
{
    struct dns_entry *entry = dns_cache_find(&cache, name, AF_INET, now_ns);
    return entry && !entry->pending;
}

static void put(const char *name, const struct dns_answer *answer, int64_t now_ns)
{
    dns_cache_answer(&cache, dns_cache_add(&cache, name, AF_INET), answer, now_ns);
}

TEST(cache_keeps_an_answer_for_its_ttl)
{
    struct dns_answer answer = answer_of(10, 7);

    CHECK(dns_cache_find(&cache, "a", AF_INET, 0) == NULL);
    struct dns_entry *entry = dns_cache_add(&cache, "a", AF_INET);
    CHECK(dns_cache_find(&cache, "a", AF_INET, 0) == entry);
    CHECK(dns_cache_find(&cache, "a", AF_INET6, 0) == NULL);
    CHECK(dns_cache_find(&cache, "aa", AF_INET, 0) == NULL);
    dns_cache_answer(&cache, entry, &answer, 5 * WHORL_SECOND);
    CHECK(dns_cache_find(&cache, "a", AF_INET, 15 * WHORL_SECOND - 1) == entry);
    CHECK_EQ(entry->ip_count, 1);
    CHECK_STR(ips_text(entry->ips, 1), "v4..7");
    CHECK(dns_cache_find(&cache, "a", AF_INET, 15 * WHORL_SECOND) == NULL);
    CHECK_EQ(cache.answered, 0);
    dns_cache_finish(&cache);
}

TEST(cache_clamps_ttls_to_1_and_60_seconds)
{
    struct dns_answer none = answer_of(0, 1), huge = answer_of(UINT32_MAX, 1);

    put("none", &none, 0);
    put("huge", &huge, 0);
    CHECK(is_cached("none", WHORL_SECOND - 1));
    CHECK(!is_cached("none", WHORL_SECOND));
    CHECK(is_cached("huge", 60 * WHORL_SECOND - 1));
    CHECK(!is_cached("huge", 60 * WHORL_SECOND));
    dns_cache_finish(&cache);
}

TEST(cache_keeps_absence_for_2_seconds_and_other_failures_not_at_all)
{
    static const int kept[] = {WHORL_EDNS_NOTFOUND, WHORL_EDNS_NODATA};
    static const int dropped[] = {
        WHORL_EDNS_TIMEOUT, WHORL_EDNS_SERVFAIL,    WHORL_EDNS_UNREACHABLE,
        WHORL_EDNS_REFUSED, WHORL_EDNS_BADRESPONSE, -ENOMEM,
        -ECANCELED};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        put("k", &(struct dns_answer){.err = kept[i]}, 0);
        CHECK(is_cached("k", 2 * WHORL_SECOND - 1));
        CHECK_ERR(dns_cache_find(&cache, "k", AF_INET, 0)->err, kept[i]);
        CHECK(!is_cached("k", 2 * WHORL_SECOND));
    }
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++) {
        put("d", &(struct dns_answer){.err = dropped[i]}, 0);
        CHECK(dns_cache_find(&cache, "d", AF_INET, 0) == NULL);
    }
    CHECK_EQ(cache.pending, 0);
    dns_cache_finish(&cache);
}

TEST(cache_drops_the_oldest_answer_when_full)
{
    struct dns_answer answer = answer_of(60, 1);
    char name[32];

    dns_cache_add(&cache, "pending", AF_INET);
    for (int i = 0; i < DNS_CACHE_ANSWERS_MAX + 3; i++) {
        snprintf(name, sizeof name, "n%d", i);
        put(name, &answer, i);
    }
    CHECK_EQ(cache.answered, DNS_CACHE_ANSWERS_MAX);
    CHECK(!is_cached("n2", 2000));
    CHECK(is_cached("n3", 2000));
    CHECK(is_cached(name, 2000));
    CHECK(dns_cache_find(&cache, "pending", AF_INET, 2000) != NULL);
    dns_cache_finish(&cache);
}

TEST(cache_cleared_while_pending_forgets_that_answer_too)
{
    struct dns_answer answer = answer_of(60, 1);

    put("old", &answer, 0);
    struct dns_entry *entry = dns_cache_add(&cache, "a", AF_INET);
    dns_cache_clear(&cache);
    CHECK(!is_cached("old", 0));
    CHECK(dns_cache_find(&cache, "a", AF_INET, 0) == NULL);
    struct dns_entry *again = dns_cache_add(&cache, "a", AF_INET);
    dns_cache_answer(&cache, entry, &answer, 0);
    CHECK(dns_cache_find(&cache, "a", AF_INET, 0) == again);
    CHECK(again->pending);
    CHECK_EQ(cache.answered, 0);
    dns_cache_finish(&cache);
}

TEST_MAIN()
