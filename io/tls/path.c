/* SPDX-License-Identifier: MIT */
/* Finds and checks a certificate path. The search goes up from the leaf and returns from dead ends.
 * Its cost is bounded, because the number of signatures that it checks is limited. */
#include "io/tls/path.h"

#include <bearssl.h>

#include "io/tls/constraints.h"
#include "io/tls/der.h"
#include "io/tls/trust.h"

enum {
    RSA_BYTES_MIN = 2048 / 8, /* shorter keys are refused; browsers do the same */
    SIGNATURES_MAX = 32,      /* checked for one server: 32 of P-384 take 0.1 s */
    HASH_BYTES_MAX = 64,
};

struct search {
    const struct tls_cert *certs;
    size_t count;
    const struct tls_trust *trust;
    int64_t time_unix_s;
    bool used[TLS_PATH_CERTS_MAX];
    const struct tls_cert *path[TLS_PATH_CERTS_MAX]; /* from the leaf up */
    size_t path_len;
    unsigned signatures;
    struct tls_path_report first; /* fault; the first one found */
};

/* Notes a fault; the first one is kept. Returns false, so that a check can end with it. */
static bool refuse(struct search *s, enum tls_path_fault fault, const struct tls_cert *cert)
{
    if (s->first.fault == TLS_PATH_OK)
        s->first = (struct tls_path_report){fault, cert};
    return false;
}

/* --- signatures --- */

struct algorithm {
    struct tls_bytes oid;
    unsigned key_type;
    const br_hash_class *hash;
    const unsigned char *hash_oid; /* for PKCS #1, with its length in front */
};

#define BYTES(text)                                     \
    {                                                   \
        (const unsigned char *)(text), sizeof(text) - 1 \
    }

