/* SPDX-License-Identifier: MIT */
/* Addresses: parsing, text, and the addresses that sockets report. */
#include <net/if.h>
#include <unistd.h>

#include <whorl.h>

#include "test.h"

static void looks(const char *ip, uint16_t port, const char *text)
{
    struct whorl_addr addr;
    char buf[WHORL_ADDR_TEXT_MAX];
    CHECK_OK(whorl_addr_parse(ip, port, &addr));
    CHECK_STR(whorl_addr_text(&addr, buf, sizeof buf), text);
    CHECK_EQ(whorl_addr_port(&addr), port);
}

TEST(literal_addresses_parse_and_print)
{
    looks("127.0.0.1", 80, "127.0.0.1:80");
    looks("0.0.0.0", 0, "0.0.0.0:0");
    looks("255.255.255.255", 65535, "255.255.255.255:65535");
    looks("::1", 443, "[::1]:443");
    looks("::", 1, "[::]:1");
    looks("2001:db8::ff00:42:8329", 8080, "[2001:db8::ff00:42:8329]:8080");
    looks("2001:DB8:0:0:0:0:0:1", 1, "[2001:db8::1]:1");
    looks("::ffff:1.2.3.4", 7, "[::ffff:1.2.3.4]:7");
}

TEST(zones_are_names_or_numbers)
{
    char name[IF_NAMESIZE], ip[64], text[64];
    looks("fe80::1%4000000", 80, "[fe80::1%4000000]:80");
    if (!if_indextoname(1, name))
        test_skip("no network interface");
    snprintf(ip, sizeof ip, "fe80::1%%%s", name);
    snprintf(text, sizeof text, "[fe80::1%%%s]:80", name);
    looks(ip, 80, text);
    looks("fe80::1%1", 80, text);
}

TEST(what_is_no_literal_address_is_refused)
{
    static const char *const wrong[] = {
        "",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        " 1.2.3.4",
        "1.2.3.4 ",
        "[::1]",
        "::1::",
        "12345::",
        "1.2.3.4%lo",
        "fe80::1%",
        "fe80::1%no-such-interface",
        "fe80::1%12x",
        "fe80::1%4294967296",
        "0x7f.1",
        "1.2.3.4:80",
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
    };
    struct whorl_addr addr = {.len = 77};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (whorl_addr_parse(wrong[i], 80, &addr) != -EINVAL)
            test_fail(__FILE__, __LINE__, "\"%s\" was accepted", wrong[i]);
    CHECK_EQ(addr.len, 77); /* outputs are written on success only */
}

TEST(ports_change_on_ip_addresses_only)
{
    struct whorl_addr addr;
    CHECK_OK(whorl_addr_parse("::1", 1, &addr));
    whorl_addr_set_port(&addr, 4242);
    CHECK_EQ(whorl_addr_port(&addr), 4242);
    CHECK_OK(whorl_addr_unix("/tmp/x", &addr));
    whorl_addr_set_port(&addr, 4242);
    CHECK_EQ(whorl_addr_port(&addr), 0);
}

TEST(unix_addresses_hold_a_path_or_an_abstract_name)
{
    struct whorl_addr addr;
    char text[WHORL_ADDR_TEXT_MAX], path[200];
    CHECK_OK(whorl_addr_unix("/run/x.sock", &addr));
    CHECK_EQ(addr.len, offsetof(struct sockaddr_un, sun_path) + 12);
    CHECK_STR(whorl_addr_text(&addr, text, sizeof text), "/run/x.sock");
    CHECK_OK(whorl_addr_unix("@name", &addr));
    CHECK_EQ(addr.len, offsetof(struct sockaddr_un, sun_path) + 5);
    CHECK_EQ(addr.un.sun_path[0], 0);
    CHECK_STR(whorl_addr_text(&addr, text, sizeof text), "@name");

    CHECK_ERR(whorl_addr_unix("", &addr), -EINVAL);
    CHECK_STR(whorl_addr_text(&addr, text, sizeof text), "@name"); /* unchanged */

    memset(path, 'p', sizeof path);
    path[107] = '\0';
    CHECK_OK(whorl_addr_unix(path, &addr));
    CHECK_STR(whorl_addr_text(&addr, text, sizeof text), path);
    path[107] = 'p';
    path[108] = '\0';
    CHECK_ERR(whorl_addr_unix(path, &addr), -ENAMETOOLONG);
    path[0] = '@'; /* an abstract name needs no zero byte at its end */
    CHECK_OK(whorl_addr_unix(path, &addr));
    CHECK_STR(whorl_addr_text(&addr, text, sizeof text), path);
    path[108] = 'p';
    path[109] = '\0';
    CHECK_ERR(whorl_addr_unix(path, &addr), -ENAMETOOLONG);
}

TEST(sockets_tell_their_addresses)
{
    struct whorl_addr addr, bound;
    char text[WHORL_ADDR_TEXT_MAX];
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0), pair[2];
    CHECK(fd >= 0);
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_bind(fd, &addr));
    CHECK_OK(whorl_addr_local(fd, &bound));
    CHECK(whorl_addr_port(&bound) > 0);
    CHECK_EQ(bound.len, sizeof(struct sockaddr_in));
    CHECK_ERR(whorl_addr_peer(fd, &bound), -ENOTCONN);
    close(fd);
    CHECK_ERR(whorl_addr_local(fd, &bound), -EBADF);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    CHECK_OK(whorl_addr_peer(pair[0], &addr));
    CHECK_STR(whorl_addr_text(&addr, text, sizeof text), "(unnamed)");
    close(pair[0]);
    close(pair[1]);
    CHECK_STR(whorl_addr_text(&(struct whorl_addr){0}, text, sizeof text), "(family 0)");
}

TEST(addr_text_is_cut_to_its_size)
{
    struct whorl_addr addr;
    char text[8] = "abcdefg";

    CHECK_OK(whorl_addr_parse("127.0.0.1", 80, &addr));
    CHECK_STR(whorl_addr_text(&addr, text, 5), "127.");
    CHECK_EQ(text[5], 'f');
    CHECK_OK(whorl_addr_unix("/tmp/x", &addr));
    CHECK_STR(whorl_addr_text(&addr, text, 4), "/tm");
}

TEST_MAIN()
