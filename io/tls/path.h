/* SPDX-License-Identifier: MIT */
/* Finds and checks a path of certificates from a server's certificate up to a trust anchor (RFC
 * 5280 §6).
 *
 *     leaf --issued by--> intermediate* --issued by--> anchor
 *
 * The server's own certificate, the leaf, comes first. The others may come in any order, some may
 * be unrelated, and several may have the same name. So a path is searched for: when a candidate
 * fails, the next one is tried.
 *
 * Every certificate of a path must have valid dates, a key that is long enough, a signature
 * (SHA-256 or longer, with RSA PKCS #1 or ECDSA) that its issuer has made, and no unknown critical
 * extension.
 *
 * Every authority of a path, including the anchor, must
 *
 *     - be an authority                            (basic constraints)
 *     - be allowed to sign certificates            (key usage)
 *     - allow as many authorities as are below it  (path length)
 *     - be meant for servers                       (extended key usage)
 *     - be allowed to vouch for the names          (name constraints)
 *
 * If the leaf is itself in the trust store, byte for byte, it needs no signature and need not be an
 * authority, but its dates still count. Revocation is not checked.
 *
 * The caller checks the purpose and the names of the leaf.
 */
#ifndef IO_TLS_PATH_H
#define IO_TLS_PATH_H

#include "io/tls/cert.h"

struct tls_trust;

enum { TLS_PATH_CERTS_MAX = 16 };

/* Why there is no path. */
enum tls_path_fault {
    TLS_PATH_OK,
    TLS_PATH_EXPIRED,     /* or not yet valid: `cert` */
    TLS_PATH_UNTRUSTED,   /* no known certificate has issued `cert` */
    TLS_PATH_SIGNATURE,   /* `cert` is not signed by its issuer */
    TLS_PATH_UNSUPPORTED, /* the signature or key of `cert` uses an unsupported algorithm */
    TLS_PATH_KEY_SHORT,   /* the RSA key of `cert` is too short */
    TLS_PATH_CRITICAL,    /* `cert` has an unknown critical extension */
    TLS_PATH_NOT_CA,      /* `cert` is issued by a certificate that is no authority */
    TLS_PATH_KEY_USAGE,   /* `cert` is issued with a key that may not sign certificates */
    TLS_PATH_LENGTH,      /* `cert` is issued by an authority that allows fewer below it */
    TLS_PATH_PURPOSE,     /* `cert` is issued by an authority that is not meant for servers */
    TLS_PATH_CONSTRAINED, /* an authority over `cert` may not vouch for its names */
    TLS_PATH_TOO_COMPLEX, /* the search would need more signature checks than the limit */
};

struct tls_path_report {
    enum tls_path_fault fault;
    const struct tls_cert *cert; /* one of `certs`, or an anchor */
};

/* Searches for a path. `certs[0]` is the server's certificate. Certificates whose `der` is NULL are
 * ignored. Returns whether there is a path; if not, `ret` says what was wrong with the first one
 * that was tried. */
bool tls_path_find(const struct tls_cert *certs, size_t count, const struct tls_trust *trust,
                   int64_t time_unix_s, struct tls_path_report *ret);

#endif
