/* SPDX-License-Identifier: MIT */
/* Reading DER (X.690 §10), strictly: one element after the other, without copying. */
#ifndef IO_TLS_DER_H
#define IO_TLS_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A range of bytes that other memory holds. */
struct tls_bytes {
    const unsigned char *data;
    size_t len;
};

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BITS = 0x03,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

static inline bool der_equal(const struct tls_bytes *a, const struct tls_bytes *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Takes the next element from `from`: its tag and contents. Returns false at the end, and when the
 * element is malformed: its length is indefinite, not minimal, or greater than the bytes left. */
static inline bool der_next(struct tls_bytes *from, unsigned *ret_tag, struct tls_bytes *ret)
{
    const unsigned char *p = from->data;
    size_t left = from->len, len;

    if (left < 2 || (p[0] & 0x1f) == 0x1f)
        return false;
    *ret_tag = p[0];
    len = p[1];
    p += 2;
    left -= 2;
    if (len & 0x80) {
        size_t count = len & 0x7f;
        if (count == 0 || count > 3 || left < count || p[0] == 0)
            return false;
        len = 0;
        for (size_t i = 0; i < count; i++)
            len = len << 8 | p[i];
        if (len < 0x80)
            return false;
        p += count;
        left -= count;
    }
    if (len > left)
        return false;
    *ret = (struct tls_bytes){p, len};
    *from = (struct tls_bytes){p + len, left - len};
    return true;
}

/* Takes the next element, which must have this tag; else nothing is written. */
static inline bool der_expect(struct tls_bytes *from, unsigned tag, struct tls_bytes *ret)
{
    struct tls_bytes rest = *from, contents;
    unsigned found;

    if (!der_next(&rest, &found, &contents) || found != tag)
        return false;
    *from = rest;
    *ret = contents;
    return true;
}

/* Takes the next element when it has this tag. */
static inline void der_skip_optional(struct tls_bytes *from, unsigned tag)
{
    struct tls_bytes ignored;

    (void)der_expect(from, tag, &ignored);
}

/* Takes the next element, which must have this tag; `ret` includes its tag and length. */
static inline bool der_expect_whole(struct tls_bytes *from, unsigned tag, struct tls_bytes *ret)
{
    const unsigned char *start = from->data;
    struct tls_bytes contents;

    if (!der_expect(from, tag, &contents))
        return false;
    *ret = (struct tls_bytes){start, (size_t)(from->data - start)};
    return true;
}

#endif
