/* SPDX-License-Identifier: MIT */
/* The order of a host's addresses: the rules of RFC 6724, and alternating families. */
#include <arpa/inet.h>

#include "io/net/addr_order.h"
#include "test.h"

/* A destination and the source address that the kernel would use for it, and where the destination
 * comes in the order, from 0. */
struct row {
    const char *to, *from; /* NULL: no source address */
    int place;
};

static void add(struct addr_order *order, const struct row *row)
{
    struct whorl_addr to, from;

    CHECK_OK(whorl_addr_parse(row->to, 80, &to));
    if (row->from)
        CHECK_OK(whorl_addr_parse(row->from, 0, &from));
    addr_order_add(order, &to);
    order->items[order->ranked].rank = addr_order_rank(&to.sa, row->from ? &from.sa : NULL);
    order->ranked++;
}

/* Checks that the rows, added from the first to the last or the other way round, are taken in the
 * order of their places. */
static void check_rows(const struct row *rows, size_t count, bool reverse)
{
    struct addr_order order = {0};
    struct whorl_addr addr;
    char text[WHORL_ADDR_TEXT_MAX], expected[WHORL_ADDR_TEXT_MAX];

    for (size_t i = 0; i < count; i++)
        add(&order, &rows[reverse ? count - 1 - i : i]);
    for (size_t place = 0; place < count; place++) {
        const struct addr_order_item *item = addr_order_next(&order);
        CHECK(item);
        for (size_t i = 0; i < count; i++) {
            if (rows[i].place != (int)place)
                continue;
            CHECK_OK(whorl_addr_parse(rows[i].to, 80, &addr));
            whorl_addr_text(&addr, expected, sizeof expected);
        }
        addr_order_to_addr(item, &addr);
        CHECK_STR(whorl_addr_text(&addr, text, sizeof text), expected);
        CHECK_EQ(order.left, count - place - 1);
    }
    CHECK(!addr_order_next(&order));
}

#define CHECK_ROWS(...)                                      \
    do {                                                     \
        const struct row rows[] = {__VA_ARGS__};             \
        check_rows(rows, sizeof rows / sizeof *rows, false); \
        check_rows(rows, sizeof rows / sizeof *rows, true);  \
    } while (0)

/* RFC 6724 §10.2. Left out are the examples of home and of deprecated addresses. */
TEST(the_examples_of_the_rfc_are_ordered_as_it_says)
{
    /* Prefer matching scope. */
    CHECK_ROWS({"2001:db8:1::1", "2001:db8:1::2", 0}, {"198.51.100.121", "169.254.13.78", 1});
    CHECK_ROWS({"2001:db8:1::1", "fe80::1", 1}, {"198.51.100.121", "198.51.100.117", 0});
    /* Prefer higher precedence. */
    CHECK_ROWS({"2001:db8:1::1", "2001:db8:1::2", 0}, {"10.1.2.3", "10.1.2.4", 1});
    /* Prefer smaller scope. */
    CHECK_ROWS({"2001:db8:1::1", "2001:db8:1::2", 1}, {"fe80::1", "fe80::2", 0});
    /* Longest matching prefix. */
    CHECK_ROWS({"2001:db8:1::1", "2001:db8:1::2", 0}, {"2001:db8:3ffe::1", "2001:db8:3f44::2", 1});
    /* Prefer matching label. */
    CHECK_ROWS({"2002:c633:6401::1", "2002:c633:6401::2", 0},
               {"2001:db8:1::1", "2002:c633:6401::2", 1});
    /* Prefer higher precedence. */
    CHECK_ROWS({"2002:c633:6401::1", "2002:c633:6401::2", 1},
               {"2001:db8:1::1", "2001:db8:1::2", 0});
}

TEST(destinations_without_a_route_come_last)
{
    CHECK_ROWS({"2001:db8:1::1", NULL, 1}, {"192.0.2.1", "192.0.2.2", 0});
    CHECK_ROWS({"::1", NULL, 1}, {"127.0.0.1", "127.0.0.1", 0});
    CHECK_ROWS({"192.0.2.1", NULL, 1}, {"2001:db8:1::1", "fe80::1", 0});
    /* Without any route, precedence decides. */
    CHECK_ROWS({"2001:db8:1::1", NULL, 0}, {"192.0.2.1", NULL, 1});
}

