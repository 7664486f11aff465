/* SPDX-License-Identifier: MIT */
/* TLS for clients, as a stream over another stream: TLS 1.2 with BearSSL, or TLS 1.2 and 1.3 with
 * OpenSSL.
 *
 *     static WHORL_SUSPENDS int connect_safely(const char *host, struct whorl_stream **ret)
 *     {
 *         WHORL_AUTO(tls_config) *config = NULL;
 *         struct whorl_stream *tcp;
 *         int err = whorl_tls_config_create(NULL, NULL, &config);
 *         if (err == 0)
 *             err = whorl_dial_stream(host, 443, NULL, NULL, &tcp);
 *         if (err)
 *             return err;
 *         err = whorl_tls_connect(config, tcp, host, NULL, ret);
 *         if (err)
 *             whorl_stream_close(tcp);
 *         return err;
 *     }
 *
 * The certificate chain is checked against trust anchors (the system's, unless others are given)
 * and against the host:
 * - A DNS name is matched by RFC 6125 §6.4. A wildcard replaces the whole leftmost label, and two
 *   labels follow it. The common name counts only when there are no alternative names.
 * - An IP address is matched with the alternative names.
 * The server may send its intermediate certificates in any order. Revocation is not checked.
 *
 * There are two libraries. BearSSL is the default; it has no TLS 1.3. OpenSSL is available when
 * whorl was built with it (-Dopenssl=enabled). Both have the same rules, return the same errors and
 * check certificates with the same code, which is whorl's. If the options do not choose a library,
 * an HTTP session connects again with OpenSSL when a server refuses TLS 1.2.
 *
 * The cipher suites are ECDHE with AES-GCM (first when the processor has AES) and with
 * ChaCha20-Poly1305. There is no renegotiation and no early data.
 * An HTTP session resumes TLS sessions, each only with the host and port that it was made with, and
 * for an hour at most. BearSSL resumes by session ids, OpenSSL also by tickets.
 *
 * The stream has the rules of stream.h, and three more:
 * - An end without close_notify is WHORL_ETLS_TRUNCATED, because an attacker in the network may
 *   have cut off the rest. An HTTP body of known length that has arrived in full is still complete.
 * - whorl_stream_close_write() sends close_notify, which ends both directions, as in TLS 1.2 (RFC
 *   5246 §7.2.1): a read after it returns -ESHUTDOWN. whorl_stream_close() sends nothing.
 * - A read also sends the replies that the TLS protocol requires. A read that is cancelled while it
 *   does so may take up to a second longer.
 *
 * A handshake computes for some milliseconds. It does so on a thread of the run's pool (offload.h),
 * and other tasks run meanwhile. A connection has about 70 KiB of memory; half of it is only
 * touched when much is sent.
 *
 * For debugging with a packet sniffer: when the environment variable SSLKEYLOGFILE is set while a
 * config is made, the keys of its connections are appended to the file that it names.
 */
#ifndef WHORL_TLS_H
#define WHORL_TLS_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/stream.h>

struct whorl_tls_config;

/* The library that does the protocol. */
enum whorl_tls_library {
    WHORL_TLS_ANY, /* the one that the environment variable WHORL_TLS names ("bearssl", "openssl"),
                      else BearSSL, or OpenSSL where BearSSL cannot do what is asked for */
    WHORL_TLS_BEARSSL,
    WHORL_TLS_OPENSSL,
};

/* Versions, from the oldest to the newest. */
enum whorl_tls_version {
    WHORL_TLS_1_2,
    WHORL_TLS_1_3, /* with OpenSSL only */
};

/* Zero-initialised is valid. Everything is borrowed for the call. */
struct whorl_tls_options {
    const char *ca_file;   /* PEM or DER file of trust anchors, instead of the system's */
    const char *ca_dir;    /* directory whose *.pem, *.crt and hashed *.N files are anchors */
    const char *cert_file; /* PEM: the client's certificate, and its chain; NULL: none */
    const char *key_file;  /* PEM: its private key, not encrypted; NULL: it is in cert_file */
    /* Hashes of public keys, as "sha256//BASE64", NULL-terminated; NULL: none. A server must have
     * one of these keys in its certificate, in addition to all other checks. */
    const char *const *pins;
    const char *const *alpn; /* protocols to offer, best first, NULL-terminated; NULL: none.
                                Names of 1 to 255 bytes, 500 in all */
    bool insecure;           /* accept any certificate; for experiments */
    enum whorl_tls_library library;
    enum whorl_tls_version version_min; /* servers must speak this version or a newer one */
    int64_t time_unix_s;                /* check certificates for this time; 0: for now */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Loads trust anchors and checks the options. The thread blocks while files are read. Never
 * suspends.
 *
 * The system's anchors are loaded once per process and shared. They come from the file that the
 * environment variable SSL_CERT_FILE names, or from the directory that SSL_CERT_DIR names, or from
 * the system's bundle. Any number of connections may use a config, also on different threads.
 *
 * @options  NULL for the defaults
 * @error    its step is "TLS", and its text names the file and the cause; may be NULL; borrowed for
 *           the call
 * @ret      the config; destroy it with whorl_tls_config_destroy()
 *
 * Returns: 0; WHORL_ETLS_CAFILE; WHORL_ETLS_CERTFILE; WHORL_ETLS_EXPIRED (the client's
 *          certificate); an open(2) error; -EINVAL (ALPN names, pins, a version that the library
 *          lacks, an unknown name in WHORL_TLS); -EOPNOTSUPP (this build has no OpenSSL); -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_tls_config_create(const struct whorl_tls_options *options,
                                                    struct whorl_error *error,
                                                    struct whorl_tls_config **ret);

/** Releases the config. Its memory is freed once its last connection is closed too. Accepts
 *  NULL. */
WHORL_API void whorl_tls_config_destroy(struct whorl_tls_config *config);

/**
 * Does a handshake over the stream `carrier` and makes a TLS stream of it.
 *
 * @host   the certificate must be valid for this DNS name (which is sent as SNI) or literal address
 * @error  its step is "TLS"; may be NULL; borrowed for the call
 * @ret    the stream; close it with whorl_stream_close()
 *
 * Returns:  0; WHORL_ETLS_*; errors of the carrier; -ENOMEM. After a failure the carrier can only
 *           be closed.
 * Suspends: until the handshake is done. Only a scope limits the time.
 * Cancel:   -ECANCELED; the carrier can only be closed.
 * Owns:     `carrier`, on success.
 */
WHORL_API WHORL_SUSPENDS int whorl_tls_connect(struct whorl_tls_config *config,
                                               struct whorl_stream *carrier, const char *host,
                                               struct whorl_error *error,
                                               struct whorl_stream **ret);

/** The protocol that the server chose with ALPN; NULL when it chose none, and for streams without
 *  TLS. Valid until the close. */
WHORL_API const char *whorl_tls_alpn(const struct whorl_stream *stream);

/** The cipher suite in use, such as "ECDHE-RSA-AES128-GCM-SHA256"; "none" for streams without TLS,
 *  never NULL. */
WHORL_API const char *whorl_tls_suite(const struct whorl_stream *stream);

/** Whether this build of whorl has the library. */
WHORL_API bool whorl_tls_has_library(enum whorl_tls_library library);

/** The version in use, such as "TLS 1.3"; "none" for streams without TLS, never NULL. */
WHORL_API const char *whorl_tls_version_name(const struct whorl_stream *stream);

static inline void whorl_auto_tls_config(struct whorl_tls_config **config)
{
    whorl_tls_config_destroy(*config);
}

#ifdef __cplusplus
}
#endif

#endif
