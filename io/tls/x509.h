/* SPDX-License-Identifier: MIT */
/* Checks a server's certificate chain. BearSSL's TLS engine calls it during a handshake.
 *
 * BearSSL's own "minimal" engine checks dates, signatures and the path to a trust anchor. The
 * verifier here collects the chain until it is complete and puts it in order, because servers send
 * intermediates in any order and the minimal engine accepts only one order. Then it runs the
 * minimal engine, checks the purpose and the host itself, and describes in words what is wrong.
 */
#ifndef IO_TLS_X509_H
#define IO_TLS_X509_H

#include <bearssl.h>

#include "io/tls/config.h"
#include "io/tls/engine.h"

/* The limits of a chain. On the web, a chain has three certificates and about 5 KiB. */
enum { X509_CERTS_MAX = 16, X509_CHAIN_BYTES_MAX = 128 << 10 };

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
    union {
        br_x509_minimal_context minimal;
        br_x509_decoder_context decoder; /* used when any certificate is accepted */
    };
    const br_x509_pkey
        *key; /* the server's key once the chain is accepted; points into the union */
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
