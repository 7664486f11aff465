/* SPDX-License-Identifier: MIT */
/* Checks a server's certificate chain. */
#include "io/tls/x509.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/tls/cert.h"
#include "io/tls/trust.h"

/* Alerts of RFC 5246 §7.2.2. */
enum {
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_CERTIFICATE_EXPIRED = 45,
    ALERT_CERTIFICATE_UNKNOWN = 46,
    ALERT_UNKNOWN_CA = 48,
    ALERT_INTERNAL_ERROR = 80,
};

/* BearSSL counts days from the year 0. */
enum { DAYS_TO_1970 = 719528, DAY_S = 86400 };

/* Shorter RSA keys are refused; browsers do the same. */
enum { RSA_BYTES_MIN = 2048 / 8 };

static struct x509_verifier *verifier_of(const br_x509_class **ctx)
{
    return (struct x509_verifier *)ctx;
}

/* Notes why the chain is refused. Only the first reason is kept. */
__attribute__((format(printf, 4, 5))) static void refuse(struct x509_verifier *verifier, int code,
                                                         unsigned alert, const char *format, ...)
{
    va_list args;

    if (verifier->code)
        return;
    verifier->code = code;
    verifier->alert = alert;
    va_start(args, format);
    vsnprintf(verifier->text, sizeof verifier->text, format, args);
    va_end(args);
}

static void start_chain(const br_x509_class **ctx, const char *server_name)
{
    struct x509_verifier *verifier = verifier_of(ctx);

    (void)server_name; /* the SNI; it is not sent for addresses, so `peer` is used instead */
    verifier->certs_count = 0;
    verifier->chain_len = 0;
    verifier->key = NULL;
}

static void start_cert(const br_x509_class **ctx, uint32_t length)
{
    struct x509_verifier *verifier = verifier_of(ctx);
    size_t len = verifier->chain_len + length;

    if (verifier->code)
        return;
    if (verifier->certs_count == X509_CERTS_MAX || len > X509_CHAIN_BYTES_MAX) {
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_BAD_CERTIFICATE,
               "%s sends an oversized certificate chain", verifier->peer->host);
        return;
    }
    if (len > verifier->chain_size) {
        size_t size = len * 2;
        unsigned char *chain = realloc(verifier->chain, size);
        if (!chain) {
            refuse(verifier, -ENOMEM, ALERT_INTERNAL_ERROR, "out of memory");
            return;
        }
        verifier->chain = chain;
        verifier->chain_size = size;
    }
    verifier->certs[verifier->certs_count].start = verifier->chain_len;
    verifier->certs[verifier->certs_count].len = length;
    verifier->certs_count++;
}

static void append(const br_x509_class **ctx, const unsigned char *buf, size_t len)
{
    struct x509_verifier *verifier = verifier_of(ctx);

    if (verifier->code)
        return;
    memcpy(verifier->chain + verifier->chain_len, buf, len);
    verifier->chain_len += len;
}

static void end_cert(const br_x509_class **ctx)
{
    (void)ctx;
}

/* Accepts any certificate. The engine still checks that its key has signed the key exchange. */
static void accept_any(struct x509_verifier *verifier)
{
    br_x509_decoder_context *decoder = &verifier->decoder;

    br_x509_decoder_init(decoder, NULL, NULL);
    br_x509_decoder_push(decoder, verifier->chain, verifier->certs[0].len);
    verifier->key = br_x509_decoder_get_pkey(decoder);
    verifier->usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
    if (!verifier->key)
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_BAD_CERTIFICATE,
               "certificate of %s has no usable key (decoder error %d)", verifier->peer->host,
               br_x509_decoder_last_error(decoder));
}

