/* SPDX-License-Identifier: MIT */
/* The order in which the addresses of a host are tried. */
#include "io/net/addr_order.h"

#include <string.h>

/* Scopes of unicast addresses, with the numbers that multicast addresses contain (RFC 4291
 * §2.7). */
enum { SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14, SCOPE_MAX = 15 };

/* RFC 6724 §2.2: interface identifiers do not count, so a prefix has at most 64 bits. */
enum { PREFIX_MAX = 64 };

struct policy {
    uint8_t prefix[16];
    uint8_t len; /* in bits */
    uint8_t precedence, label;
};

/* RFC 6724 §2.1, the longest prefixes first. */
static const struct policy policies[] = {
    {{[15] = 1}, 128, 50, 0},                /* ::1, the loopback address */
    {{[10] = 0xff, [11] = 0xff}, 96, 35, 4}, /* ::ffff:0:0, IPv4 */
    {{0}, 96, 1, 3},                         /* ::, IPv4-compatible */
    {{0x20, 0x01}, 32, 5, 5},                /* 2001::, Teredo */
    {{0x20, 0x02}, 16, 30, 2},               /* 2002::, 6to4 */
    {{0x3f, 0xfe}, 16, 1, 12},               /* 3ffe::, 6bone */
    {{0xfe, 0xc0}, 10, 1, 11},               /* fec0::, site-local */
    {{0xfc}, 7, 3, 13},                      /* fc00::, unique local */
    {{0}, 0, 40, 1},
};

/* The bytes of an address, IPv4 as an IPv4-mapped address (RFC 6724 §2). */
static void get_bytes(const struct sockaddr *addr, uint8_t ret[static 16])
{
    if (addr->sa_family == AF_INET6) {
        memcpy(ret, &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr, 16);
        return;
    }
    memset(ret, 0, 10);
    memset(ret + 10, 0xff, 2);
    memcpy(ret + 12, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
}

static bool is_mapped(const uint8_t bytes[static 16])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(bytes, prefix, sizeof prefix) == 0;
}

/* How many leading bits two addresses have in common. */
static unsigned common_bits(const uint8_t a[static 16], const uint8_t b[static 16])
{
    unsigned bits = 0;

    while (bits < 128 && ((a[bits / 8] ^ b[bits / 8]) & (0x80 >> bits % 8)) == 0)
        bits++;
    return bits;
}

static const struct policy *find_policy(const uint8_t bytes[static 16])
{
    const struct policy *policy = policies;

    while (common_bits(bytes, policy->prefix) < policy->len)
        policy++; /* the last one has no bits */
    return policy;
}

/* RFC 6724 §3.1 and §3.2. */
static uint32_t scope_of(const uint8_t bytes[static 16])
{
    static const uint8_t loopback[16] = {[15] = 1};

    if (is_mapped(bytes))
        return bytes[12] == 127 || (bytes[12] == 169 && bytes[13] == 254) ? SCOPE_LINK
                                                                          : SCOPE_GLOBAL;
    if (bytes[0] == 0xff)
        return bytes[1] & 0xf;
    if (memcmp(bytes, loopback, sizeof loopback) == 0)
        return SCOPE_LINK;
    if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
        return SCOPE_LINK;
    if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0)
        return SCOPE_SITE;
    return SCOPE_GLOBAL;
}

uint32_t addr_order_rank(const struct sockaddr *destination, const struct sockaddr *source)
{
    uint8_t to[16], from[16];

    get_bytes(destination, to);
    const struct policy *policy = find_policy(to);
    uint32_t scope = scope_of(to);
    uint32_t rank = (uint32_t)policy->precedence << 12 | (SCOPE_MAX - scope) << 8;
    if (!source)
        return rank;
    get_bytes(source, from);
    rank |= 1u << 31;
    rank |= (uint32_t)(scope_of(from) == scope) << 30;
    rank |= (uint32_t)(find_policy(from)->label == policy->label) << 29;
    /* Rule 9 is for two addresses of one family. It needs no check here: the precedence of IPv4 is
     * that of no IPv6 address, so rule 6 has decided between families. */
    if (!is_mapped(to)) {
        unsigned bits = common_bits(to, from);
        rank |= bits < PREFIX_MAX ? bits : PREFIX_MAX;
    }
    return rank;
}

void addr_order_add(struct addr_order *order, const struct whorl_addr *addr)
{
    struct addr_order_item *item = &order->items[order->count];

    if (order->count == ADDR_ORDER_MAX)
        return;
    if (addr->sa.sa_family == AF_INET6)
        item->in6 = addr->in6;
    else if (addr->sa.sa_family == AF_INET)
        item->in = addr->in;
    else
        return;
    item->rank = 0;
    item->taken = false;
    order->count++;
    order->left++;
}

/* Whether `item` is to be taken before `best`, which was added earlier. */
static bool is_better(const struct addr_order *order, const struct addr_order_item *item,
                      const struct addr_order_item *best)
{
    bool item_repeats = item->sa.sa_family == order->last_family;
    bool best_repeats = best->sa.sa_family == order->last_family;

    if (order->as_given)
        return false;
    return item_repeats != best_repeats ? best_repeats : item->rank > best->rank;
}

const struct addr_order_item *addr_order_next(struct addr_order *order)
{
    struct addr_order_item *best = NULL;

    for (size_t i = 0; i < order->count; i++) {
        struct addr_order_item *item = &order->items[i];
        if (!item->taken && (!best || is_better(order, item, best)))
            best = item;
    }
    if (best) {
        best->taken = true;
        order->left--;
        order->last_family = best->sa.sa_family;
    }
    return best;
}

void addr_order_to_addr(const struct addr_order_item *item, struct whorl_addr *ret)
{
    *ret = (struct whorl_addr){0};
    if (item->sa.sa_family == AF_INET6) {
        ret->in6 = item->in6;
        ret->len = sizeof ret->in6;
    } else {
        ret->in = item->in;
        ret->len = sizeof ret->in;
    }
}
