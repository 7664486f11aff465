/* SPDX-License-Identifier: MIT */
/* Sets of byte positions, see ranges.h. */
#include "tools/get/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ranges_finish(struct ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct ranges){0};
}

/* The index of the first range that ends at `at` or behind it. */
static size_t find(const struct ranges *ranges, int64_t at)
{
    size_t low = 0, high = ranges->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].end < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int make_room(struct ranges *ranges)
{
    if (ranges->count < ranges->size)
        return 0;
    size_t size = ranges->size ? 2 * ranges->size : 8;
    struct range *items = reallocarray(ranges->items, size, sizeof *items);
    if (!items)
        return -ENOMEM;
    ranges->items = items;
    ranges->size = size;
    return 0;
}

int ranges_add(struct ranges *ranges, int64_t start, int64_t end)
{
    size_t first = find(ranges, start), last = first;

    if (start >= end)
        return 0;
    /* The ranges from `first` up to `last` touch the new one and become a part of it. */
    for (; last < ranges->count && ranges->items[last].start <= end; last++) {
        struct range *item = &ranges->items[last];
        start = item->start < start ? item->start : start;
        end = item->end > end ? item->end : end;
    }
    if (first == last) {
        int err = make_room(ranges);
        if (err)
            return err;
    }
    size_t behind = ranges->count - last;
    memmove(ranges->items + first + 1, ranges->items + last, behind * sizeof *ranges->items);
    ranges->items[first] = (struct range){start, end};
    ranges->count = first + 1 + behind;
    return 0;
}

int ranges_add_all(struct ranges *ranges, const struct ranges *from)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < from->count; i++)
        err = ranges_add(ranges, from->items[i].start, from->items[i].end);
    return err;
}

void ranges_cut(struct ranges *ranges, int64_t end)
{
    while (ranges->count > 0 && ranges->items[ranges->count - 1].start >= end)
        ranges->count--;
    if (ranges->count > 0 && ranges->items[ranges->count - 1].end > end)
        ranges->items[ranges->count - 1].end = end;
}

void ranges_clear(struct ranges *ranges)
{
    ranges->count = 0;
}

int64_t ranges_sum(const struct ranges *ranges)
{
    int64_t sum = 0;

    for (size_t i = 0; i < ranges->count; i++)
        sum += ranges->items[i].end - ranges->items[i].start;
    return sum;
}

int64_t ranges_end(const struct ranges *ranges)
{
    return ranges->count > 0 ? ranges->items[ranges->count - 1].end : 0;
}

int64_t ranges_before(const struct ranges *ranges, int64_t at)
{
    size_t i = find(ranges, at);

    if (i == ranges->count || ranges->items[i].start >= at)
        return 0;
    return at - ranges->items[i].start;
}

int64_t ranges_free_until(const struct ranges *ranges, int64_t at, int64_t length)
{
    size_t i = find(ranges, at + 1);

    if (i == ranges->count)
        return at > length ? at : length;
    return ranges->items[i].start > at ? ranges->items[i].start : at;
}

int64_t ranges_until(const struct ranges *ranges, int64_t at)
{
    size_t i = find(ranges, at + 1);

    return i < ranges->count && ranges->items[i].start <= at ? ranges->items[i].end : at;
}

/* Gap number `i` is the one before range number `i`; the last one is behind all ranges. */
static struct range gap_at(const struct ranges *ranges, size_t i, int64_t length)
{
    return (struct range){i > 0 ? ranges->items[i - 1].end : 0,
                          i < ranges->count ? ranges->items[i].start : length};
}

bool ranges_first_gap(const struct ranges *ranges, int64_t length, struct range *ret)
{
    for (size_t i = 0; i <= ranges->count; i++) {
        struct range gap = gap_at(ranges, i, length);
        if (gap.start < gap.end) {
            *ret = gap;
            return true;
        }
    }
    return false;
}

bool ranges_longest_gap(const struct ranges *ranges, int64_t length, struct range *ret)
{
    int64_t longest = 0;

    for (size_t i = 0; i <= ranges->count; i++) {
        struct range gap = gap_at(ranges, i, length);
        if (gap.end - gap.start > longest) {
            longest = gap.end - gap.start;
            *ret = gap;
        }
    }
    return longest > 0;
}
