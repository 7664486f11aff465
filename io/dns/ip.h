/* SPDX-License-Identifier: MIT */
/* IP addresses as the resolver stores them. No I/O. */
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

#endif
