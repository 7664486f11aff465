/* SPDX-License-Identifier: MIT */
/* Sockets that are bound as the options of dialling say. */
#ifndef IO_NET_DIAL_SOCKET_H
#define IO_NET_DIAL_SOCKET_H

#include <whorl/dial.h>

/* Opens a stream socket for a connection to `to`, bound as the options say. Never suspends.
 *
 * Returns: the descriptor, close-on-exec; a socket(2) or bind(2) error; -ENODEV: there is no such
 * interface; -EADDRNOTAVAIL: it has no address of the family. */
int dial_socket_open(const struct sockaddr *to, const struct whorl_dial_options *options);

/* Finds the address from which a connection to `to` would come. Sends nothing and never suspends.
 * Returns false when there is no route, or no descriptor to find out. */
bool dial_socket_source(const struct sockaddr *to, const struct whorl_dial_options *options,
                        struct whorl_addr *ret);

#endif
