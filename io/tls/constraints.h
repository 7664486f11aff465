/* SPDX-License-Identifier: MIT */
/* Name constraints (RFC 5280 §4.2.1.10): they limit the names for which an authority may vouch. */
#ifndef IO_TLS_CONSTRAINTS_H
#define IO_TLS_CONSTRAINTS_H

#include <whorl/base.h>

struct tls_bytes;
struct tls_cert;

/* Whether the name constraints of `authority` allow all names of `cert`, a certificate below it.
 *
 * DNS names, IP addresses and the subject are compared with the permitted and the excluded subtrees
 * of their kind. For a server's certificate (`is_leaf`) without alternative names, the common name
 * counts as a DNS name; that of an authority is only a title. A name of another kind (mail address,
 * URI) is refused if the authority has any constraint of that kind. An authority without
 * constraints allows every name. */
bool tls_constraints_allow(const struct tls_cert *authority, const struct tls_cert *cert,
                           bool is_leaf);

#endif
