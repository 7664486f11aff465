/* SPDX-License-Identifier: MIT */
/* Whether a body is the one that was expected: its size and its hashes. Expectations come from the
 * command line, a list, a file of checksums, or the headers of the response:
 *
 *     Repr-Digest: sha-256=:BASE64:     RFC 9530; Content-Digest as well
 *     Digest: SHA-256=BASE64            RFC 3230, which RFC 9530 replaces
 *
 * A header of the server shows damage on the way, but no bad intent of the server. No I/O.
 */
#ifndef WHORL_GET_VERIFY_H
#define WHORL_GET_VERIFY_H

#include <stdint.h>

#include <whorl/http.h>

#include "tools/get/hash.h"

/* What is expected, and what has been seen. Zero-initialised expects nothing. */
struct verify {
    /* Set once; strings are borrowed. */
    struct verify_hash {
        const char *hex;    /* NULL: not known */
        const char *source; /* for messages: "--checksum", "the list", ... */
    } expected[HASH_KINDS];
    int64_t size; /* -1: not known */
    const char *size_source;
    bool notes_sha256; /* calculate it in any case; it is in `sha256` after verify_end() */

    /* Of the current attempt. */
    char from_headers[HASH_KINDS][HASH_HEX_SIZE]; /* "": none */
    const char *header_names[HASH_KINDS];
    struct hash hash;
    int64_t seen;
    bool is_restored;           /* some of the `seen` bytes were seen by an earlier run only */
    char sha256[HASH_HEX_SIZE]; /* "": not known */
};

/* Adds an expectation. Returns false when another one contradicts it: both cannot be met. */
bool verify_expect(struct verify *verify, enum hash_kind kind, const char *hex, const char *source);

/**
 * Begins an attempt.
 *
 * @response  whose headers are looked at; NULL: none. They are skipped for a part (206) and for a
 *            decoded body (`decodes`), because they are about other bytes than those that are seen
 */
void verify_begin(struct verify *verify, const struct whorl_http_response *response, bool decodes);

/* Whether the user expects anything of the body, whatever its headers say. */
bool verify_is_expected(const struct verify *verify);

/* Whether the user expects a hash, so that a body with wrong bytes is always noticed. */
bool verify_has_hash(const struct verify *verify);

/* Whether the body must be seen at all. */
bool verify_is_needed(const struct verify *verify);

/* The next bytes of the body. */
void verify_update(struct verify *verify, const void *data, size_t len);

/* Appends the state of the hashes for verify_restore(), or nothing when there are none. */
void verify_save(const struct verify *verify, struct buffer *ret);

/* Continues after `len` bytes that an earlier run has seen, right after verify_begin(). `state` is
 * not trusted: if the verdict is bad, it may be wrong, and all bytes must be seen again. Returns
 * false when the state cannot be used; then no byte has been seen. */
bool verify_restore(struct verify *verify, int64_t len, const char *state);

/**
 * Decides, once the whole body has been seen.
 *
 * @ret_kind  the strongest hash that was compared; HASH_KINDS: none
 * @why       with a mismatch: both values, and where the expectation comes from
 *
 * Returns: whether everything is as expected.
 */
bool verify_end(struct verify *verify, enum hash_kind *ret_kind, char *why, size_t why_size);

#endif