TEST(every_line_of_the_policy_table_counts)
{
    /* Precedence: loopback, any, IPv4, 6to4, Teredo, unique local; then 1 for the others. */
    CHECK_ROWS({"::1", "::1", 0}, {"2001:db8::1", "2001:db8::2", 1});
    CHECK_ROWS({"2001:db8::1", "2001:db8::2", 0}, {"192.0.2.1", "192.0.2.2", 1});
    CHECK_ROWS({"192.0.2.1", "192.0.2.2", 0}, {"2002:c633:6401::1", "2002:c633:6401::2", 1});
    CHECK_ROWS({"2002:c633:6401::1", "2002:c633:6401::2", 0}, {"2001::1", "2001::2", 1});
    CHECK_ROWS({"2001::1", "2001::2", 0}, {"fd00::1", "fd00::2", 1});
    CHECK_ROWS({"fd00::1", "fd00::2", 0}, {"3ffe::1", "3ffe::2", 1});
    CHECK_ROWS({"fc00::1", "fc00::2", 0}, {"::192.0.2.1", "::192.0.2.2", 1});
    CHECK_ROWS({"fd00::1", "fd00::2", 0}, {"fec0::1", "fec0::2", 1});
    /* Label: none of these is reached best from an ordinary address. */
    static const char *const others[] = {"2002:c633:6401::1", "2001::1", "fd00::1", "3ffe::1",
                                         "::192.0.2.1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        CHECK_ROWS({others[i], "2001:db8::2", 1}, {"192.0.2.1", "192.0.2.2", 0});
        for (size_t j = 0; j < i; j++)
            CHECK_ROWS({others[i], others[i], 0}, {"2001:db8::1", others[j], 1});
    }
}

TEST(scopes_are_those_of_the_rfc)
{
    CHECK_ROWS({"127.0.0.1", "127.0.0.1", 0}, {"10.0.0.1", "10.0.0.2", 1});
    CHECK_ROWS({"169.254.0.1", "169.254.0.2", 0}, {"192.168.0.1", "192.168.0.2", 1});
    CHECK_ROWS({"10.0.0.1", "127.0.0.1", 1}, {"192.0.2.1", "192.0.2.2", 0});
    CHECK_ROWS({"fec0::1", "2001:db8::1", 1}, {"fec0::2", "fec0::3", 0});
    CHECK_ROWS({"ff0e::1", "2001:db8::1", 0}, {"ff02::1", "2001:db8::1", 1});
    CHECK_ROWS({"ff02::1", "fe80::1", 0}, {"ff05::1", "fe80::1", 1});
}

TEST(equal_ranks_keep_their_order)
{
    static const struct row v4[] = {
        {"192.0.2.9", "192.0.2.1", 0}, {"192.0.2.2", "192.0.2.1", 1}, {"10.0.0.1", "192.0.2.1", 2}};
    static const struct row v6[] = {{"2001:db8::9:0:0:1", "2001:db8::2", 0},
                                    {"2001:db8::1", "2001:db8::2", 1}};
    check_rows(v4, 3, false);
    check_rows(v6, 2, false); /* beyond 64 bits nothing counts */
}

TEST(families_alternate_and_begin_with_the_best)
{
    CHECK_ROWS({"2001:db8::1", "2001:db8::2", 0}, {"2001:db8:1::1", "2001:db8::2", 2},
               {"2001:db8:2::1", NULL, 4}, {"192.0.2.1", "192.0.2.2", 1}, {"192.0.2.7", NULL, 3});
    CHECK_ROWS({"2001:db8::1", NULL, 1}, {"192.0.2.1", "192.0.2.2", 0}, {"192.0.2.7", NULL, 2});
}

TEST(addresses_that_come_later_take_their_place)
{
    struct addr_order order = {0};

    add(&order, &(struct row){.to = "192.0.2.1", .from = "192.0.2.2"});
    add(&order, &(struct row){.to = "192.0.2.3", .from = "192.0.2.2"});
    CHECK_EQ(addr_order_next(&order)->in.sin_addr.s_addr, inet_addr("192.0.2.1"));
    add(&order, &(struct row){.to = "2001:db8::1", .from = "2001:db8::2"});
    CHECK_EQ(addr_order_next(&order)->sa.sa_family, AF_INET6);
    CHECK_EQ(addr_order_next(&order)->in.sin_addr.s_addr, inet_addr("192.0.2.3"));
    CHECK(!addr_order_next(&order));
}

TEST(a_given_order_stays)
{
    struct addr_order order = {.as_given = true};

    add(&order, &(struct row){.to = "10.0.0.1"});
    add(&order, &(struct row){.to = "127.0.0.1", .from = "127.0.0.1"});
    add(&order, &(struct row){.to = "::1", .from = "::1"});
    CHECK_EQ(addr_order_next(&order)->in.sin_addr.s_addr, inet_addr("10.0.0.1"));
    CHECK_EQ(addr_order_next(&order)->in.sin_addr.s_addr, inet_addr("127.0.0.1"));
    CHECK_EQ(addr_order_next(&order)->sa.sa_family, AF_INET6);
}

TEST(what_does_not_fit_is_ignored)
{
    struct addr_order order = {0};
    struct whorl_addr addr;

    CHECK_OK(whorl_addr_unix("/tmp/x", &addr));
    addr_order_add(&order, &addr);
    CHECK_EQ(order.count, 0);
    CHECK_OK(whorl_addr_parse("127.0.0.1", 1, &addr));
    for (int i = 0; i < ADDR_ORDER_MAX + 1; i++)
        addr_order_add(&order, &addr);
    CHECK_EQ(order.count, ADDR_ORDER_MAX);
    CHECK_EQ(order.left, ADDR_ORDER_MAX);
}

TEST_MAIN()
