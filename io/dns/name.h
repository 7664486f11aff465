/* SPDX-License-Identifier: MIT */
/* Decides which names are valid, and which names have an answer without a query. No I/O. */
#ifndef IO_DNS_NAME_H
#define IO_DNS_NAME_H

/* Room for any valid name with its trailing dot and the NUL. */
#define DNS_NAME_SIZE 256

enum dns_name_kind {
    DNS_NAME_ORDINARY,
    DNS_NAME_LOCALHOST,   /* RFC 6761 §6.3: the loopback addresses, never queried */
    DNS_NAME_NONEXISTENT, /* RFC 6761 §6.4 (.invalid), RFC 7686 §2 (.onion): never queried */
};

/* Checks a host name and writes it in lower case, with its trailing dot if it has one.
 *
 * A host name consists of labels of 1 to 63 letters, digits, hyphens and underscores; it has at
 * most 253 bytes. A name whose last label is a number is refused without a query: it is a misspelt
 * IPv4 address, and other software may read it as an address ("127.1", "0x7f.0.0.1").
 *
 * Returns: an enum dns_name_kind; WHORL_EDNS_BADNAME. */
int dns_name_prepare(const char *host, char ret[static DNS_NAME_SIZE]);

#endif
