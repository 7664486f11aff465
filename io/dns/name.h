/* SPDX-License-Identifier: MIT */
/* Which names are looked up at all, and which have an answer without a question. No I/O. */
#ifndef IO_DNS_NAME_H
#define IO_DNS_NAME_H

/* Room for any valid name with its trailing dot and the NUL. */
#define DNS_NAME_SIZE 256

enum dns_name_kind {
    DNS_NAME_ORDINARY,
    DNS_NAME_LOCALHOST,   /* RFC 6761 §6.3: the loopback addresses, never asked */
    DNS_NAME_NONEXISTENT, /* RFC 6761 §6.4 (.invalid), RFC 7686 §2 (.onion): never asked */
};

/* Checks a host name and writes it in lower case, with its trailing dot if it has one.
 *
 * A host name is labels of 1 to 63 letters, digits, hyphens and underscores, 253 bytes in all. One
 * whose last label is a number is refused, not asked: it is a misspelt IPv4 address, and other
 * software might read it as one ("127.1", "0x7f.0.0.1").
 *
 * Returns: an enum dns_name_kind; WHORL_EDNS_BADNAME. */
int dns_name_prepare(const char *host, char ret[static DNS_NAME_SIZE]);

#endif
