/* SPDX-License-Identifier: MIT */
/* Which connection fetches which bytes of a file. No I/O.
 *
 *     0                                                          length
 *     |== done ==|>>> claim 1 >>>|== done ==|    gap    |> claim 2 >|
 *
 * A connection claims a run of bytes and receives them in order. Claims do not overlap. When a
 * connection has received its claim, it claims a gap; if there is none, it takes the second half of
 * the claim that will take longest. The connection that loses it stops at the new end.
 */
#ifndef WHORL_GET_CLAIMS_H
#define WHORL_GET_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/get/ranges.h"

enum {
    CLAIMS_MAX = 64,
    CLAIM_SHARE_MIN = 1 << 20, /* a claim with fewer bytes left is not shared */
    /* A connection may be writing this many bytes at the start of its claim, so these stay. */
    CLAIM_KEPT_MIN = 512 << 10,
};

/* The bytes that one connection has still to receive. */
struct claim {
    int64_t at, end;
    int64_t rate; /* bytes per second; 0: not known yet */
};

/* Zero-initialised is valid. */
struct claims {
    struct claim *items[CLAIMS_MAX]; /* borrowed */
    size_t count;
};

/* Finds bytes for one more connection: the first or the longest gap, or a half of a claim, which
 * then ends earlier. Sets `at` and `end` of `ret` and adds it to the claims. Returns false when
 * there is nothing that is worth a connection, or no room. */
bool claims_take_first(struct claims *claims, const struct ranges *done, int64_t length,
                       struct claim *ret);
bool claims_take(struct claims *claims, const struct ranges *done, int64_t length,
                 struct claim *ret);

/* Adds a claim that its owner has cut off from another one. Returns false when there is no room. */
bool claims_add(struct claims *claims, struct claim *claim);

/* Removes a claim. What is left of it becomes a gap. Does nothing if it is not in the set. */
void claims_drop(struct claims *claims, struct claim *claim);

/* How far the bytes from `at` on are neither done nor claimed; `at` if there are none. */
int64_t claims_free_until(const struct claims *claims, const struct ranges *done, int64_t at,
                          int64_t length);

#endif
