/* SPDX-License-Identifier: MIT */
/* Loads a certificate chain and its private key, and checks that they belong together. */
#include "io/tls/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/tls/pem.h"

enum {
    CHAIN_MAX = 16,
    RSA_BYTES_MIN = 2048 / 8,
    SIGNATURE_MAX = 4096 / 8, /* the longest RSA key that BearSSL reads has 4096 bits */
};

/* What is loaded so far. */
struct loading {
    struct tls_identity *identity;
    enum tls_role role;
    const char *cert_file, *key_file;
    struct whorl_error *error;
};

static int refuse(const struct loading *loading, const char *path, const char *why)
{
    return whorl_error_set(loading->error, WHORL_ETLS_CERTFILE, "TLS", "%s: %s", path, why);
}

static int out_of_memory(const struct loading *loading)
{
    return whorl_error_set(loading->error, -ENOMEM, "TLS", "out of memory");
}

/* --- the files --- */

static int found_certificate(void *arg, const char *label, struct tls_bytes der)
{
    struct loading *loading = arg;
    struct tls_identity *identity = loading->identity;

    if (strcmp(label, "CERTIFICATE") != 0 && strcmp(label, "X509 CERTIFICATE") != 0)
        return 0;
    if (identity->chain_len == CHAIN_MAX)
        return refuse(loading, loading->cert_file, "more than 16 certificates in it");
    br_x509_certificate *cert = &identity->chain[identity->chain_len];
    cert->data = malloc(der.len ? der.len : 1);
    if (!cert->data)
        return out_of_memory(loading);
    memcpy(cert->data, der.data, der.len);
    cert->data_len = der.len;
    identity->chain_len++;
    return 0;
}

/* The first key of the file counts. */
static int found_key(void *arg, const char *label, struct tls_bytes der)
{
    struct loading *loading = arg;
    struct tls_identity *identity = loading->identity;

    if (strcmp(label, "ENCRYPTED PRIVATE KEY") == 0)
        return refuse(loading, loading->key_file, "private key is encrypted; decrypt it first");
    if ((strcmp(label, "PRIVATE KEY") != 0 && strcmp(label, "RSA PRIVATE KEY") != 0 &&
         strcmp(label, "EC PRIVATE KEY") != 0) ||
        identity->key)
        return 0;
    identity->key = malloc(sizeof *identity->key);
    if (!identity->key)
        return out_of_memory(loading);
    br_skey_decoder_init(identity->key);
    br_skey_decoder_push(identity->key, der.data, der.len);
    if (br_skey_decoder_key_type(identity->key) == 0)
        return refuse(loading, loading->key_file,
                      "private key is neither RSA of up to 4096 bits nor EC, or is damaged");
    identity->key_der = malloc(der.len);
    if (!identity->key_der)
        return out_of_memory(loading);
    memcpy(identity->key_der, der.data, der.len);
    identity->key_der_len = der.len;
    return 0;
}

/* --- the checks --- */

static int check_certificate(struct loading *loading, int64_t time_unix_s)
{
    struct tls_identity *identity = loading->identity;
    const br_x509_certificate *first = identity->chain;
    const char *path = loading->cert_file;
    char date[16];

    if (identity->chain_len == 0)
        return refuse(loading, path, "no certificate in it");
    if (tls_cert_parse(first->data, first->data_len, &identity->leaf))
        return refuse(loading, path, "first certificate is malformed");
    const struct tls_cert *leaf = &identity->leaf;
    if (time_unix_s > leaf->not_after || time_unix_s < leaf->not_before) {
        bool is_old = time_unix_s > leaf->not_after;
        tls_cert_date(is_old ? leaf->not_after : leaf->not_before, date);
        return whorl_error_set(loading->error, WHORL_ETLS_EXPIRED, "TLS", "%s: certificate %s %s",
                               path, is_old ? "expired" : "is not valid before", date);
    }
    if (loading->role == TLS_SERVER && !tls_cert_is_for_servers(leaf))
        return refuse(loading, path, "first certificate is not meant for servers");
    if (loading->role == TLS_CLIENT && !tls_cert_is_for_clients(leaf))
        return refuse(loading, path, "first certificate is not meant for clients");
    if (leaf->has_key_usage && !(leaf->key_usage & TLS_USAGE_SIGN))
        return refuse(loading, path, "key of the first certificate may not sign handshakes");
    return 0;
}

static bool verify(const br_x509_pkey *pkey, const unsigned char *hash, const unsigned char *sig,
                   size_t sig_len)
{
    unsigned char found[br_sha256_SIZE];

    if (pkey->key_type == BR_KEYTYPE_RSA)
        return br_rsa_pkcs1_vrfy_get_default()(sig, sig_len, BR_HASH_OID_SHA256, sizeof found,
                                               &pkey->key.rsa, found) &&
               memcmp(found, hash, sizeof found) == 0;
    return br_ecdsa_vrfy_asn1_get_default()(br_ec_get_default(), hash, br_sha256_SIZE,
                                            &pkey->key.ec, sig, sig_len);
}

