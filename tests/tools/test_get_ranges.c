/* SPDX-License-Identifier: MIT */
/* Sets of byte positions, compared with an array of flags. */
#include <stdlib.h>

#include "test.h"
#include "tools/get/ranges.h"

enum { LENGTH = 60 };

static void check_add(struct ranges *ranges, int64_t start, int64_t end)
{
    CHECK_OK(ranges_add(ranges, start, end));
}

static void check_item(const struct ranges *ranges, size_t i, int64_t start, int64_t end)
{
    CHECK(i < ranges->count);
    CHECK_EQ(ranges->items[i].start, start);
    CHECK_EQ(ranges->items[i].end, end);
}

TEST(ranges_that_touch_become_one)
{
    struct ranges ranges = {0};

    check_add(&ranges, 10, 20);
    check_add(&ranges, 30, 40);
    check_add(&ranges, 50, 50);
    CHECK_EQ(ranges.count, 2);
    check_add(&ranges, 20, 30);
    CHECK_EQ(ranges.count, 1);
    check_item(&ranges, 0, 10, 40);
    check_add(&ranges, 0, 100);
    CHECK_EQ(ranges.count, 1);
    check_item(&ranges, 0, 0, 100);
    ranges_finish(&ranges);
}

TEST(gaps_are_found_at_both_ends_and_between)
{
    struct ranges ranges = {0};
    struct range gap;

    CHECK(ranges_first_gap(&ranges, 100, &gap));
    CHECK(gap.start == 0 && gap.end == 100);
    check_add(&ranges, 10, 20);
    check_add(&ranges, 60, 90);
    CHECK(ranges_first_gap(&ranges, 100, &gap));
    CHECK(gap.start == 0 && gap.end == 10);
    CHECK(ranges_longest_gap(&ranges, 100, &gap));
    CHECK(gap.start == 20 && gap.end == 60);
    check_add(&ranges, 0, 60);
    CHECK(ranges_first_gap(&ranges, 100, &gap));
    CHECK(gap.start == 90 && gap.end == 100);
    CHECK(!ranges_first_gap(&ranges, 90, &gap));
    CHECK(!ranges_longest_gap(&ranges, 90, &gap));
    ranges_finish(&ranges);
}

/* The length of the run of bytes with this flag before or from `at`. */
static int64_t run_before(const bool *flags, int64_t at)
{
    int64_t n = 0;

    while (at - n > 0 && flags[at - n - 1])
        n++;
    return n;
}

static int64_t free_until(const bool *flags, int64_t at)
{
    while (at < LENGTH && !flags[at])
        at++;
    return at;
}

static void check_same(const struct ranges *ranges, const bool *flags)
{
    int64_t sum = 0, last = 0, longest = 0;
    struct range gap = {0, 0};

    for (int64_t i = 0; i < LENGTH; i++) {
        sum += flags[i];
        last = flags[i] ? i + 1 : last;
        CHECK_EQ(ranges_before(ranges, i), run_before(flags, i));
        CHECK_EQ(ranges_free_until(ranges, i, LENGTH), free_until(flags, i));
        if (free_until(flags, i) - i > longest)
            longest = free_until(flags, i) - i;
    }
    CHECK_EQ(ranges_sum(ranges), sum);
    CHECK_EQ(ranges_end(ranges), last);
    CHECK_EQ(ranges_longest_gap(ranges, LENGTH, &gap), longest > 0);
    CHECK_EQ(gap.end - gap.start, longest);
    for (size_t i = 0; i < ranges->count; i++) {
        CHECK(ranges->items[i].start < ranges->items[i].end);
        CHECK(i == 0 || ranges->items[i - 1].end < ranges->items[i].start);
    }
}

TEST(a_set_behaves_as_an_array_of_flags)
{
    srand(1);
    for (int round = 0; round < 300; round++) {
        struct ranges ranges = {0};
        bool flags[LENGTH] = {false};
        for (int step = 0; step < 12; step++) {
            int start = rand() % LENGTH, len = rand() % 12;
            int end = start + len < LENGTH ? start + len : LENGTH;
            if (rand() % 8 == 0) {
                ranges_cut(&ranges, start);
                memset(flags + start, 0, (size_t)(LENGTH - start));
            } else {
                check_add(&ranges, start, end);
                memset(flags + start, 1, (size_t)(end - start));
            }
            check_same(&ranges, flags);
        }
        struct ranges copy = {0};
        CHECK_OK(ranges_add_all(&copy, &ranges));
        check_same(&copy, flags);
        ranges_finish(&copy);
        ranges_finish(&ranges);
    }
}

TEST_MAIN()
