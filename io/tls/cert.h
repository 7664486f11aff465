/* SPDX-License-Identifier: MIT */
/* Reading certificates: names, dates and purposes, and whether a name is the one asked for.
 *
 * Nothing here decides on trust. The X.509 engine of the backend checks signatures and chains; this
 * reads the same bytes for what BearSSL leaves out (IP addresses in the SAN, stricter wildcards,
 * extended key usage) and for what a person wants to be told. It is plain bytes in, verdict out.
 */
#ifndef IO_TLS_CERT_H
#define IO_TLS_CERT_H

#include <whorl/base.h>

/* A stretch of somebody's bytes. */
struct tls_bytes {
    const unsigned char *data;
    size_t len;
};

/* Kinds of names in a certificate: tags of GeneralName (RFC 5280 §4.2.1.6). */
enum { TLS_NAME_DNS = 0x82, TLS_NAME_DIRECTORY = 0xa4, TLS_NAME_IP = 0x87 };

/* Of `key_usage` (RFC 5280 §4.2.1.3), numbered from the left as there. */
enum { TLS_USAGE_SIGN = 1 << 0, TLS_USAGE_ENCIPHER = 1 << 2, TLS_USAGE_CERT_SIGN = 1 << 5 };

/* Points into the DER it was parsed from. `data` NULL: there is no such extension. */
struct tls_cert {
    struct tls_bytes der;       /* the whole certificate */
    struct tls_bytes tbs;       /* what is signed */
    struct tls_bytes algorithm; /* object identifier of the signature's algorithm */
    struct tls_bytes signature;
    struct tls_bytes issuer, subject;     /* the whole encoded name */
    int64_t not_before, not_after;        /* seconds since 1970 */
    struct tls_bytes san;                 /* the contents of the list */
    struct tls_bytes eku;                 /* extended key usage, likewise */
    struct tls_bytes permitted, excluded; /* subtrees of the name constraints, likewise */
    bool is_ca;
    int path_len; /* certificates of authorities that may stand below it; -1: any number */
    bool has_key_usage;
    unsigned key_usage;
    bool has_unknown_critical; /* a critical extension that this parser does not read */
};

/* 0, or -EBADMSG when it is no certificate or has an extension we look at twice. */
int tls_cert_parse(const void *der, size_t len, struct tls_cert *ret);

/* Whether the certificate is for this DNS name (lower case, no trailing dot). Only when there is no
 * SAN extension at all, the last common name counts instead (RFC 6125 §6.4.4). */
bool tls_cert_is_for_name(const struct tls_cert *cert, const char *host);

/* Whether one of its SANs is this IPv4 (4 bytes) or IPv6 (16 bytes) address. */
bool tls_cert_is_for_ip(const struct tls_cert *cert, const unsigned char *ip, size_t ip_len);

/* Whether a server may use it: no extended key usage, or one that says so (RFC 5280 §4.2.1.12). */
bool tls_cert_is_for_servers(const struct tls_cert *cert);

/* Whether a purpose in such a list covers servers: serverAuth or any. */
bool tls_oid_is_for_servers(const struct tls_bytes *oid);

/* Whether `pattern`, as it stands in a certificate, stands for `host`. RFC 6125 §6.4, stricter: a
 * wildcard is the whole leftmost label, stands for one label, and has two labels behind it. */
bool tls_name_matches(const struct tls_bytes *pattern, const char *host);

/* The common name, else the organisation, else "?"; for people. Writes at most `size` bytes. */
void tls_cert_title(const struct tls_bytes *name, char *text, size_t size);

/* The names the certificate is for, such as "a.example, *.b.example, 10.0.0.1", shortened to fit. */
void tls_cert_names(const struct tls_cert *cert, char *text, size_t size);

/* The last common name of the subject; false when there is none. Bytes of whatever string type. */
bool tls_cert_common_name(const struct tls_cert *cert, struct tls_bytes *ret);

/* "2024-01-02" in UTC. */
void tls_cert_date(int64_t time_unix_s, char text[16]);

#endif
