/* SPDX-License-Identifier: MIT */
/* Reads certificates: names, dates and purposes, and whether a certificate is for a given host. It
 * does not decide whether a certificate is trusted; path.h does. It does no I/O.
 */
#ifndef IO_TLS_CERT_H
#define IO_TLS_CERT_H

#include <whorl/base.h>

#include "io/tls/der.h"

/* Kinds of names in a certificate: tags of GeneralName (RFC 5280 §4.2.1.6). */
enum { TLS_NAME_DNS = 0x82, TLS_NAME_DIRECTORY = 0xa4, TLS_NAME_IP = 0x87 };

/* Bits of `key_usage`, numbered from the left as in RFC 5280 §4.2.1.3. */
enum { TLS_USAGE_SIGN = 1 << 0, TLS_USAGE_ENCIPHER = 1 << 2, TLS_USAGE_CERT_SIGN = 1 << 5 };

/* A parsed certificate. Its ranges point into the DER that was parsed. For an extension that the
 * certificate does not have, `data` is NULL. */
struct tls_cert {
    struct tls_bytes der;       /* the whole certificate */
    struct tls_bytes tbs;       /* what is signed */
    struct tls_bytes algorithm; /* object identifier of the signature's algorithm */
    struct tls_bytes signature;
    struct tls_bytes issuer, subject;     /* the whole encoded name */
    struct tls_bytes public_key;          /* the whole SubjectPublicKeyInfo */
    int64_t not_before, not_after;        /* seconds since 1970 */
    struct tls_bytes san;                 /* contents of the list */
    struct tls_bytes eku;                 /* extended key usage: contents of the list */
    struct tls_bytes permitted, excluded; /* name constraints: contents of the lists */
    bool is_ca;
    int path_len; /* the number of authorities that may be below it in a path; -1: any number */
    bool has_key_usage;
    unsigned key_usage;
    bool has_unknown_critical; /* it has a relevant critical extension that is not read here */
};

/* Parses a certificate. Returns 0, or -EBADMSG when it is malformed or has one of the extensions
 * that are read here twice. */
int tls_cert_parse(const void *der, size_t len, struct tls_cert *ret);

/* Whether the certificate is for this DNS name (lower case, no trailing dot). Only a certificate
 * without a SAN extension is checked by its last common name instead (RFC 6125 §6.4.4). */
bool tls_cert_is_for_name(const struct tls_cert *cert, const char *host);

/* Whether a SAN of the certificate is this IPv4 (4 bytes) or IPv6 (16 bytes) address. */
bool tls_cert_is_for_ip(const struct tls_cert *cert, const unsigned char *ip, size_t ip_len);

/* Whether a server may use the certificate: it has no extended key usage, or one that allows this
 * (RFC 5280 §4.2.1.12). */
bool tls_cert_is_for_servers(const struct tls_cert *cert);

/* Whether a client may use the certificate, likewise. */
bool tls_cert_is_for_clients(const struct tls_cert *cert);

/* Whether a purpose in such a list covers servers: serverAuth or any. */
bool tls_oid_is_for_servers(const struct tls_bytes *oid);

/* Whether `pattern`, a name in a certificate, matches `host`. RFC 6125 §6.4, but stricter: a
 * wildcard must be the whole leftmost label, matches one label, and must be followed by two
 * labels. */
bool tls_name_matches(const struct tls_bytes *pattern, const char *host);

/* For messages: the common name, else the organisation, else "?". Writes at most `size` bytes. */
void tls_cert_title(const struct tls_bytes *name, char *text, size_t size);

/* The names that the certificate is for, such as "a.example, *.b.example, 10.0.0.1"; cut to fit. */
void tls_cert_names(const struct tls_cert *cert, char *text, size_t size);

/* The bytes of the last common name of the subject, whatever its string type; false when there is
 * none. */
bool tls_cert_common_name(const struct tls_cert *cert, struct tls_bytes *ret);

/* The date in UTC, such as "2024-01-02". */
void tls_cert_date(int64_t time_unix_s, char text[16]);

#endif
