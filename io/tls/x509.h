/* SPDX-License-Identifier: MIT */
/* Checking a server's certificate chain, as BearSSL's engine calls for it during a handshake.
 *
 * BearSSL's own "minimal" engine checks dates, signatures and the way up to a trust anchor. Around it
 * this one keeps the chain until it is complete, puts it in order (servers send intermediates in any
 * order, the minimal engine insists on one), then checks purpose and host itself and finds words for
 * what is wrong.
 */
#ifndef IO_TLS_X509_H
#define IO_TLS_X509_H

#include <bearssl.h>

#include "io/tls/config.h"
#include "io/tls/peer.h"

/* A chain may be this long; the web's are three certificates and some 5 KiB. */
enum { X509_CERTS_MAX = 16, X509_CHAIN_BYTES_MAX = 128 << 10 };

struct x509_verifier {
    const br_x509_class *vtable; /* first, as BearSSL's engines have it */
    const struct whorl_tls_config *config;
    const struct tls_peer *peer;
    struct {
        size_t start, len;
    } certs[X509_CERTS_MAX];
    size_t certs_count;
    unsigned char *chain; /* the certificates as they came, one behind the other */
    size_t chain_len, chain_size;
    union {
        br_x509_minimal_context minimal;
        br_x509_decoder_context decoder; /* when any certificate will do */
    };
    const br_x509_pkey *key; /* the server's, once the chain is accepted; in the union */
    unsigned usages;

    int code;       /* why the chain is refused; 0: it is not */
    unsigned alert; /* what to tell the server then */
    char text[200]; /* the same in words */
};

/* `config` and `peer` must outlive it. */
void x509_init(struct x509_verifier *verifier, const struct whorl_tls_config *config,
               const struct tls_peer *peer);

void x509_finish(struct x509_verifier *verifier);

#endif
