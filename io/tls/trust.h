/* SPDX-License-Identifier: MIT */
/* Trust anchors: the certificate authorities that may vouch for a server. Immutable once loaded, so
 * connections of any thread read them without a lock. */
#ifndef IO_TLS_TRUST_H
#define IO_TLS_TRUST_H

#include <stdatomic.h>

#include <whorl/error.h>

#include "io/tls/cert.h"

struct tls_trust {
    atomic_size_t refs;
    struct tls_cert *anchors; /* each owns its `der` */
    size_t count, size;
};

/* The system's bundle (or what $SSL_CERT_FILE, else $SSL_CERT_DIR, names), loaded once per process by whoever
 * asks first. 0; WHORL_ETLS_CAFILE; an open(2) error; -ENOMEM; a failure is not remembered. */
int tls_trust_system(struct whorl_error *error, struct tls_trust **ret);

/* Anchors of a PEM or DER file, a folder, or both; either may be NULL. Certificates with keys that
 * BearSSL does not know are left out; a file that is damaged is an error, in a folder it is left
 * out. 0; WHORL_ETLS_CAFILE when nothing is left; an open(2) error; -ENOMEM. */
int tls_trust_load(const char *file, const char *folder, struct whorl_error *error,
                   struct tls_trust **ret);

/* Drops a hold. Accepts NULL. */
void tls_trust_release(struct tls_trust *trust);

#endif
