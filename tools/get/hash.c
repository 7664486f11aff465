/* SPDX-License-Identifier: MIT */
/* Hashes of bodies, see hash.h. */
#include "tools/get/hash.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} kinds[HASH_KINDS] = {
    [HASH_MD5] = {"md5", MD5_DIGEST_SIZE},
    [HASH_SHA1] = {"sha1", SHA1_DIGEST_SIZE},
    [HASH_SHA256] = {"sha256", SHA256_DIGEST_SIZE},
    [HASH_SHA512] = {"sha512", SHA512_DIGEST_SIZE},
};

const char *hash_name(enum hash_kind kind)
{
    return kinds[kind].name;
}

size_t hash_size(enum hash_kind kind)
{
    return kinds[kind].size;
}

bool hash_find(const char *name, size_t len, enum hash_kind *ret)
{
    char plain[16] = ""; /* without dashes, in lower case */
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (name[i] == '-')
            continue;
        if (n == sizeof plain - 1)
            return false;
        plain[n++] = (char)tolower((unsigned char)name[i]);
    }
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++)
        if (strcmp(plain, kinds[kind].name) == 0 || (kind == HASH_SHA1 && !strcmp(plain, "sha"))) {
            *ret = kind;
            return true;
        }
    return false;
}

bool hash_is_hex(enum hash_kind kind, const char *hex)
{
    size_t len = strlen(hex);

    return len == 2 * kinds[kind].size && strspn(hex, "0123456789abcdefABCDEF") == len;
}

void hash_init(struct hash *hash, unsigned wanted)
{
    hash->kinds = wanted;
    if (wanted & 1u << HASH_MD5)
        md5_init(&hash->md5);
    if (wanted & 1u << HASH_SHA1)
        sha1_init(&hash->sha1);
    if (wanted & 1u << HASH_SHA256)
        sha256_init(&hash->sha256);
    if (wanted & 1u << HASH_SHA512)
        sha512_init(&hash->sha512);
}

void hash_update(struct hash *hash, const void *data, size_t len)
{
    if (hash->kinds & 1u << HASH_MD5)
        md5_update(&hash->md5, len, data);
    if (hash->kinds & 1u << HASH_SHA1)
        sha1_update(&hash->sha1, len, data);
    if (hash->kinds & 1u << HASH_SHA256)
        sha256_update(&hash->sha256, len, data);
    if (hash->kinds & 1u << HASH_SHA512)
        sha512_update(&hash->sha512, len, data);
}

void hash_finish(struct hash *hash, enum hash_kind kind, char ret[HASH_HEX_SIZE])
{
    unsigned char bytes[SHA512_DIGEST_SIZE];
    size_t size = kinds[kind].size;

    if (kind == HASH_MD5)
        md5_digest(&hash->md5, size, bytes);
    else if (kind == HASH_SHA1)
        sha1_digest(&hash->sha1, size, bytes);
    else if (kind == HASH_SHA256)
        sha256_digest(&hash->sha256, size, bytes);
    else
        sha512_digest(&hash->sha512, size, bytes);
    for (size_t i = 0; i < size; i++)
        sprintf(ret + 2 * i, "%02x", bytes[i]);
}