/* A signature of the key must be valid for the certificate. This also finds a damaged RSA key,
 * whose signatures would reveal the key. */
static int check_key(struct loading *loading)
{
    static const unsigned char hash[br_sha256_SIZE] = {1};
    struct tls_identity *identity = loading->identity;
    unsigned char sig[SIGNATURE_MAX];
    br_x509_decoder_context decoder;
    const br_x509_certificate *first = identity->chain;

    if (!identity->key)
        return refuse(loading, loading->key_file, "no private key in it");
    const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(identity->key);
    const br_ec_private_key *ec = br_skey_decoder_get_ec(identity->key);
    if (rsa && (rsa->n_bitlen + 7) / 8 < RSA_BYTES_MIN)
        return refuse(loading, loading->key_file, "RSA key is shorter than 2048 bits");
    if (ec && (ec->curve < BR_EC_secp256r1 || ec->curve > BR_EC_secp521r1))
        return refuse(loading, loading->key_file, "curve is not P-256, P-384 or P-521");
    identity->curve = ec ? ec->curve : 0;
    br_x509_decoder_init(&decoder, NULL, NULL);
    br_x509_decoder_push(&decoder, first->data, first->data_len);
    const br_x509_pkey *pkey = br_x509_decoder_get_pkey(&decoder);
    if (!pkey)
        return refuse(loading, loading->cert_file,
                      "key of the first certificate is neither RSA nor EC");
    bool same = ec ? pkey->key_type == BR_KEYTYPE_EC && pkey->key.ec.curve == ec->curve
                   : pkey->key_type == BR_KEYTYPE_RSA;
    size_t len = same ? tls_identity_sign(identity, br_sha256_ID, hash, sig, sizeof sig) : 0;
    if (len == 0 || !verify(pkey, hash, sig, len))
        return whorl_error_set(loading->error, WHORL_ETLS_CERTFILE, "TLS",
                               "%s: private key does not belong to the first certificate in %s",
                               loading->key_file, loading->cert_file);
    return 0;
}

int tls_identity_load(const char *cert_file, const char *key_file, enum tls_role role,
                      int64_t time_unix_s, struct whorl_error *error, struct tls_identity *ret)
{
    struct tls_identity identity = {0};
    struct loading loading = {&identity, role, cert_file, key_file ? key_file : cert_file, error};
    int err;

    identity.chain = calloc(CHAIN_MAX, sizeof *identity.chain);
    err = identity.chain ? pem_read(cert_file, found_certificate, &loading, error)
                         : out_of_memory(&loading);
    if (err == 0)
        err = check_certificate(&loading, time_unix_s);
    if (err == 0)
        err = pem_read(loading.key_file, found_key, &loading, error);
    if (err == 0)
        err = check_key(&loading);
    if (err) {
        tls_identity_finish(&identity);
        return err;
    }
    *ret = identity;
    return 0;
}

size_t tls_identity_sign(const struct tls_identity *identity, int hash_id, const void *hash,
                         unsigned char *ret, size_t size)
{
    static const struct {
        const br_hash_class *hash;
        const unsigned char *oid;
        size_t len;
    } hashes[] = {
        [br_sha256_ID] = {&br_sha256_vtable, BR_HASH_OID_SHA256, br_sha256_SIZE},
        [br_sha384_ID] = {&br_sha384_vtable, BR_HASH_OID_SHA384, br_sha384_SIZE},
        [br_sha512_ID] = {&br_sha512_vtable, BR_HASH_OID_SHA512, br_sha512_SIZE},
    };
    const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(identity->key);
    unsigned char sig[SIGNATURE_MAX];
    size_t len;

    if (rsa) {
        len = (rsa->n_bitlen + 7) / 8;
        if (len > sizeof sig || !br_rsa_pkcs1_sign_get_default()(hashes[hash_id].oid, hash,
                                                                 hashes[hash_id].len, rsa, sig))
            return 0;
    } else {
        len = br_ecdsa_sign_asn1_get_default()(br_ec_get_default(), hashes[hash_id].hash, hash,
                                               br_skey_decoder_get_ec(identity->key), sig);
    }
    if (len > size)
        return 0;
    memcpy(ret, sig, len);
    return len;
}

void tls_identity_finish(struct tls_identity *identity)
{
    for (size_t i = 0; i < identity->chain_len; i++)
        free(identity->chain[i].data);
    free(identity->chain);
    if (identity->key)
        explicit_bzero(identity->key, sizeof *identity->key);
    free(identity->key);
    if (identity->key_der)
        explicit_bzero(identity->key_der, identity->key_der_len);
    free(identity->key_der);
    *identity = (struct tls_identity){0};
}
