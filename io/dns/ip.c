/* SPDX-License-Identifier: MIT */
/* IP addresses as the resolver stores them. */
#include "io/dns/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

void dns_ip_to_addr(const struct dns_ip *ip, uint16_t port, struct whorl_addr *ret)
{
    memset(ret, 0, sizeof *ret);
    if (ip->family == AF_INET6) {
        ret->in6.sin6_family = AF_INET6;
        ret->in6.sin6_port = htons(port);
        ret->in6.sin6_addr = ip->v6;
        ret->len = sizeof ret->in6;
    } else {
        ret->in.sin_family = AF_INET;
        ret->in.sin_port = htons(port);
        ret->in.sin_addr = ip->v4;
        ret->len = sizeof ret->in;
    }
}

int dns_ip_parse(const char *text, struct dns_ip *ret)
{
    struct dns_ip ip = {0};

    if (inet_pton(AF_INET, text, &ip.v4) == 1)
        ip.family = AF_INET;
    else if (inet_pton(AF_INET6, text, &ip.v6) == 1)
        ip.family = AF_INET6;
    else
        return -EINVAL;
    *ret = ip;
    return 0;
}

bool dns_ip_equal(const struct dns_ip *a, const struct dns_ip *b)
{
    if (a->family != b->family)
        return false;
    return a->family == AF_INET6 ? memcmp(&a->v6, &b->v6, sizeof a->v6) == 0
                                 : a->v4.s_addr == b->v4.s_addr;
}
