/* SPDX-License-Identifier: MIT */
/* Checks a server's certificate chain. */
#include "io/tls/x509.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/tls/cert.h"
#include "io/tls/der.h"
#include "io/tls/pin.h"
#include "io/tls/trust.h"

/* Alerts of RFC 5246 §7.2.2. */
enum {
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_CERTIFICATE_EXPIRED = 45,
    ALERT_CERTIFICATE_UNKNOWN = 46,
    ALERT_UNKNOWN_CA = 48,
    ALERT_INTERNAL_ERROR = 80,
};

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

/* Reads the key of the server's certificate. False when BearSSL does not know its kind. */
static bool read_key(struct x509_verifier *verifier)
{
    br_x509_decoder_context *decoder = &verifier->decoder;

    br_x509_decoder_init(decoder, NULL, NULL);
    br_x509_decoder_push(decoder, verifier->chain, verifier->certs[0].len);
    verifier->key = br_x509_decoder_get_pkey(decoder);
    verifier->usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
    return verifier->key != NULL;
}

/* Accepts any certificate. The engine still checks that its key has signed the key exchange. */
static void accept_any(struct x509_verifier *verifier)
{
    if (!read_key(verifier))
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_BAD_CERTIFICATE,
               "certificate of %s has no usable key (decoder error %d)", verifier->peer->host,
               br_x509_decoder_last_error(&verifier->decoder));
}

/* " of authority NAME" for a certificate that is not the server's, else "". */
static const char *authority(const struct x509_verifier *verifier, const struct tls_cert *cert,
                             char text[100])
{
    char title[80];

    text[0] = '\0';
    if (cert->der.data == verifier->chain + verifier->certs[0].start)
        return text;
    tls_cert_title(&cert->subject, title, sizeof title);
    snprintf(text, 100, " of authority %s", title);
    return text;
}

static void refuse_dates(struct x509_verifier *verifier, const struct tls_cert *cert, int64_t now)
{
    char title[100], date[16];
    bool is_early = now < cert->not_before;

    tls_cert_date(is_early ? cert->not_before : cert->not_after, date);
    refuse(verifier, WHORL_ETLS_EXPIRED, ALERT_CERTIFICATE_EXPIRED,
           is_early ? "certificate%s for %s is not valid before %s"
                    : "certificate%s for %s expired %s",
           authority(verifier, cert, title), verifier->peer->host, date);
}

/* Whether there is an anchor that is not an authority and that has the name of the issuer of
 * `top`. */
static bool is_below_server(const struct tls_trust *trust, const struct tls_cert *top)
{
    for (size_t i = 0; i < trust->count; i++)
        if (!trust->anchors[i].is_ca && der_equal(&trust->anchors[i].subject, &top->issuer))
            return true;
    return false;
}

/* No known certificate has issued `top`. */
static void refuse_trust(struct x509_verifier *verifier, const struct tls_cert *top)
{
    char title[100];

    if (!*authority(verifier, top, title) && der_equal(&top->issuer, &top->subject)) {
        refuse(verifier, WHORL_ETLS_TRUST, ALERT_UNKNOWN_CA,
               "certificate for %s is self-signed and not trusted", verifier->peer->host);
        return;
    }
    tls_cert_title(&top->issuer, title, sizeof title);
    refuse(verifier, WHORL_ETLS_TRUST, ALERT_UNKNOWN_CA,
           is_below_server(verifier->config->trust, top)
               ? "certificate for %s is issued by %s, which is trusted as a server, but not as an "
                 "authority: it does not say CA:TRUE"
               : "certificate for %s is issued by %s, which is not trusted",
           verifier->peer->host, title);
}

