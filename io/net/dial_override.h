/* SPDX-License-Identifier: MIT */
/* Overrides of dialling: "HOST:PORT:ADDR[,ADDR...]" as text. No I/O. The grammar is documented at
 * struct whorl_dial_options. */
#ifndef IO_NET_DIAL_OVERRIDE_H
#define IO_NET_DIAL_OVERRIDE_H

#include <whorl/net.h>

/* Parses an override.
 *
 * @ret_why    what is wrong, a constant; set on failure only
 * @ret_addrs  the addresses, with the port; those above `addrs_max` are checked, but not stored;
 *             may be NULL with an `addrs_max` of 0
 *
 * Returns: the count of stored addresses; -EINVAL. */
int dial_override_parse(const char *text, const char **ret_why, struct whorl_addr *ret_addrs,
                        size_t addrs_max);

/* The override that applies to `host` and `port`: the first of those that name the host, else the
 * first of those for every host. NULL: none. Those that cannot be parsed apply to nothing. */
const char *dial_override_find(const char *const *overrides, size_t count, const char *host,
                               uint16_t port);

#endif