/* RFC 4055 §5, RFC 5758 §3.2. Not SHA-1 and not MD5. */
static const struct algorithm *find_algorithm(const struct tls_bytes *oid)
{
    static const struct algorithm algorithms[] = {
        {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), BR_KEYTYPE_RSA, &br_sha256_vtable,
         BR_HASH_OID_SHA256},
        {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"), BR_KEYTYPE_RSA, &br_sha384_vtable,
         BR_HASH_OID_SHA384},
        {BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"), BR_KEYTYPE_RSA, &br_sha512_vtable,
         BR_HASH_OID_SHA512},
        {BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x02"), BR_KEYTYPE_EC, &br_sha256_vtable, NULL},
        {BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x03"), BR_KEYTYPE_EC, &br_sha384_vtable, NULL},
        {BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x04"), BR_KEYTYPE_EC, &br_sha512_vtable, NULL},
    };
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (der_equal(oid, &algorithms[i].oid))
            return &algorithms[i];
    return NULL;
}

/* Reads the key of a certificate into the decoder, which holds its memory. Returns NULL when
 * BearSSL does not know this kind of key. */
static const br_x509_pkey *read_key(const struct tls_cert *cert, br_x509_decoder_context *decoder)
{
    br_x509_decoder_init(decoder, NULL, NULL);
    br_x509_decoder_push(decoder, cert->der.data, cert->der.len);
    return br_x509_decoder_get_pkey(decoder);
}

static bool verify(const struct tls_cert *cert, const struct algorithm *algorithm,
                   const br_x509_pkey *key)
{
    unsigned char hash[HASH_BYTES_MAX], signed_hash[HASH_BYTES_MAX];
    size_t len = algorithm->hash->desc >> BR_HASHDESC_OUT_OFF & BR_HASHDESC_OUT_MASK;
    const struct tls_bytes *signature = &cert->signature;
    br_hash_compat_context context;

    algorithm->hash->init(&context.vtable);
    algorithm->hash->update(&context.vtable, cert->tbs.data, cert->tbs.len);
    algorithm->hash->out(&context.vtable, hash);
    if (algorithm->key_type == BR_KEYTYPE_EC)
        return br_ecdsa_vrfy_asn1_get_default()(br_ec_get_default(), hash, len, &key->key.ec,
                                                signature->data, signature->len) == 1;
    return br_rsa_pkcs1_vrfy_get_default()(signature->data, signature->len, algorithm->hash_oid,
                                           len, &key->key.rsa, signed_hash) == 1 &&
           memcmp(hash, signed_hash, len) == 0;
}

static bool is_signed_by(struct search *s, const struct tls_cert *cert,
                         const struct tls_cert *issuer)
{
    const struct algorithm *algorithm = find_algorithm(&cert->algorithm);
    br_x509_decoder_context decoder;

    if (!algorithm)
        return refuse(s, TLS_PATH_UNSUPPORTED, cert);
    if (s->signatures == SIGNATURES_MAX)
        return refuse(s, TLS_PATH_TOO_COMPLEX, cert);
    s->signatures++;
    const br_x509_pkey *key = read_key(issuer, &decoder);
    if (!key)
        return refuse(s, TLS_PATH_UNSUPPORTED, issuer);
    if (key->key_type != algorithm->key_type || !verify(cert, algorithm, key))
        return refuse(s, TLS_PATH_SIGNATURE, cert);
    return true;
}

/* --- one certificate, one step --- */

/* The checks that every certificate of a path must pass. */
static bool is_sound(struct search *s, const struct tls_cert *cert)
{
    br_x509_decoder_context decoder;

    if (s->time_unix_s < cert->not_before || s->time_unix_s > cert->not_after)
        return refuse(s, TLS_PATH_EXPIRED, cert);
    if (cert->has_unknown_critical)
        return refuse(s, TLS_PATH_CRITICAL, cert);
    const br_x509_pkey *key = read_key(cert, &decoder);
    if (!key)
        return refuse(s, TLS_PATH_UNSUPPORTED, cert);
    if (key->key_type == BR_KEYTYPE_RSA && key->key.rsa.nlen < RSA_BYTES_MIN)
        return refuse(s, TLS_PATH_KEY_SHORT, cert);
    return true;
}

/* RFC 5280 §6.1: certificates issued to themselves do not count for the path length. */
static bool is_self_issued(const struct tls_cert *cert)
{
    return der_equal(&cert->issuer, &cert->subject);
}

static size_t count_intermediates(const struct search *s)
{
    size_t n = 0;

    for (size_t i = 1; i < s->path_len; i++)
        n += !is_self_issued(s->path[i]);
    return n;
}

/* Whether `issuer` may be above the path, as the issuer of its last certificate. */
static bool may_issue(struct search *s, const struct tls_cert *issuer)
{
    const struct tls_cert *cert = s->path[s->path_len - 1];

    if (!issuer->is_ca)
        return refuse(s, TLS_PATH_NOT_CA, cert);
    if (issuer->has_key_usage && !(issuer->key_usage & TLS_USAGE_CERT_SIGN))
        return refuse(s, TLS_PATH_KEY_USAGE, cert);
    if (issuer->path_len >= 0 && count_intermediates(s) > (size_t)issuer->path_len)
        return refuse(s, TLS_PATH_LENGTH, cert);
    if (!tls_cert_is_for_servers(issuer))
        return refuse(s, TLS_PATH_PURPOSE, cert);
    for (size_t i = 0; i < s->path_len; i++)
        if ((i == 0 || !is_self_issued(s->path[i])) &&
            !tls_constraints_allow(issuer, s->path[i], i == 0))
            return refuse(s, TLS_PATH_CONSTRAINED, s->path[i]);
    return true;
}

static bool is_step(struct search *s, const struct tls_cert *issuer)
{
    return is_sound(s, issuer) && may_issue(s, issuer) &&
           is_signed_by(s, s->path[s->path_len - 1], issuer);
}

/* --- the search --- */

static bool is_trusted_itself(const struct search *s, const struct tls_cert *cert)
{
    for (size_t i = 0; i < s->trust->count; i++)
        if (der_equal(&s->trust->anchors[i].der, &cert->der))
            return true;
    return false;
}

/* Whether an anchor has issued the last certificate of the path. Sets `*ret_named` when an anchor
 * has the name of its issuer. */
static bool reaches_anchor(struct search *s, bool *ret_named)
{
    const struct tls_cert *top = s->path[s->path_len - 1];

    for (size_t i = 0; i < s->trust->count; i++) {
        const struct tls_cert *anchor = &s->trust->anchors[i];
        if (!anchor->is_ca || !der_equal(&anchor->subject, &top->issuer))
            continue;
        *ret_named = true;
        if (is_step(s, anchor))
            return true;
    }
    return false;
}

/* Tries every way up from the last certificate of the path. */
static bool climb(struct search *s)
{
    const struct tls_cert *top = s->path[s->path_len - 1];
    bool named = false; /* a certificate with the name of its issuer was found */

    if (reaches_anchor(s, &named))
        return true;
    for (size_t i = 1; i < s->count; i++) {
        const struct tls_cert *next = &s->certs[i];
        if (s->used[i] || !next->der.data || !der_equal(&next->subject, &top->issuer) ||
            der_equal(&next->der, &top->der))
            continue;
        named = true;
        if (!is_step(s, next))
            continue;
        s->used[i] = true;
        s->path[s->path_len++] = next;
        if (climb(s))
            return true;
        s->path_len--;
        s->used[i] = false;
    }
    return named ? false : refuse(s, TLS_PATH_UNTRUSTED, top);
}

bool tls_path_find(const struct tls_cert *certs, size_t count, const struct tls_trust *trust,
                   int64_t time_unix_s, struct tls_path_report *ret)
{
    struct search s = {
        .certs = certs,
        .count = count,
        .trust = trust,
        .time_unix_s = time_unix_s,
        .path = {certs},
        .path_len = 1,
    };
    bool found = is_sound(&s, certs) && (is_trusted_itself(&s, certs) || climb(&s));

    *ret = found ? (struct tls_path_report){TLS_PATH_OK, NULL} : s.first;
    return found;
}
