/* SPDX-License-Identifier: MIT */
/* Claims of connections: they never overlap, and together they fetch every byte once. */
#include <stdlib.h>

#include "test.h"
#include "tools/get/claims.h"

#define MIB ((int64_t)1 << 20)

static void check_claim(const struct claim *claim, int64_t at, int64_t end)
{
    CHECK_EQ(claim->at, at);
    CHECK_EQ(claim->end, end);
}

TEST(the_first_claim_is_the_whole_file)
{
    struct claims claims = {0};
    struct ranges done = {0};
    struct claim a;

    CHECK(claims_take_first(&claims, &done, 8 * MIB, &a));
    check_claim(&a, 0, 8 * MIB);
    CHECK_EQ(claims_free_until(&claims, &done, 0, 8 * MIB), 0);
    claims_drop(&claims, &a);
    CHECK_EQ(claims_free_until(&claims, &done, 0, 8 * MIB), 8 * MIB);
}

TEST(a_second_claim_is_half_of_what_is_left)
{
    struct claims claims = {0};
    struct ranges done = {0};
    struct claim a, b, c;

    CHECK(claims_take_first(&claims, &done, 8 * MIB, &a));
    a.at = 2 * MIB;
    a.rate = MIB;
    CHECK_OK(ranges_add(&done, 0, a.at));
    CHECK(claims_take(&claims, &done, 8 * MIB, &b));
    check_claim(&a, 2 * MIB, 5 * MIB);
    check_claim(&b, 5 * MIB, 8 * MIB);
    b.rate = MIB / 8; /* the slower one is shared next */
    CHECK(claims_take(&claims, &done, 8 * MIB, &c));
    check_claim(&b, 5 * MIB, 6 * MIB + MIB / 2);
    check_claim(&c, 6 * MIB + MIB / 2, 8 * MIB);
    ranges_finish(&done);
}

TEST(gaps_are_taken_before_claims_are_shared)
{
    struct claims claims = {0};
    struct ranges done = {0};
    struct claim a, b, c;

    CHECK_OK(ranges_add(&done, MIB, 2 * MIB));
    CHECK_OK(ranges_add(&done, 5 * MIB, 6 * MIB));
    CHECK(claims_take_first(&claims, &done, 8 * MIB, &a));
    check_claim(&a, 0, MIB);
    CHECK(claims_take(&claims, &done, 8 * MIB, &b));
    check_claim(&b, 2 * MIB, 5 * MIB);
    CHECK(claims_take_first(&claims, &done, 8 * MIB, &c));
    check_claim(&c, 6 * MIB, 8 * MIB);
    ranges_finish(&done);
}

TEST(what_is_nearly_done_is_not_shared)
{
    struct claims claims = {0};
    struct ranges done = {0};
    struct claim a = {0, MIB - 1, 1}, b = {0, 8 * MIB, 100 * MIB}, c;

    CHECK(claims_add(&claims, &a));
    CHECK(!claims_take(&claims, &done, MIB - 1, &c)); /* too short */
    claims_drop(&claims, &a);
    CHECK(claims_add(&claims, &b));
    CHECK(!claims_take(&claims, &done, 8 * MIB, &c)); /* too fast */
    b.rate = 0;
    CHECK(claims_take(&claims, &done, 8 * MIB, &c));
    CHECK_EQ(claims.count, 2);
}

/* What a connection may be writing at this moment must not be given to another one. */
TEST(the_start_of_a_claim_stays)
{
    struct claims claims = {0};
    struct ranges done = {0};
    struct claim a = {0, MIB, 1}, b;

    CHECK(claims_add(&claims, &a));
    CHECK(claims_take(&claims, &done, MIB, &b));
    CHECK(a.end >= CLAIM_KEPT_MIN);
}

TEST(there_is_room_for_a_limited_number)
{
    static struct claim all[CLAIMS_MAX + 1];
    struct claims claims = {0};
    struct ranges done = {0};

    for (int i = 0; i < CLAIMS_MAX; i++)
        CHECK(claims_take(&claims, &done, 4000 * MIB, &all[i]));
    CHECK(!claims_take(&claims, &done, 4000 * MIB, &all[CLAIMS_MAX]));
    CHECK(!claims_add(&claims, &all[CLAIMS_MAX]));
    claims_drop(&claims, &all[3]);
    CHECK(claims_take(&claims, &done, 4000 * MIB, &all[CLAIMS_MAX]));
}

/* Connections with random speeds, some of which fail. */
TEST(every_byte_is_fetched_exactly_once)
{
    enum { WORKERS = 5 };
    srand(2);
    for (int round = 0; round < 200; round++) {
        struct claims claims = {0};
        struct ranges done = {0};
        struct claim workers[WORKERS];
        bool busy[WORKERS] = {false};
        int64_t length = 1 + rand() % (20 * MIB), fetched = 0;

        while (ranges_sum(&done) < length) {
            int i = rand() % WORKERS;
            struct claim *w = &workers[i];
            if (!busy[i]) {
                busy[i] = rand() % 2 ? claims_take(&claims, &done, length, w)
                                     : claims_take_first(&claims, &done, length, w);
                CHECK(!busy[i] || (w->at < w->end && w->end <= length));
                continue;
            }
            int64_t left = w->end - w->at, n = rand() % (CLAIM_KEPT_MIN / 2) + 1;
            n = n < left ? n : left;
            int64_t before = ranges_sum(&done);
            CHECK_OK(ranges_add(&done, w->at, w->at + n));
            CHECK_EQ(ranges_sum(&done), before + n);
            fetched += n;
            w->at += n;
            w->rate = rand() % 3 ? rand() % MIB : 0;
            if (w->at == w->end || rand() % 50 == 0) {
                claims_drop(&claims, w);
                busy[i] = false;
            }
        }
        CHECK_EQ(fetched, length);
        ranges_finish(&done);
    }
}

TEST_MAIN()
