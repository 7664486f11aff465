/* SPDX-License-Identifier: MIT */
/* Resolving names to addresses, with c-ares on the run's own loop.
 *
 *     static WHORL_SUSPENDS int print_addresses(const char *host)
 *     {
 *         struct whorl_addr addrs[16];
 *         char text[WHORL_ADDR_TEXT_MAX];
 *         int n = whorl_resolve(host, 80, AF_UNSPEC, addrs, 16);
 *         for (int i = 0; i < n; i++)
 *             puts(whorl_addr_text(&addrs[i], text, sizeof text));
 *         return n < 0 ? n : 0;
 *     }
 *
 * Addresses of both families are queried at the same time, and /etc/hosts is read. A cache, which
 * belongs to the run, keeps an answer for its TTL, but at least 1 s and at most 60 s, and a failure
 * for 2 s. Lookups of one name at the same time share one query. `localhost` and the names below it
 * are the loopback addresses (RFC 6761 §6.3).
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
    int64_t timeout_ns;     /* of the first try; doubled when all servers were tried; 0: 2 s */
    int tries;              /* per server; 0: 3 */
};

/* A replacement for whorl_resolve() when dial.h and the HTTP session connect to a name.
 * Zero-initialised is valid and means whorl_resolve(). */
struct whorl_resolver {
    /* Called with a name, never with a literal address. Like whorl_resolve(), it writes at most
     * `ret_max` addresses of the family to `ret`, with the port, and returns their count or a
     * negative code. The port may be another one than `port`: the connection goes there. The order
     * does not matter. */
    WHORL_SUSPENDS int (*resolve)(void *arg, const char *host, uint16_t port, int family,
                                  struct whorl_addr *ret, size_t ret_max);
    void *arg;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sets how this run resolves names. Call it before the first lookup of the run. Never suspends.
 *
 * @options  copied, with the strings
 *
 * Returns: 0; -EBUSY when the run has looked up a name already; -EINVAL for servers that cannot be
 *          parsed and for negative numbers; -ENOMEM; WHORL_ENOTASK; WHORL_ENOIO.
 */
WHORL_API WHORL_CHECKED int whorl_dns_configure(const struct whorl_dns_options *options);

/**
 * Resolves a host name or a literal address.
 *
 * A name in the hosts file has only the addresses that it has there. No query is sent for names in
 * .onion and .invalid, which do not exist, and for names that end in a number, which are misspelt
 * addresses.
 *
 * The addresses are in the order in which dial.h tries them: that of RFC 6724 §6, which prefers
 * addresses to which this machine has a route and then IPv6, but the families alternate (RFC 8305
 * §4). To find the routes, a datagram socket is connected to each address; it sends nothing.
 *
 * @host     a DNS name in ASCII, or a literal address without brackets
 * @port     is put into each address
 * @family   AF_INET, AF_INET6, or AF_UNSPEC for both
 * @ret      the addresses; room for `ret_max`
 * @ret_max  at least 1
 *
 * Returns:  the count of addresses, at least 1 and at most 16 per family; WHORL_EDNS_*; -EINVAL;
 *           -ENOMEM; -EMFILE and the like when no socket could be opened; WHORL_ENOTASK;
 *           WHORL_ENOIO.
 * Suspends: until the answer has arrived; not for literal addresses and names in the cache.
 * Cancel:   -ECANCELED; the query continues for other tasks that look up the same name.
 */
WHORL_API WHORL_SUSPENDS int whorl_resolve(const char *host, uint16_t port, int family,
                                           struct whorl_addr *ret, size_t ret_max);

#ifdef __cplusplus
}
#endif

#endif
