/* SPDX-License-Identifier: MIT */
/* Reads the response code of a DNS message; c-ares parses the rest. No I/O. */
#ifndef IO_DNS_MESSAGE_H
#define IO_DNS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

enum {
    DNS_RCODE_SERVFAIL = 2, /* RFC 1035 §4.1.1 */
    DNS_RCODE_NOTIMP = 4,
    DNS_RCODE_REFUSED = 5,
};

/* The response code of an answer to a query for the addresses of `name` (lower case, with or
 * without a trailing dot) in `family`. The queried name may also be `name` followed by a search
 * domain.
 *
 * Returns: 0 to 15; -EINVAL for any other message. */
int dns_message_rcode(const uint8_t *message, size_t len, const char *name, int family);

#endif
