/* SPDX-License-Identifier: MIT */
/* TLS for clients: TLS 1.2 through BearSSL, as a stream over a stream.
 *
 *     struct whorl_tls_options options = {.ca_file = "ca.pem"};
 *     WHORL_AUTO(tls_config) *config = NULL;
 *     int err = whorl_tls_config_create(&options, NULL, &config);
 *     if (err == 0)
 *         err = whorl_tls_connect(config, tcp, "example.org", NULL, &stream);
 *
 * The certificate chain is checked against trust anchors (the system's unless others are given) and
 * the host: DNS names by RFC 6125 §6.4 (a wildcard is the whole leftmost label and has two labels
 * behind it; the common name counts only where there are no alternative names), IP addresses by
 * their SAN entry. The server may send its intermediates in any order. There is no revocation check.
 * Suites are ECDHE with AES-GCM (first where the processor has AES) or ChaCha20-Poly1305, nothing
 * else; no renegotiation. There is no TLS 1.3: BearSSL 0.6 does not have it.
 *
 * The stream's rules are those of stream.h, and these:
 * - An end without close_notify is WHORL_ETLS_TRUNCATED: what came before may have been cut by
 *   anyone on the way. A body whose length was known and has come is whole all the same.
 * - whorl_stream_close_write() sends close_notify, which in TLS 1.2 ends both directions (RFC 5246
 *   §7.2.1): reading afterwards is -ESHUTDOWN. A close says nothing.
 * - Whoever reads also answers what the peer's TLS asks of ours; a read that is cancelled meanwhile
 *   may take up to a second more for that.
 *
 * A handshake computes for some milliseconds in a few slices, between which other tasks run. A
 * connection holds some 70 KiB of memory, half of it touched only by who sends much.
 *
 * For those who watch the wire: keys are appended to the file that SSLKEYLOGFILE names in the
 * environment when a config is made.
 */
#ifndef WHORL_TLS_H
#define WHORL_TLS_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/stream.h>

struct whorl_tls_config;

/* Zero-initialised is valid. Everything is borrowed for the call. */
struct whorl_tls_options {
    const char *ca_file;     /* PEM or DER file of trust anchors instead of the system's */
    const char *ca_dir;      /* folder whose *.pem, *.crt and hashed *.N files are anchors */
    const char *const *alpn; /* protocols to offer, best first, NULL-terminated; NULL: none.
                                Names of 1 to 255 bytes, 500 in all */
    bool insecure;           /* accept any certificate; for experiments */
    int64_t time_unix_s;     /* the date certificates are checked for; 0: today */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Loads trust anchors and settles the options. The system's bundle (or the file that SSL_CERT_FILE,
 * else the folder that SSL_CERT_DIR names in the environment) is loaded once per process and shared.
 * A config may be used by any number of connections, also of other threads.
 *
 * @options  NULL for the defaults
 * @error    may be NULL; step is "TLS", the text names file and cause
 *
 * Returns: 0; WHORL_ETLS_CAFILE; an open(2) error; -EINVAL (ALPN names); -ENOMEM. Never suspends (it
 * reads files).
 */
WHORL_API WHORL_CHECKED int whorl_tls_config_create(const struct whorl_tls_options *options,
                                                    struct whorl_error *error,
                                                    struct whorl_tls_config **ret);

/** Drops the caller's hold; freed when its last connection is. Accepts NULL. */
WHORL_API void whorl_tls_config_destroy(struct whorl_tls_config *config);

/**
 * Does a handshake over `carrier` and wraps it.
 *
 * @host   what the certificate must be for: a DNS name (sent as SNI) or a literal IP address
 * @error  may be NULL; step is "TLS"
 * @ret    the stream
 *
 * Returns:  0; WHORL_ETLS_*; errors of the carrier; -ENOMEM. A carrier on which this failed is good
 *           for nothing but its close.
 * Suspends: until the handshake is done. There is no timeout but the scope's.
 * Cancel:   -ECANCELED.
 * Owns:     `carrier`, on success.
 */
WHORL_API WHORL_SUSPENDS int whorl_tls_connect(struct whorl_tls_config *config,
                                               struct whorl_stream *carrier, const char *host,
                                               struct whorl_error *error,
                                               struct whorl_stream **ret);

/** The protocol ALPN settled on; NULL when the server chose none, and for streams that are not TLS.
 *  Valid until the close. */
WHORL_API const char *whorl_tls_alpn(const struct whorl_stream *stream);

/** The cipher suite in use, such as "ECDHE-RSA-AES128-GCM-SHA256"; never NULL, "none" for
 *  streams that are not TLS. */
WHORL_API const char *whorl_tls_suite(const struct whorl_stream *stream);

static inline void whorl_auto_tls_config(struct whorl_tls_config **config)
{
    whorl_tls_config_destroy(*config);
}

#ifdef __cplusplus
}
#endif

#endif
