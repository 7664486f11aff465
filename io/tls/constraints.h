/* SPDX-License-Identifier: MIT */
/* Name constraints (RFC 5280 §4.2.1.10): for which names an authority may vouch. */
#ifndef IO_TLS_CONSTRAINTS_H
#define IO_TLS_CONSTRAINTS_H

#include <whorl/base.h>

struct tls_bytes;
struct tls_cert;

/* Whether the name constraints of `authority` allow all names of `cert`, a certificate below it.
 *
 * Checked are DNS names, IP addresses and the subject, permitted and excluded subtrees of each. A
 * certificate without alternative names is judged by its common name, as a DNS name. A name of another
 * kind (mail address, URI) is refused when the authority constrains that kind at all. An authority
 * without constraints allows every name. */
bool tls_constraints_allow(const struct tls_cert *authority, const struct tls_cert *cert);

#endif
