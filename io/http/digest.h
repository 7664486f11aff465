/* SPDX-License-Identifier: MIT */
/* The Digest scheme of authentication (RFC 7616): proves that the client knows a password without
 * sending it. With qop=auth; also without qop, as RFC 2069 had it. No I/O: the caller chooses
 * cnonce and nc. */
#ifndef IO_HTTP_DIGEST_H
#define IO_HTTP_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "io/http/challenge.h"

enum { DIGEST_CNONCE_SIZE = 33 }; /* 32 hexadecimal digits and a NUL */

/* In the order of strength. */
enum digest_algorithm {
    DIGEST_MD5,
    DIGEST_MD5_SESS,
    DIGEST_SHA256,
    DIGEST_SHA256_SESS,
};

/* A challenge that can be answered. The strings are owned. */
struct digest {
    enum digest_algorithm algorithm;
    char *realm, *nonce;
    char *opaque; /* NULL: none */
    bool has_qop; /* with "auth" in it */
    bool is_stale, has_userhash, is_utf8;
};

/**
 * Copies a challenge of the scheme Digest.
 *
 * @ret  free it with digest_finish()
 *
 * Returns: 1; 0 when it cannot be answered: no realm or nonce, an unknown algorithm, a qop without
 *          "auth", control bytes, or more than 4 KiB; -ENOMEM.
 */
int digest_init(struct digest *ret, const struct challenge *challenge);

/** Frees. Accepts a zeroed struct. */
void digest_finish(struct digest *digest);

/** The algorithm of a challenge; -1: unknown. Without one it is MD5. */
int digest_algorithm_of(const struct challenge *challenge);

struct digest_input {
    const char *user, *password; /* UTF-8 */
    const char *method, *uri;    /* as in the request line */
    const char *cnonce;
    uint32_t nc; /* from 1; counts the requests that use the nonce */
};

/**
 * Writes "Digest username=..." with a NUL.
 *
 * @ret  free it; it holds no password
 *
 * Returns: 0; WHORL_EHTTP_REQUEST_HEADER when user or password contains a control byte; -ENOMEM.
 */
int digest_write(const struct digest *digest, const struct digest_input *input, char **ret);

#endif
