/* SPDX-License-Identifier: MIT */
/* Checking a server's certificate chain, as BearSSL's engine calls for it during a handshake.
 *
 * It keeps the chain until it is complete, has a path to a trust anchor searched for (path.h), checks
 * purpose and host of the server's certificate, and finds words for what is wrong. BearSSL's own "minimal"
 * engine is not used: it insists on one order, ignores name constraints and the purpose of authorities,
 * refuses extensions only for being critical, and trusts any certificate with the key and the name of an
 * anchor that is no authority.
 */
#ifndef IO_TLS_X509_H
#define IO_TLS_X509_H

#include <bearssl.h>

#include "io/tls/config.h"
#include "io/tls/engine.h"
#include "io/tls/path.h"

/* A chain may be this long; the web's are three certificates and some 5 KiB. */
enum { X509_CERTS_MAX = TLS_PATH_CERTS_MAX, X509_CHAIN_BYTES_MAX = 128 << 10 };

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
    br_x509_decoder_context decoder; /* of the server's certificate */
    const br_x509_pkey *key;         /* the server's, once the chain is accepted; in the decoder */
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
