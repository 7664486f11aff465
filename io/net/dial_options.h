/* SPDX-License-Identifier: MIT */
/* What the options of dialling mean for one host, and copies of options. */
#ifndef IO_NET_DIAL_OPTIONS_H
#define IO_NET_DIAL_OPTIONS_H

#include <whorl/dial.h>

/* The family of the addresses that the options permit, which have passed the check. AF_UNSPEC:
 * both. */
int dial_options_family(const struct whorl_dial_options *options);

/* Copies options with their strings into one block, which the caller frees. NULL when there is no
 * memory. */
struct whorl_dial_options *dial_options_copy(const struct whorl_dial_options *options);

#endif
