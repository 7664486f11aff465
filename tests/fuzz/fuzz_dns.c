/* SPDX-License-Identifier: MIT */
/* What the resolver parses itself. The input is a name, a NUL, then the text of a hosts file or a
 * DNS message. An accepted name is canonical. The addresses from a hosts file are limited in number
 * and without duplicates.
 */
#include <errno.h>
#include <string.h>

#include <whorl/error.h>

#include "fuzz.h"
#include "io/dns/hosts.h"
#include "io/dns/message.h"
#include "io/dns/name.h"

/* Returns whether `text` is a name. Stores its canonical form in `ret`. */
static bool check_name(const char *text, char ret[static DNS_NAME_SIZE])
{
    char again[DNS_NAME_SIZE];
    int kind = dns_name_prepare(text, ret);

    if (kind < 0) {
        FUZZ_CHECK(kind == WHORL_EDNS_BADNAME);
        return false;
    }
    FUZZ_CHECK(strlen(ret) == strlen(text) && strlen(ret) < DNS_NAME_SIZE);
    for (const char *c = ret; *c; c++)
        FUZZ_CHECK((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || strchr("-_.", *c));
    FUZZ_CHECK(ret[0] != '.' && !strstr(ret, ".."));
    FUZZ_CHECK(dns_name_prepare(ret, again) == kind && strcmp(ret, again) == 0);
    return true;
}

static void check_hosts(const char *text, size_t len, const char *name)
{
    struct dns_hosts_table *table;
    struct dns_ip ips[DNS_IPS_MAX];
    const int families[] = {AF_INET, AF_INET6};
    int found[2];

    FUZZ_CHECK(dns_hosts_parse(text, len, &table) == 0);
    for (int f = 0; f < 2; f++) {
        int n = found[f] = dns_hosts_find(table, name, families[f], ips);
        FUZZ_CHECK(n == -ENOENT || (n >= 0 && n <= DNS_IPS_MAX));
        for (int i = 0; i < n; i++) {
            FUZZ_CHECK(ips[i].family == families[f]);
            for (int j = 0; j < i; j++)
                FUZZ_CHECK(!dns_ip_equal(&ips[i], &ips[j]));
        }
    }
    FUZZ_CHECK((found[0] == -ENOENT) == (found[1] == -ENOENT));
    /* The name is known, so it has an address in at least one family. */
    FUZZ_CHECK(found[0] != 0 || found[1] != 0);
    dns_hosts_table_destroy(table);
}

static void check_message(const char *text, size_t len, const char *name)
{
    int v4 = dns_message_rcode((const uint8_t *)text, len, name, AF_INET);
    int v6 = dns_message_rcode((const uint8_t *)text, len, name, AF_INET6);

    FUZZ_CHECK(v4 == -EINVAL || (v4 >= 0 && v4 <= 15));
    FUZZ_CHECK(v6 == -EINVAL || (v6 >= 0 && v6 <= 15));
    FUZZ_CHECK(v4 == -EINVAL || v6 == -EINVAL); /* a question has one type */
    FUZZ_CHECK((v4 < 0 && v6 < 0) || len >= 12 + strlen(name) + 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *nul = len > 0 ? memchr(data, '\0', len) : NULL;
    char name[DNS_NAME_SIZE];

    if (!nul || !check_name((const char *)data, name))
        return 0;
    size_t rest_len = len - (size_t)(nul + 1 - data);
    /* Exact size, so that a sanitizer detects a read past the end. */
    char *rest = malloc(rest_len + !rest_len);
    memcpy(rest, nul + 1, rest_len);
    check_hosts(rest, rest_len, name);
    check_message(rest, rest_len, name);
    free(rest);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("one.test\0"
         "127.0.0.1 localhost\n10.0.0.1\tOne.Test two # three\n::1 one.test\n");
    SEED("a\0"
         "1.2.3.4 a a A a.\r\n1.2.3.4 a\n1.2.3.5 b a\n\n  fe80::1  a");
    SEED("a-b.c_d.\0#x\n300.1.1.1 a-b.c_d\n2001:db8::1 A-B.C_D.");
    SEED("one.test.\0\x12\x34\x81\x82\0\1\0\0\0\0\0\0\3oNe\4test\0\0\1\0\1");
    SEED("host\0\x12\x34\x81\x85\0\1\0\0\0\0\0\0\4host\4corp\7example\0\0\x1c\0\1");
    SEED("x.localhost\0");
    SEED("127.1\0");
#undef SEED
}
