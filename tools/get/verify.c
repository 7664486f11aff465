/* SPDX-License-Identifier: MIT */
/* Checking bodies, see verify.h. */
#include "tools/get/verify.h"

#include <inttypes.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool verify_expect(struct verify *verify, enum hash_kind kind, const char *hex, const char *source)
{
    struct verify_hash *hash = &verify->expected[kind];

    if (hash->hex)
        return strcasecmp(hash->hex, hex) == 0;
    *hash = (struct verify_hash){hex, source};
    return true;
}

/* --- headers --- */

/* Takes the hash of one member, in base64. A wrong one is ignored, like a missing one. */
static void take_base64(struct verify *verify, enum hash_kind kind, const char *text, size_t len,
                        const char *header)
{
    struct base64_decode_ctx ctx;
    uint8_t hash[BASE64_DECODE_LENGTH(2 * SHA512_DIGEST_SIZE)];
    size_t n = sizeof hash;

    if (verify->from_headers[kind][0] || BASE64_DECODE_LENGTH(len) > sizeof hash)
        return;
    base64_decode_init(&ctx);
    if (!base64_decode_update(&ctx, &n, hash, len, text) || !base64_decode_final(&ctx) ||
        n != hash_size(kind))
        return;
    for (size_t i = 0; i < n; i++)
        sprintf(verify->from_headers[kind] + 2 * i, "%02x", hash[i]);
    verify->header_names[kind] = header;
}

/* Takes the members "NAME=VALUE, NAME=VALUE". With `in_colons`, a value is ":BASE64:" (a byte
 * sequence of RFC 8941 §3.3.5), and parameters may follow it. */
static void take_header(struct verify *verify, const struct whorl_http_response *response,
                        const char *header, bool in_colons)
{
    const char *p = whorl_http_response_header(response, header);

    while (p && *p) {
        p += strspn(p, " \t,");
        const char *name = p, *end = p + strcspn(p, ",");
        const char *value = memchr(name, '=', (size_t)(end - name));
        enum hash_kind kind;
        if (value && hash_find(name, (size_t)(value - name), &kind)) {
            size_t len = (size_t)(end - ++value);
            const char *colon =
                in_colons && len > 1 && *value == ':' ? memchr(value + 1, ':', len - 1) : NULL;
            if (colon)
                take_base64(verify, kind, value + 1, (size_t)(colon - value - 1), header);
            else if (!in_colons)
                take_base64(verify, kind, value, strcspn(value, " \t,;"), header);
        }
        p = end;
    }
}

void verify_begin(struct verify *verify, const struct whorl_http_response *response, bool decodes)
{
    unsigned kinds = verify->notes_sha256 ? 1u << HASH_SHA256 : 0;

    memset(verify->from_headers, 0, sizeof verify->from_headers);
    if (response && !decodes && whorl_http_response_status(response) == 200) {
        take_header(verify, response, "Repr-Digest", true);
        take_header(verify, response, "Content-Digest", true);
        take_header(verify, response, "Digest", false);
    }
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++)
        if (verify->expected[kind].hex || verify->from_headers[kind][0])
            kinds |= 1u << kind;
    hash_init(&verify->hash, kinds);
    verify->seen = 0;
    verify->is_restored = false;
    verify->sha256[0] = '\0';
}

bool verify_has_hash(const struct verify *verify)
{
    bool has_hash = false;

    for (int kind = 0; kind < HASH_KINDS; kind++)
        has_hash |= verify->expected[kind].hex != NULL;
    return has_hash;
}

bool verify_is_expected(const struct verify *verify)
{
    return verify->size_source || verify_has_hash(verify);
}

bool verify_is_needed(const struct verify *verify)
{
    return verify->hash.kinds || verify->size_source;
}

void verify_update(struct verify *verify, const void *data, size_t len)
{
    hash_update(&verify->hash, data, len);
    verify->seen += (int64_t)len;
}

void verify_save(const struct verify *verify, struct buffer *ret)
{
    if (verify->hash.kinds)
        hash_save(&verify->hash, verify->seen, ret);
}

bool verify_restore(struct verify *verify, int64_t len, const char *state)
{
    unsigned kinds = verify->hash.kinds;

    verify->is_restored = kinds && hash_restore(&verify->hash, kinds, len, state);
    if (verify->is_restored)
        verify->seen = len;
    else
        hash_init(&verify->hash, kinds);
    return verify->is_restored;
}

bool verify_end(struct verify *verify, enum hash_kind *ret_kind, char *why, size_t why_size)
{
    *ret_kind = HASH_KINDS;
    if (verify->size_source && verify->size != verify->seen) {
        snprintf(why, why_size, "its size is %" PRId64 " bytes, and %s says %" PRId64, verify->seen,
                 verify->size_source, verify->size);
        return false;
    }
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++) {
        char hex[HASH_HEX_SIZE];
        const struct verify_hash *expected = &verify->expected[kind];
        const char *sent = verify->from_headers[kind];
        if (!(verify->hash.kinds & 1u << kind))
            continue;
        hash_finish(&verify->hash, kind, hex);
        if (kind == HASH_SHA256)
            strcpy(verify->sha256, hex);
        if (!expected->hex && !*sent)
            continue;
        *ret_kind = kind;
        bool is_as_expected = !expected->hex || strcasecmp(expected->hex, hex) == 0;
        if (is_as_expected && (!*sent || strcmp(sent, hex) == 0))
            continue;
        snprintf(why, why_size, "its %s is %s, and %s says %s", hash_name(kind), hex,
                 is_as_expected ? verify->header_names[kind] : expected->source,
                 is_as_expected ? sent : expected->hex);
        return false;
    }
    return true;
}
