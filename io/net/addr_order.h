/* SPDX-License-Identifier: MIT */
/* The order in which the addresses of a host are tried: RFC 6724 §6, with the families alternating
 * (RFC 8305 §4). No I/O.
 *
 * RFC 6724 compares two destinations rule by rule. Here each destination gets one number, its rank,
 * whose higher bits are the earlier rules. These rules count:
 *
 *     1  a destination with a source address before one without: there is no route to the latter
 *     2  the scope of the source address is that of the destination
 *     5  the label of the source address is that of the destination
 *     6  higher precedence, from the default policy table (§2.1)
 *     8  smaller scope
 *     9  longer prefix shared with the source address, IPv6 only: with IPv4 it would undo the
 *        rotation of the addresses that name servers do to share the load
 *
 * Rules 3, 4 and 7 (deprecated addresses, home addresses, tunnels) need knowledge that a socket
 * does not give. Equal ranks keep the order in which they were added (rule 10).
 */
#ifndef IO_NET_ADDR_ORDER_H
#define IO_NET_ADDR_ORDER_H

#include <whorl/net.h>

enum { ADDR_ORDER_MAX = 32 }; /* addresses of one host that are tried */

/* One destination. */
struct addr_order_item {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
    uint32_t rank; /* valid once it is below `ranked` of the order */
    bool taken;
};

/* Zero-initialised is valid. */
struct addr_order {
    struct addr_order_item items[ADDR_ORDER_MAX];
    size_t count, left; /* items, and those that are not taken */
    size_t ranked;      /* the first `ranked` items have a rank */
    int last_family;    /* of the item that was taken last; AF_UNSPEC: none */
    bool as_given;      /* take the items in the order in which they were added */
};

/* The rank of a destination; a higher one comes first.
 *
 * @source  the address from which the kernel would connect to it; NULL: there is none */
uint32_t addr_order_rank(const struct sockaddr *destination, const struct sockaddr *source);

/* Adds an IPv4 or IPv6 address, without a rank. Ignores others, and those above ADDR_ORDER_MAX. */
void addr_order_add(struct addr_order *order, const struct whorl_addr *addr);

/* Takes the next item: the best one of the family that was not last, if there is one. NULL when
 * none is left. Unless `as_given` is set or only one is left, all items must have a rank. */
const struct addr_order_item *addr_order_next(struct addr_order *order);

/* The length of an item's socket address. */
static inline socklen_t addr_order_len(const struct addr_order_item *item)
{
    return item->sa.sa_family == AF_INET6 ? sizeof item->in6 : sizeof item->in;
}

/* Writes the address of an item. */
void addr_order_to_addr(const struct addr_order_item *item, struct whorl_addr *ret);

#endif
