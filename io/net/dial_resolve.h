/* SPDX-License-Identifier: MIT */
/* The addresses of a host as the options of dialling say: from an override, from the caller's
 * resolver, or from the run's own. */
#ifndef IO_NET_DIAL_RESOLVE_H
#define IO_NET_DIAL_RESOLVE_H

#include <whorl/dial.h>

/* Gets the addresses from an override or, for a name, from the caller's resolver. The options have
 * passed the check.
 *
 * @ret_given  true when the addresses come from an override, so their order stays
 *
 * Returns: their count; 0: the options have neither for this host; WHORL_EDNS_NODATA: they have no
 * address of the family; an error of the resolver. */
WHORL_SUSPENDS int dial_resolve_own(const char *host, uint16_t port,
                                    const struct whorl_dial_options *options,
                                    struct whorl_addr *ret, size_t ret_max, bool *ret_given);

/* Gets the addresses from there, or else like whorl_resolve(): for a proxy, which connects to them.
 * So the local address does not limit the family. `options` may be NULL. */
WHORL_SUSPENDS int dial_resolve(const char *host, uint16_t port,
                                const struct whorl_dial_options *options, struct whorl_addr *ret,
                                size_t ret_max);

#endif
