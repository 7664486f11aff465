/* SPDX-License-Identifier: MIT */
/* Reads the host out of a ClientHello. BearSSL looks for the session before it has read the host,
 * but a session may only be resumed for the host that it was made for (RFC 6066 §3). */
#ifndef IO_TLS_HELLO_H
#define IO_TLS_HELLO_H

#include <whorl/base.h>

#include "io/tls/peer.h"

/* Reads a whole ClientHello message (RFC 5246 §7.4.1.2). False when it is incomplete or malformed.
 *
 * @ret  the host in lower case, without a dot at its end; "" when the client names none */
bool tls_hello_host(const unsigned char *bytes, size_t len, char ret[TLS_HOST_MAX]);

/* Copies a host as a client has sent it: in lower case, without a dot at its end. */
void tls_hello_normalise(const char *host, size_t len, char ret[TLS_HOST_MAX]);

#endif
