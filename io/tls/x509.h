/* SPDX-License-Identifier: MIT */
/* Checks a server's certificate chain. BearSSL's TLS engine calls it during a handshake.
 *
 * It collects the chain until the chain is complete, searches for a path to a trust anchor
 * (path.h), and checks the purpose and the host of the server's certificate. It describes in words
 * what is wrong.
 *
 * BearSSL's own engine, "minimal", is not used. It accepts only one order of certificates. It
 * ignores name constraints and the purpose of authorities, and refuses such extensions when they
 * are critical. And if a trust anchor is not an authority, it trusts every certificate that has the
 * anchor's key and name.
 */
#ifndef IO_TLS_X509_H
#define IO_TLS_X509_H

#include <bearssl.h>

#include "io/tls/config.h"
#include "io/tls/path.h"
#include "io/tls/peer.h"

/* The limits of a chain. On the web, a chain has three certificates and about 5 KiB. */
enum { X509_CERTS_MAX = TLS_PATH_CERTS_MAX, X509_CHAIN_BYTES_MAX = 128 << 10 };

struct x509_verifier {
    const br_x509_class *vtable; /* first field, as BearSSL requires */
    const struct whorl_tls_config *config;
    const struct tls_peer *peer;
    struct {
        size_t start, len;
    } certs[X509_CERTS_MAX];
    size_t certs_count;
    unsigned char *chain; /* owned; the certificates in the order in which they were received */
    size_t chain_len, chain_size;
    br_x509_decoder_context decoder; /* of the server's certificate */
    const br_x509_pkey *key;         /* the server's, once the chain is accepted; in the decoder */
    unsigned usages;

    int code;       /* why the chain is refused; 0: it is not */
    unsigned alert; /* the alert for the server; valid when `code` is set */
    char text[200]; /* the reason in words; valid when `code` is set */
};

/* `config` and `peer` must outlive the verifier. */
void x509_init(struct x509_verifier *verifier, const struct whorl_tls_config *config,
               const struct tls_peer *peer);

void x509_finish(struct x509_verifier *verifier);

#endif
