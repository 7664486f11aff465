/* SPDX-License-Identifier: MIT */
/* An identity: the certificate chain of a server or a client, and the private key for it. */
#ifndef IO_TLS_IDENTITY_H
#define IO_TLS_IDENTITY_H

#include <bearssl.h>

#include <whorl/error.h>

#include "io/tls/cert.h"

/* The side of the connection that the identity is for. */
enum tls_role { TLS_SERVER, TLS_CLIENT };

/* Zero-initialised: empty. */
struct tls_identity {
    br_x509_certificate *chain; /* owned, with the bytes; the owner's certificate comes first */
    size_t chain_len;
    struct tls_cert leaf;         /* points into the first certificate */
    br_skey_decoder_context *key; /* owned; contains the private key */
    unsigned char *key_der;       /* owned; the key as it is in the file, for OpenSSL */
    size_t key_der_len;
    int curve; /* of an EC key: BR_EC_secp...; 0: the key is RSA */
};

/* Loads and checks a pair: the key belongs to the certificate, whose dates and purposes are right.
 *
 * @key_file  NULL: the key is in `cert_file`
 *
 * Returns 0; WHORL_ETLS_CERTFILE; WHORL_ETLS_EXPIRED; an open(2) or read(2) error; -ENOMEM. */
int tls_identity_load(const char *cert_file, const char *key_file, enum tls_role role,
                      int64_t time_unix_s, struct whorl_error *error, struct tls_identity *ret);

/* Signs a hash value, with PKCS #1 or ECDSA. Returns the length of the signature, 0 when `size` is
 * too small or the key fails. Any thread may call this.
 *
 * @hash_id  br_sha256_ID, br_sha384_ID or br_sha512_ID */
size_t tls_identity_sign(const struct tls_identity *identity, int hash_id, const void *hash,
                         unsigned char *ret, size_t size);

/* Erases the key and frees the rest. */
void tls_identity_finish(struct tls_identity *identity);

#endif
