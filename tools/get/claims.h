/* SPDX-License-Identifier: MIT */
/* Which connection fetches which bytes of a file. No I/O.
 *
 *     0                                                          length
 *     |== done ==|>>> claim 1 >>>|== done ==|    gap    |> claim 2 >|
 *
 * A connection claims a run of bytes and receives them in order. Claims do not overlap. When a
 * connection has received its claim, it claims a gap. If there is none, it takes the end of another
 * claim, if the bytes are then there earlier:
 *
 *     >>> claim 1 >>>|                                   its connection is idle
 *                    |>>> claim 2 >>>>>>>>>>>>>>>>>>|
 *                    |>>>>>>>>|      claim 1        |    both will end at the same time
 *
 * A slow connection so keeps few bytes. If it would keep only what the other one receives in a
 * moment, it loses the claim, and its request is to be given up: it may stay silent for long.
 */
#ifndef WHORL_GET_CLAIMS_H
#define WHORL_GET_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/get/ranges.h"
#include "tools/get/speed.h"

enum { CLAIMS_MAX = 64 };

/* The bytes that one connection has still to receive. */
struct claim {
    int64_t at, end;
    int64_t kept;       /* bytes before it are being written, or are there: they are not taken */
    bool is_lost;       /* another connection has taken all other bytes */
    struct speed speed; /* of the connection; kept from one claim to the next */
};

/* Zero-initialised is valid. */
struct claims {
    struct claim *items[CLAIMS_MAX]; /* borrowed */
    size_t count;
};

/* Finds bytes for a connection: claims_take_first() the first gap, claims_take() the longest one,
 * or else the end of another claim, which then ends earlier or is lost. Sets `at` and `end` of
 * `ret`, whose `speed` is that of the connection, and adds it to the claims. Returns false when
 * there is nothing that is worth a request, or no room. */
bool claims_take_first(struct claims *claims, const struct ranges *done, int64_t length,
                       struct claim *ret);
bool claims_take(struct claims *claims, const struct ranges *done, int64_t length, int64_t now_ns,
                 struct claim *ret);

/* Whether claims_take() would find bytes for a connection with this speed. */
bool claims_have(const struct claims *claims, const struct ranges *done, int64_t length,
                 int64_t now_ns, const struct speed *speed);

/* Adds a claim that its owner has cut off from another one. Returns false when there is no room. */
bool claims_add(struct claims *claims, struct claim *claim);

/* Removes a claim. What is left of it becomes a gap. Does nothing if it is not in the set. */
void claims_drop(struct claims *claims, struct claim *claim);

/* How far the bytes from `at` on are neither done nor claimed; `at` if there are none. */
int64_t claims_free_until(const struct claims *claims, const struct ranges *done, int64_t at,
                          int64_t length);

#endif
