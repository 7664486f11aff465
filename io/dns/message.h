/* SPDX-License-Identifier: MIT */
/* The little we read of DNS messages ourselves; c-ares reads the rest. No I/O. */
#ifndef IO_DNS_MESSAGE_H
#define IO_DNS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

enum {
    DNS_RCODE_SERVFAIL = 2, /* RFC 1035 §4.1.1 */
    DNS_RCODE_NOTIMP = 4,
    DNS_RCODE_REFUSED = 5,
};

/* The response code of an answer to a question for the addresses of `name` (lower case, with or
 * without a trailing dot) in `family`, or for `name` with a search domain behind it.
 *
 * Returns: 0 to 15; -EINVAL for any other message. */
int dns_message_rcode(const uint8_t *message, size_t len, const char *name, int family);

#endif
