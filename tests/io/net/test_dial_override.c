/* SPDX-License-Identifier: MIT */
/* Overrides of dialling: which texts are valid, and which override applies to a host. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/net/dial_override.h"
#include "test.h"

/* The addresses of an override, each followed by a space; or what is wrong with it. */
static const char *parse(const char *text)
{
    static char list[256];
    struct whorl_addr addrs[4];
    char one[WHORL_ADDR_TEXT_MAX];
    const char *why = NULL;

    int n = dial_override_parse(text, &why, addrs, 4);
    if (n < 0) {
        CHECK_ERR(n, -EINVAL);
        CHECK(why);
        CHECK_ERR(dial_override_parse(text, &why, NULL, 0), -EINVAL);
        return why;
    }
    CHECK(!why);
    list[0] = '\0';
    for (int i = 0; i < n; i++)
        sprintf(list + strlen(list), "%s ", whorl_addr_text(&addrs[i], one, sizeof one));
    return list;
}

TEST(an_override_has_addresses_with_its_port)
{
    CHECK_STR(parse("example.org:80:127.0.0.1"), "127.0.0.1:80 ");
    CHECK_STR(parse("Example.ORG.:65535:127.0.0.1"), "127.0.0.1:65535 ");
    CHECK_STR(parse("*:1:127.0.0.1,::1,[::2]"), "127.0.0.1:1 [::1]:1 [::2]:1 ");
    CHECK_STR(parse("127.0.0.1:8080:127.0.0.2"), "127.0.0.2:8080 ");
    CHECK_STR(parse("[2001:db8::1]:80:[::1]"), "[::1]:80 ");
    CHECK_STR(parse("a:080:fe80::1%1"), "[fe80::1%lo]:80 ");
    CHECK_STR(parse("a:80:127.0.0.1,127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5"),
              "127.0.0.1:80 127.0.0.2:80 127.0.0.3:80 127.0.0.4:80 ");
}

TEST(a_wrong_override_is_refused_with_the_reason)
{
    static const char *const shapes[] = {"", "a", "[::1]", "[::1]80:127.0.0.1", "[::1"};
    static const char *const hosts[] = {
        ":80:127.0.0.1",    "[]:80:127.0.0.1",    "[a]:80:127.0.0.1", "[127.0.0.1]:80:127.0.0.1",
        "a b:80:127.0.0.1", "127.1:80:127.0.0.1", "+a:80:127.0.0.1",  "*.a:80:127.0.0.1",
        "a..b:80:127.0.0.1"};
    static const char *const ports[] = {"a:",
                                        "a::127.0.0.1",
                                        "a:80",
                                        "a:0:127.0.0.1",
                                        "a:65536:127.0.0.1",
                                        "a:-1:127.0.0.1",
                                        "a:+1:127.0.0.1",
                                        "a:99999999999999999999:127.0.0.1",
                                        "a:*:127.0.0.1",
                                        "::1:80:127.0.0.1"};
    static const char *const addrs[] = {"a:80:",
                                        "a:80:b",
                                        "a:80:127.0.0.1,",
                                        "a:80:,127.0.0.1",
                                        "a:80:127.0.0.1, ::1",
                                        "a:80:[127.0.0.1]",
                                        "a:80:[::1",
                                        "a:80:::1]",
                                        "a:80:127.0.0.1:80",
                                        "a:80:127.1",
                                        "a:80:fe80::1%no-such"};
    char host[400], addr[200];

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        CHECK_STR(parse(shapes[i]), i < 4 ? "it is not HOST:PORT:ADDRESS"
                                          : "its host is not a valid name or address");
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        CHECK_STR(parse(hosts[i]), "its host is not a valid name or address");
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        CHECK_STR(parse(ports[i]), i == 9 ? "its host is not a valid name or address"
                                          : "its port is not a number from 1 to 65535, followed by "
                                            "a colon");
    for (size_t i = 0; i < sizeof addrs / sizeof *addrs; i++)
        CHECK_STR(parse(addrs[i]),
                  "its addresses are not IPv4 or IPv6 addresses, separated by commas");
    snprintf(host, sizeof host, "%0300d:80:127.0.0.1", 1);
    CHECK_STR(parse(host), "its host is not a valid name or address");
    snprintf(addr, sizeof addr, "a:80:fe80::1%%%0100d", 1);
    CHECK_STR(parse(addr), "its addresses are not IPv4 or IPv6 addresses, separated by commas");
}

static const char *const overrides[] = {"*:80:127.0.0.9",       "wrong",
                                        "a.test:80:127.0.0.1",  "A.test.:81:127.0.0.2",
                                        "a.test:80:127.0.0.3",  "[2001:DB8:0::1]:80:127.0.0.4",
                                        "10.0.0.1:81:127.0.0.5"};

static const char *find(const char *host, uint16_t port)
{
    return dial_override_find(overrides, sizeof overrides / sizeof *overrides, host, port);
}

TEST(the_first_override_of_a_host_applies_else_the_one_for_all)
{
    CHECK_STR(find("a.test", 80), overrides[2]);
    CHECK_STR(find("a.TEST.", 80), overrides[2]);
    CHECK_STR(find("a.test", 81), overrides[3]);
    CHECK_STR(find("2001:db8::1", 80), overrides[5]);
    CHECK_STR(find("10.0.0.1", 81), overrides[6]);
    CHECK_STR(find("10.0.0.1", 80), overrides[0]);
    CHECK_STR(find("b.test", 80), overrides[0]);
    CHECK_STR(find("*", 80), overrides[0]);
    CHECK(!find("b.test", 81));
    CHECK(!find("aa.test", 81));
    CHECK(!find("a.test", 82));
    CHECK(!find("10.0.0.1.", 81));
    CHECK(!dial_override_find(NULL, 0, "a.test", 80));
}

TEST_MAIN()
