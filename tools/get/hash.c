/* SPDX-License-Identifier: MIT */
/* Hashes of bodies, see hash.h. */
#include "tools/get/hash.h"

#include <ctype.h>
#include <nettle/version.h>
#include <stdio.h>
#include <string.h>

#include "tools/get/buffer.h"

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

/* Saved states */

/* What a context consists of, as far as its state cannot be calculated from the count of bytes. */
struct parts {
    unsigned char *words; /* of the chaining value, in the order of the processor */
    size_t count, size;   /* of words; bytes of one */
    unsigned char *block;
    size_t block_size;
    unsigned *index; /* of the first free byte of the block */
};

static struct parts parts_of(struct hash *hash, enum hash_kind kind)
{
    struct md5_ctx *md5 = &hash->md5;
    struct sha1_ctx *sha1 = &hash->sha1;
    struct sha256_ctx *sha256 = &hash->sha256;
    struct sha512_ctx *sha512 = &hash->sha512;

    switch (kind) {
    case HASH_MD5:
        return (struct parts){(void *)md5->state, 4, 4, md5->block, MD5_BLOCK_SIZE, &md5->index};
    case HASH_SHA1:
        return (struct parts){(void *)sha1->state, 5,           4, sha1->block,
                              SHA1_BLOCK_SIZE,     &sha1->index};
    case HASH_SHA256:
        return (struct parts){(void *)sha256->state, 8, 4, sha256->block, SHA256_BLOCK_SIZE,
                              &sha256->index};
    default:
        return (struct parts){(void *)sha512->state, 8, 8, sha512->block, SHA512_BLOCK_SIZE,
                              &sha512->index};
    }
}

static void set_blocks(struct hash *hash, enum hash_kind kind, uint64_t count)
{
    if (kind == HASH_MD5)
        hash->md5.count = count;
    else if (kind == HASH_SHA1)
        hash->sha1.count = count;
    else if (kind == HASH_SHA256)
        hash->sha256.count = count;
    else
        hash->sha512.count_low = count;
}

/* The beginning of a saved state. The contexts of another version of the library may count
 * otherwise, and those of another processor may have the bytes of a word in another order. */
static size_t write_version(char *ret, size_t size)
{
    const uint16_t one = 1;
    unsigned char low;

    memcpy(&low, &one, 1);
    return (size_t)snprintf(ret, size, "1 nettle-%d.%d%s", nettle_version_major(),
                            nettle_version_minor(), low ? "" : "-be");
}

static void add_hex(struct buffer *to, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *room = buffer_room(to, 2 * len);

    if (!room)
        return;
    for (size_t i = 0; i < len; i++) {
        room[2 * i] = digits[bytes[i] >> 4];
        room[2 * i + 1] = digits[bytes[i] & 15];
    }
    room[2 * len] = '\0';
    to->len += 2 * len;
}

void hash_save(const struct hash *hash, int64_t len, struct buffer *ret)
{
    struct hash copy = *hash;
    char version[64];

    buffer_add(ret, version, write_version(version, sizeof version));
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++) {
        if (!(hash->kinds & 1u << kind))
            continue;
        struct parts parts = parts_of(&copy, kind);
        buffer_printf(ret, " %s=", kinds[kind].name);
        add_hex(ret, parts.words, parts.count * parts.size);
        buffer_add(ret, ",", 1);
        add_hex(ret, parts.block, (size_t)len % parts.block_size);
    }
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads exactly `len` bytes, and moves `*text` behind them. */
static bool take_hex(const char **text, unsigned char *ret, size_t len)
{
    const char *p = *text;

    for (size_t i = 0; i < len; i++, p += 2) {
        if (digit(p[0]) < 0 || digit(p[1]) < 0) /* also at the end of the text */
            return false;
        ret[i] = (unsigned char)(digit(p[0]) << 4 | digit(p[1]));
    }
    *text = p;
    return true;
}

static bool restore_kind(struct hash *hash, enum hash_kind kind, int64_t len, const char *text)
{
    struct parts parts = parts_of(hash, kind);
    size_t rest = (size_t)len % parts.block_size;
    char name[16];

    snprintf(name, sizeof name, " %s=", kinds[kind].name);
    const char *p = strstr(text, name);
    if (!p)
        return false;
    p += strlen(name);
    /* Index and count follow from `len`, so no text makes the library write behind the block. */
    if (!take_hex(&p, parts.words, parts.count * parts.size) || *p++ != ',' ||
        !take_hex(&p, parts.block, rest) || (*p && *p != ' '))
        return false;
    *parts.index = (unsigned)rest;
    set_blocks(hash, kind, (uint64_t)len / parts.block_size);
    return true;
}

bool hash_restore(struct hash *hash, unsigned wanted, int64_t len, const char *text)
{
    char version[64];
    size_t version_len = write_version(version, sizeof version);
    bool is_good = len >= 0 && strncmp(text, version, version_len) == 0;

    hash_init(hash, wanted);
    text += is_good ? version_len : 0;
    for (enum hash_kind kind = 0; kind < HASH_KINDS && is_good; kind++)
        if (wanted & 1u << kind)
            is_good = restore_kind(hash, kind, len, text);
    return is_good;
}
