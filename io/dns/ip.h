/* SPDX-License-Identifier: MIT */
/* IP addresses as the resolver keeps them, and the order in which they are tried. No I/O. */
#ifndef IO_DNS_IP_H
#define IO_DNS_IP_H

#include <netinet/in.h>

#include <whorl/net.h>

/* Addresses kept of one name and family; what a server lists beyond them is dropped. */
#define DNS_IPS_MAX 16

struct dns_ip {
    sa_family_t family; /* AF_INET or AF_INET6 */
    union {
        struct in_addr v4;
        struct in6_addr v6;
    };
};

/* Writes the socket address of `ip` and `port`. */
void dns_ip_to_addr(const struct dns_ip *ip, uint16_t port, struct whorl_addr *ret);

/* Parses a literal without a zone: 0, or -EINVAL. */
int dns_ip_parse(const char *text, struct dns_ip *ret);

bool dns_ip_equal(const struct dns_ip *a, const struct dns_ip *b);

/* RFC 8305 §4: the families by turns, IPv6 first; within one, the order of the answer. Either
 * family may be filled in later, while addresses of the other are being taken. */
struct dns_order {
    const struct dns_ip *v6, *v4; /* borrowed */
    size_t v6_count, v4_count;
    size_t v6_taken, v4_taken;
    bool v6_was_last; /* the address taken last was an IPv6 one */
};

/* How many addresses have not been taken. */
size_t dns_order_left(const struct dns_order *order);

/* Takes the next address; NULL when none is left. */
const struct dns_ip *dns_order_next(struct dns_order *order);

#endif
