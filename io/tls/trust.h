/* SPDX-License-Identifier: MIT */
/* Trust anchors: the certificate authorities whose signatures are trusted. They are immutable once
 * loaded, so connections of all threads read them without a lock. */
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

/* The anchors of the file that $SSL_CERT_FILE names, else of the directory that $SSL_CERT_DIR
 * names, else of the system's bundle. The first call loads them for the whole process. 0;
 * WHORL_ETLS_CAFILE; an open(2) error; -ENOMEM. After a failure the next call tries again. */
int tls_trust_system(struct whorl_error *error, struct tls_trust **ret);

/* The anchors of a PEM or DER file, a directory, or both; either may be NULL. Certificates with
 * keys that BearSSL does not know are skipped. A damaged file is an error, but in a directory it is
 * skipped. 0; WHORL_ETLS_CAFILE when no anchor is left; an open(2) error; -ENOMEM. */
int tls_trust_load(const char *file, const char *dir, struct whorl_error *error,
                   struct tls_trust **ret);

/* Drops a reference. Accepts NULL. */
void tls_trust_release(struct tls_trust *trust);

#endif
