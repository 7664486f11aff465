/* SPDX-License-Identifier: MIT */
/* Ranks the addresses of a host by the routes of this machine. */
#ifndef IO_NET_DIAL_RANK_H
#define IO_NET_DIAL_RANK_H

#include <whorl/dial.h>

#include "io/net/addr_order.h"

/* Gives each address of the order its rank, unless there is no choice. Asks the kernel from which
 * address it would connect with these options. Sends nothing and never suspends. */
void dial_rank(struct addr_order *order, const struct whorl_dial_options *options);

#endif
