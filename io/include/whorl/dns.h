/* SPDX-License-Identifier: MIT */
/* Names to addresses, through c-ares on the run's own loop.
 *
 * Both families are asked side by side, /etc/hosts is honoured, answers are kept for their TTL
 * (clamped to 1 to 60 s; failures for 2 s) in a cache of the run, and concurrent lookups of one
 * name share one query. `localhost` and names below it are the loopback addresses (RFC 6761 §6.3).
 */
#ifndef WHORL_DNS_H
#define WHORL_DNS_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/net.h>

/* Zero-initialised is valid. */
struct whorl_dns_options {
    const char *servers;    /* "ip[:port],[ip6]:port,..." instead of resolv.conf; borrowed */
    const char *hosts_file; /* instead of /etc/hosts; borrowed */
    int64_t timeout_ns;     /* of the first try, doubled each time all were asked; 0: 2 s */
    int tries;              /* per server; 0: 3 */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sets how this run resolves. Call it before the first lookup of the run.
 *
 * Returns: 0; -EBUSY when names have been looked up already; -EINVAL for servers that do not parse
 * and for negative numbers; -ENOMEM; WHORL_ENOTASK; WHORL_ENOIO. Copies what the options point at.
 * Never suspends.
 */
WHORL_API WHORL_CHECKED int whorl_dns_configure(const struct whorl_dns_options *options);

/**
 * Resolves a host name or IP literal.
 *
 * A name in the hosts file has the addresses it has there and no others. Names in .onion and .invalid
 * do not exist, and one that ends in a number is a misspelt address, not a name; none of these is
 * asked for.
 *
 * @host    a DNS name in ASCII or a literal address without brackets
 * @port    is put into each address
 * @family  AF_INET, AF_INET6, or AF_UNSPEC for both (IPv6 first, the families interleaved)
 * @ret      room for `ret_max` addresses
 * @ret_max  at least 1
 *
 * Returns:  how many addresses were written, at least 1 and at most 16 of a family; WHORL_EDNS_*;
 *           -EINVAL; -ENOMEM; -EMFILE and the like when no socket could be made; WHORL_ENOTASK;
 *           WHORL_ENOIO.
 * Suspends: until the answer is there; not for literals and cached names.
 * Cancel:   -ECANCELED; the query goes on for others who asked the same.
 */
WHORL_API WHORL_SUSPENDS int whorl_resolve(const char *host, uint16_t port, int family,
                                           struct whorl_addr *ret, size_t ret_max);

#ifdef __cplusplus
}
#endif

#endif