static bool same_name(const struct tls_bytes *a, const struct tls_bytes *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Writes the indices of the certificates from the leaf upwards into `path`; returns how many there
 * are. Certificates that are not on this path are left out. */
static size_t order_path(const struct tls_cert *certs, const bool *parsed, size_t count,
                         size_t path[X509_CERTS_MAX])
{
    bool used[X509_CERTS_MAX] = {true};
    size_t n = 1;

    path[0] = 0;
    for (;;) {
        const struct tls_cert *last = &certs[path[n - 1]];
        size_t i = 1;
        while (i < count && (used[i] || !parsed[i] || !same_name(&certs[i].subject, &last->issuer)))
            i++;
        if (i == count)
            return n;
        used[i] = true;
        path[n++] = i;
    }
}

static void set_time(br_x509_minimal_context *minimal, int64_t time_unix_s)
{
    int64_t days = time_unix_s / DAY_S, seconds = time_unix_s % DAY_S;

    if (seconds < 0) {
        seconds += DAY_S;
        days--;
    }
    br_x509_minimal_set_time(minimal, (uint32_t)(days + DAYS_TO_1970), (uint32_t)seconds);
}

/* Sets up the minimal engine with all algorithms but SHA-1 and MD5. */
static void init_minimal(br_x509_minimal_context *minimal, const struct tls_trust *trust,
                         int64_t time_unix_s)
{
    br_x509_minimal_init(minimal, &br_sha256_vtable, trust->anchors, trust->count);
    br_x509_minimal_set_hash(minimal, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(minimal, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_hash(minimal, br_sha512_ID, &br_sha512_vtable);
    br_x509_minimal_set_rsa(minimal, br_rsa_pkcs1_vrfy_get_default());
    br_x509_minimal_set_ecdsa(minimal, br_ec_get_default(), br_ecdsa_vrfy_asn1_get_default());
    br_x509_minimal_set_minrsa(minimal, RSA_BYTES_MIN);
    set_time(minimal, time_unix_s);
}

static unsigned run_minimal(struct x509_verifier *verifier, const size_t *path, size_t path_len,
                            int64_t time_unix_s)
{
    const br_x509_class **minimal = &verifier->minimal.vtable;

    init_minimal(&verifier->minimal, verifier->config->trust, time_unix_s);
    (*minimal)->start_chain(minimal, NULL);
    for (size_t i = 0; i < path_len; i++) {
        size_t start = verifier->certs[path[i]].start, len = verifier->certs[path[i]].len;
        (*minimal)->start_cert(minimal, (uint32_t)len);
        if (len > 0)
            (*minimal)->append(minimal, verifier->chain + start, len);
        (*minimal)->end_cert(minimal);
    }
    return (*minimal)->end_chain(minimal);
}

static void refuse_dates(struct x509_verifier *verifier, const struct tls_cert *certs,
                         const size_t *path, size_t path_len, int64_t now)
{
    const char *host = verifier->peer->host;
    char title[80] = "", date[16];

    for (size_t i = 0; i < path_len; i++) {
        const struct tls_cert *cert = &certs[path[i]];
        if (now >= cert->not_before && now <= cert->not_after)
            continue;
        if (i > 0)
            tls_cert_title(&cert->subject, title, sizeof title);
        tls_cert_date(now < cert->not_before ? cert->not_before : cert->not_after, date);
        refuse(verifier, WHORL_ETLS_EXPIRED, ALERT_CERTIFICATE_EXPIRED,
               now < cert->not_before ? "certificate%s%s for %s is not valid before %s"
                                      : "certificate%s%s for %s expired %s",
               i > 0 ? " of authority " : "", title, host, date);
        return;
    }
    refuse(verifier, WHORL_ETLS_EXPIRED, ALERT_CERTIFICATE_EXPIRED,
           "certificate for %s has expired or is not yet valid", host);
}

/* `top` is the last certificate of the path. */
static void refuse_trust(struct x509_verifier *verifier, const struct tls_cert *leaf,
                         const struct tls_cert *top)
{
    char title[80];

    if (top == leaf && same_name(&leaf->issuer, &leaf->subject)) {
        refuse(verifier, WHORL_ETLS_TRUST, ALERT_UNKNOWN_CA,
               "certificate for %s is self-signed and not trusted", verifier->peer->host);
        return;
    }
    tls_cert_title(&top->issuer, title, sizeof title);
    refuse(verifier, WHORL_ETLS_TRUST, ALERT_UNKNOWN_CA,
           "certificate for %s is issued by %s, which is not trusted", verifier->peer->host, title);
}

static const char *minimal_text(unsigned err)
{
    switch (err) {
    case BR_ERR_X509_UNSUPPORTED:
        return "uses an algorithm that is not supported";
    case BR_ERR_X509_LIMIT_EXCEEDED:
        return "has a key or signature that is too long";
    case BR_ERR_X509_WRONG_KEY_TYPE:
        return "is signed with another kind of key than its issuer has";
    case BR_ERR_X509_CRITICAL_EXTENSION:
        return "has a critical extension that is not supported";
    case BR_ERR_X509_NOT_CA:
        return "is issued by a certificate that is not an authority";
    case BR_ERR_X509_FORBIDDEN_KEY_USAGE:
        return "is issued with a key that may not sign certificates";
    case BR_ERR_X509_WEAK_PUBLIC_KEY:
        return "has an RSA key shorter than 2048 bits";
    default:
        return "is malformed";
    }
}

static void refuse_minimal(struct x509_verifier *verifier, unsigned err,
                           const struct tls_cert *certs, const size_t *path, size_t path_len,
                           int64_t now)
{
    switch (err) {
    case BR_ERR_X509_EXPIRED:
        refuse_dates(verifier, certs, path, path_len, now);
        break;
    case BR_ERR_X509_NOT_TRUSTED:
        refuse_trust(verifier, &certs[0], &certs[path[path_len - 1]]);
        break;
    case BR_ERR_X509_BAD_SIGNATURE:
        refuse(verifier, WHORL_ETLS_TRUST, ALERT_BAD_CERTIFICATE,
               "certificate chain of %s has a wrong signature", verifier->peer->host);
        break;
    default:
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_BAD_CERTIFICATE,
               "certificate for %s %s (%u)", verifier->peer->host, minimal_text(err), err);
    }
}

static void check_peer(struct x509_verifier *verifier, const struct tls_cert *leaf)
{
    const struct tls_peer *peer = verifier->peer;
    char names[120];

    if (!tls_cert_is_for_servers(leaf)) {
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_CERTIFICATE_UNKNOWN,
               "certificate for %s is not meant for servers", peer->host);
    } else if (peer->ip_len > 0 ? !tls_cert_is_for_ip(leaf, peer->ip, peer->ip_len)
                                : !tls_cert_is_for_name(leaf, peer->host)) {
        tls_cert_names(leaf, names, sizeof names);
        refuse(verifier, WHORL_ETLS_NAME, ALERT_CERTIFICATE_UNKNOWN,
               "certificate is for %s, not for %s", names, peer->host);
    }
}

static void check_chain(struct x509_verifier *verifier)
{
    struct tls_cert certs[X509_CERTS_MAX];
    bool parsed[X509_CERTS_MAX];
    size_t path[X509_CERTS_MAX], path_len;
    int64_t now = tls_config_time(verifier->config);

    for (size_t i = 0; i < verifier->certs_count; i++)
        parsed[i] = tls_cert_parse(verifier->chain + verifier->certs[i].start,
                                   verifier->certs[i].len, &certs[i]) == 0;
    if (!parsed[0]) {
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_BAD_CERTIFICATE,
               "certificate of %s is malformed", verifier->peer->host);
        return;
    }
    path_len = order_path(certs, parsed, verifier->certs_count, path);
    unsigned err = run_minimal(verifier, path, path_len, now);
    if (err) {
        refuse_minimal(verifier, err, certs, path, path_len, now);
        return;
    }
    check_peer(verifier, &certs[0]);
    verifier->key = verifier->minimal.vtable->get_pkey(
        (const br_x509_class *const *)&verifier->minimal.vtable, &verifier->usages);
}

