/* SPDX-License-Identifier: MIT */
/* IP addresses as the resolver stores them, and the order in which they are tried. No I/O. */
#ifndef IO_DNS_IP_H
#define IO_DNS_IP_H

#include <netinet/in.h>

#include <whorl/net.h>

/* The most addresses kept for one name and family; further addresses of an answer are dropped. */
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

/* Parses an IP address literal without a zone: 0, or -EINVAL. */
int dns_ip_parse(const char *text, struct dns_ip *ret);

bool dns_ip_equal(const struct dns_ip *a, const struct dns_ip *b);

/* RFC 8305 §4: the families alternate and IPv6 comes first; within a family, the order is that of
 * the answer. The addresses of a family may be set later, while addresses of the other are
 * taken. */
struct dns_order {
    const struct dns_ip *v6, *v4; /* borrowed */
    size_t v6_count, v4_count;
    size_t v6_taken, v4_taken;
    bool v6_was_last; /* the last address taken was an IPv6 address */
};

/* How many addresses have not been taken. */
size_t dns_order_left(const struct dns_order *order);

/* Takes the next address; NULL when none is left. */
const struct dns_ip *dns_order_next(struct dns_order *order);

#endif
