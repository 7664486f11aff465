/* SPDX-License-Identifier: MIT */
/* A set of byte positions of one file, stored as ranges. No I/O.
 *
 * The ranges are sorted, and between two of them there is at least one byte that is not in the set.
 * So a set with all bytes of a file has exactly one range.
 */
#ifndef WHORL_GET_RANGES_H
#define WHORL_GET_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes from `start` up to and without `end`. */
struct range {
    int64_t start, end;
};

/* Zero-initialised is the empty set. */
struct ranges {
    struct range *items; /* owned */
    size_t count, size;
};

void ranges_finish(struct ranges *ranges);

/* Adds a range, which may overlap others; an empty one adds nothing. Returns 0 or -ENOMEM. */
int ranges_add(struct ranges *ranges, int64_t start, int64_t end);

/* Adds all bytes of `from`. Returns 0 or -ENOMEM, and then some of them may have been added. */
int ranges_add_all(struct ranges *ranges, const struct ranges *from);

/* Removes all bytes at `end` and behind it. */
void ranges_cut(struct ranges *ranges, int64_t end);

/* Removes all bytes and keeps the memory. */
void ranges_clear(struct ranges *ranges);

/* The count of the bytes. */
int64_t ranges_sum(const struct ranges *ranges);

/* The end of the last range, or 0. */
int64_t ranges_end(const struct ranges *ranges);

/* How many bytes directly before `at` are in the set. */
int64_t ranges_before(const struct ranges *ranges, int64_t at);

/* The end of the run of bytes from `at` on that are not in the set: the start of the next range, or
 * `length`. Returns `at` if that byte is in the set. */
int64_t ranges_free_until(const struct ranges *ranges, int64_t at, int64_t length);

/* The end of the run of bytes from `at` on that are in the set; `at` if that byte is not. */
int64_t ranges_until(const struct ranges *ranges, int64_t at);

/* The first or the longest run of bytes below `length` that are not in the set. Returns false when
 * all are in it. */
bool ranges_first_gap(const struct ranges *ranges, int64_t length, struct range *ret);
bool ranges_longest_gap(const struct ranges *ranges, int64_t length, struct range *ret);

#endif
