/* SPDX-License-Identifier: MIT */
/* One content coding (RFC 9110 §8.4.1) while it is decoded: gzip, deflate, br or zstd. decode.h
 * puts several on top of each other.
 */
#ifndef IO_HTTP_CODING_H
#define IO_HTTP_CODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stream that is being decoded, the first member of each coding's own struct. */
struct coding {
    const struct coding_ops *ops;
    const char *reason; /* what is wrong; valid after WHORL_EHTTP_ENCODING */
};

/* What one call reads and writes. */
struct coding_span {
    const uint8_t *in;
    size_t in_len, used;
    uint8_t *out;
    size_t out_len, made;
};

struct coding_ops {
    const char *name;

    /* Returns a new stream, or NULL when there is no memory. */
    struct coding *(*open)(void);

    /* Decodes until `in` is used up or `out` is full. Sets the counts, also when it fails. Returns
     * 0; 1 when a whole stream has ended; WHORL_EHTTP_ENCODING; -ENOMEM. */
    int (*run)(struct coding *coding, struct coding_span *span);

    /* Prepares for another stream behind one that has ended. False: none may follow that begins
     * with this byte. NULL: none may follow. */
    bool (*next)(struct coding *coding, uint8_t first);

    void (*close)(struct coding *coding);
};

extern const struct coding_ops coding_gzip, coding_deflate;
extern const struct coding_ops coding_brotli; /* with WHORL_WITH_BROTLI */
extern const struct coding_ops coding_zstd;   /* with WHORL_WITH_ZSTD */

/* Reports damaged data. Returns WHORL_EHTTP_ENCODING. `reason` is static text. */
int coding_fail(struct coding *coding, const char *reason);

#endif