static const char *fault_text(enum tls_path_fault fault)
{
    switch (fault) {
    case TLS_PATH_UNSUPPORTED:
        return "uses an algorithm that is not supported";
    case TLS_PATH_KEY_SHORT:
        return "has an RSA key shorter than 2048 bits";
    case TLS_PATH_CRITICAL:
        return "has a critical extension that is not supported";
    case TLS_PATH_NOT_CA:
        return "is issued by a certificate that is not an authority";
    case TLS_PATH_KEY_USAGE:
        return "is issued with a key that may not sign certificates";
    case TLS_PATH_LENGTH:
        return "has more authorities above it than one of them allows";
    case TLS_PATH_PURPOSE:
        return "is issued by an authority that is not meant for servers";
    case TLS_PATH_CONSTRAINED:
        return "has a name for which one of its authorities may not vouch";
    case TLS_PATH_TOO_COMPLEX:
        return "comes with too many certificates that have the same name";
    default:
        return "is not acceptable";
    }
}

static void refuse_path(struct x509_verifier *verifier, const struct tls_path_report *report,
                        int64_t now)
{
    char title[100];

    switch (report->fault) {
    case TLS_PATH_EXPIRED:
        refuse_dates(verifier, report->cert, now);
        break;
    case TLS_PATH_UNTRUSTED:
        refuse_trust(verifier, report->cert);
        break;
    case TLS_PATH_SIGNATURE:
        refuse(verifier, WHORL_ETLS_TRUST, ALERT_BAD_CERTIFICATE,
               "certificate chain of %s has a wrong signature", verifier->peer->host);
        break;
    default:
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_BAD_CERTIFICATE, "certificate%s for %s %s",
               authority(verifier, report->cert, title), verifier->peer->host,
               fault_text(report->fault));
    }
}

static void check_peer(struct x509_verifier *verifier, const struct tls_cert *leaf)
{
    const struct tls_peer *peer = verifier->peer;
    char names[120];

    if (!tls_cert_is_for_servers(leaf)) {
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_CERTIFICATE_UNKNOWN,
               "certificate for %s is not meant for servers", peer->host);
    } else if (leaf->has_key_usage && !(leaf->key_usage & TLS_USAGE_SIGN)) {
        /* Every suite of ours signs the key exchange (RFC 5280 §4.2.1.3, RFC 8422 §2). */
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_CERTIFICATE_UNKNOWN,
               "certificate for %s has a key that is not meant for signing", peer->host);
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
    struct tls_path_report report;
    int64_t now = tls_config_time(verifier->config);

    for (size_t i = 0; i < verifier->certs_count; i++)
        if (tls_cert_parse(verifier->chain + verifier->certs[i].start, verifier->certs[i].len,
                           &certs[i]))
            certs[i].der.data = NULL;
    if (!certs[0].der.data) {
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_BAD_CERTIFICATE,
               "certificate of %s is malformed", verifier->peer->host);
        return;
    }
    if (!tls_path_find(certs, verifier->certs_count, verifier->config->trust, now, &report)) {
        refuse_path(verifier, &report, now);
        return;
    }
    check_peer(verifier, &certs[0]);
    if (verifier->code == 0 && !read_key(verifier))
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_BAD_CERTIFICATE,
               "certificate of %s has no usable key", verifier->peer->host);
}

/* The server must have one of the pinned keys, also when any certificate is accepted. */
static void check_pins(struct x509_verifier *verifier)
{
    const struct whorl_tls_config *config = verifier->config;
    unsigned char pin[TLS_PIN_LEN];
    char text[TLS_PIN_TEXT_SIZE];
    struct tls_cert leaf;

    if (tls_cert_parse(verifier->chain, verifier->certs[0].len, &leaf)) {
        refuse(verifier, WHORL_ETLS_CERTIFICATE, ALERT_BAD_CERTIFICATE,
               "certificate of %s is malformed", verifier->peer->host);
        return;
    }
    tls_pin_of(&leaf, pin);
    for (size_t i = 0; i < config->pins_count; i++)
        if (memcmp(config->pins[i], pin, sizeof pin) == 0)
            return;
    tls_pin_format(pin, text);
    refuse(verifier, WHORL_ETLS_PIN, ALERT_BAD_CERTIFICATE,
           "key of %s is not one of the pinned ones: it has %s", verifier->peer->host, text);
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
    if (verifier->code == 0 && verifier->config->pins_count > 0)
        check_pins(verifier);
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
