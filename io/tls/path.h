/* SPDX-License-Identifier: MIT */
/* From a server's certificate up to a trust anchor (RFC 5280 §6): finding a path and checking it.
 *
 * The server's own certificate comes first. The others may come in any order, unrelated ones may be
 * among them, and several may have the same name. So a path is searched: when a candidate fails, the
 * next one is tried.
 *
 *     leaf --issued by--> intermediate* --issued by--> anchor
 *
 * Checked are, of every certificate, dates, key length, signature (SHA-256 and longer; RSA PKCS #1 and
 * ECDSA) and unknown critical extensions; of every authority on the way, the anchor included, that it is
 * one (basic constraints), may sign (key usage), how many authorities may be below it (path length), for what
 * (extended key usage) and for which names (name constraints). A certificate that is trusted itself,
 * authority or not, needs no signature: it is compared as a whole, and its dates still count. There is no
 * revocation check.
 *
 * Purpose and names of the leaf itself are the caller's to check.
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
    TLS_PATH_UNSUPPORTED, /* signature or key of `cert`: an algorithm that is not supported */
    TLS_PATH_KEY_SHORT,   /* RSA key of `cert` */
    TLS_PATH_CRITICAL,    /* `cert` has an unknown critical extension */
    TLS_PATH_NOT_CA,      /* `cert` is issued by a certificate that is no authority */
    TLS_PATH_KEY_USAGE,   /* `cert` is issued with a key that may not sign certificates */
    TLS_PATH_LENGTH,      /* `cert` is issued by an authority that allows fewer below it */
    TLS_PATH_PURPOSE,     /* `cert` is issued by an authority that is not meant for servers */
    TLS_PATH_CONSTRAINED, /* an authority over `cert` may not vouch for its names */
    TLS_PATH_TOO_COMPLEX, /* more signatures than are checked for one server */
};

struct tls_path_report {
    enum tls_path_fault fault;
    const struct tls_cert *cert; /* one of `certs`, or an anchor */
};

/* Searches. `certs[0]` is the server's; those whose `der` is NULL are left out. Returns whether there is
 * a path; if not, `ret` says what was wrong with the first one that was tried. */
bool tls_path_find(const struct tls_cert *certs, size_t count, const struct tls_trust *trust,
                   int64_t time_unix_s, struct tls_path_report *ret);

#endif