static unsigned end_chain(const br_x509_class **ctx)
{
    struct x509_verifier *verifier = verifier_of(ctx);

    if (verifier->code == 0 && verifier->certs_count == 0)
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_BAD_CERTIFICATE, "%s sends no certificate",
               verifier->peer->host);
    if (verifier->code == 0) {
        if (verifier->config->insecure)
            accept_any(verifier);
        else
            check_chain(verifier);
    }
    /* Any error stops the engine; the real reason is in the verifier. */
    return verifier->code ? BR_ERR_X509_NOT_TRUSTED : 0;
}

static const br_x509_pkey *get_pkey(const br_x509_class *const *ctx, unsigned *usages)
{
    const struct x509_verifier *verifier = (const struct x509_verifier *)ctx;

    if (usages)
        *usages = verifier->usages;
    return verifier->key;
}

static const br_x509_class verifier_class = {
    .context_size = sizeof(struct x509_verifier),
    .start_chain = start_chain,
    .start_cert = start_cert,
    .append = append,
    .end_cert = end_cert,
    .end_chain = end_chain,
    .get_pkey = get_pkey,
};

void x509_init(struct x509_verifier *verifier, const struct whorl_tls_config *config,
               const struct tls_peer *peer)
{
    memset(verifier, 0, sizeof *verifier);
    verifier->vtable = &verifier_class;
    verifier->config = config;
    verifier->peer = peer;
}

void x509_finish(struct x509_verifier *verifier)
{
    free(verifier->chain);
    verifier->chain = NULL;
}
