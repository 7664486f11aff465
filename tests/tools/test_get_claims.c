/* SPDX-License-Identifier: MIT */
/* Claims of connections: they never overlap, and together they fetch every byte once. */
#include <stdlib.h>

#include <whorl/base.h>

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
    struct claim a = {0};

    CHECK(claims_take_first(&claims, &done, 8 * MIB, &a));
    check_claim(&a, 0, 8 * MIB);
    CHECK_EQ(claims_free_until(&claims, &done, 0, 8 * MIB), 0);
    claims_drop(&claims, &a);
    CHECK_EQ(claims_free_until(&claims, &done, 0, 8 * MIB), 8 * MIB);
}

/* The speed of a connection that has received at this rate for a second, until `now`. */
static struct speed speed_of(int64_t rate, int64_t now)
{
    struct speed speed = {0};

    speed_ask(&speed, now - WHORL_SECOND);
    speed_answer(&speed, now - WHORL_SECOND);
    speed_add(&speed, now, rate);
    return speed;
}

static bool is_near(int64_t value, int64_t expected)
{
    return llabs(value - expected) <= 1 + expected / 20;
}

/* An idle connection and one that has bytes left, 10 s after the start. The idle one takes
 * `taken` bytes, 0: none. All rates are in bytes per second. */
TEST(a_connection_takes_what_is_then_there_earlier)
{
    static const int64_t now = 10 * WHORL_SECOND;
    static const struct {
        int64_t left, victim, thief;
        int64_t silence_ns; /* of the victim */
        int64_t taken;      /* within 5 % */
        bool is_lost;
    } table[] = {
        {8 * MIB, MIB, MIB, 0, 4 * MIB, false},
        {8 * MIB, MIB, 3 * MIB, 0, 6 * MIB, false},
        {8 * MIB, 3 * MIB, MIB, 0, 2 * MIB, false},
        /* The end of a file, from a slow connection. */
        {MIB, 20000, 10 * MIB, 0, MIB, true},
        {MIB / 2, 20000, 10 * MIB, 0, MIB / 2, true},
        {20000, 20000, 10 * MIB, 0, 20000, true},
        {1, 1, 10 * MIB, 0, 1, true},
        /* Both are slow. */
        {100000, 20000, 20000, 0, 50000, false},
        {100000, 20000, 1000, 0, 4700, false},
        /* It is not worth a request. */
        {MIB, 10 * MIB, 10 * MIB, 0, 0, false},
        {100 * MIB, 1000 * MIB, 1000 * MIB, 0, 0, false},
        {1000, 20000, 10 * MIB, 0, 0, false},
        {MIB, MIB, 1000, 0, 0, false},
        /* The victim has stopped. */
        {1000, 10 * MIB, 10 * MIB, 3 * WHORL_SECOND, 1000, true},
        {4 * MIB, 10 * MIB, MIB / 2, 3 * WHORL_SECOND, 19 * MIB / 10, false},
        /* Nothing is known about one of them, or about both. */
        {8 * MIB, MIB, 0, 0, 15 * MIB / 4, false},
        {8 * MIB, 0, MIB, 0, 4 * MIB, false},
        {8 * MIB, 0, 0, 0, 15 * MIB / 4, false},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct claims claims = {0};
        struct ranges done = {0};
        struct claim a = {.at = MIB, .end = MIB + table[i].left}, b = {0};

        CHECK_OK(ranges_add(&done, 0, MIB));
        if (table[i].victim)
            a.speed = speed_of(table[i].victim, now - table[i].silence_ns);
        if (table[i].thief) {
            b.speed = speed_of(table[i].thief, now);
            speed_end(&b.speed, now);
        }
        CHECK(claims_add(&claims, &a));
        bool takes = claims_take(&claims, &done, a.end, now, &b);
        CHECK_EQ(takes, table[i].taken > 0);
        CHECK_EQ(a.is_lost, table[i].is_lost);
        CHECK(!takes || is_near(b.end - b.at, table[i].taken));
        CHECK(!takes || (a.end == b.at && b.end == MIB + table[i].left));
        CHECK(!a.is_lost || a.at == a.end);
        ranges_finish(&done);
    }
}

TEST(the_connection_that_gains_most_is_helped)
{
    int64_t now = 10 * WHORL_SECOND;
    struct claims claims = {0};
    struct ranges done = {0};
    struct claim a = {.at = 0, .end = 4 * MIB, .speed = speed_of(MIB, now)};
    struct claim b = {.at = 4 * MIB, .end = 8 * MIB, .speed = speed_of(MIB / 8, now)};
    struct claim c = {.speed = speed_of(MIB, now)};

    CHECK(claims_add(&claims, &a));
    CHECK(claims_add(&claims, &b));
    CHECK(claims_have(&claims, &done, 8 * MIB, now, &c.speed));
    CHECK(claims_take(&claims, &done, 8 * MIB, now, &c));
    check_claim(&a, 0, 4 * MIB);
    CHECK(b.end < 5 * MIB);
    CHECK_EQ(c.at, b.end);
}

/* Nothing arrives at all, for example because the network is down. Connections take the claim from
 * each other, but ever more rarely. */
TEST(silent_connections_do_not_take_a_claim_again_and_again)
{
    struct claims claims = {0};
    struct ranges done = {0};
    struct claim both[2] = {{.at = 0, .end = MIB}, {0}};
    int owner = 0, changes = 0;

    CHECK(claims_add(&claims, &both[0]));
    speed_ask(&both[0].speed, WHORL_SECOND);
    for (int64_t now = WHORL_SECOND; now < 60 * WHORL_SECOND; now += WHORL_SECOND / 10) {
        if (!claims_take(&claims, &done, MIB, now, &both[!owner]))
            continue;
        if (both[owner].is_lost) {
            claims_drop(&claims, &both[owner]);
            speed_lose(&both[owner].speed, now);
            owner = !owner;
            changes++;
        } else { /* a part of it: give it back */
            claims_drop(&claims, &both[!owner]);
            both[owner].end = MIB;
        }
        speed_ask(&both[owner].speed, now);
    }
    CHECK(changes <= 12);
}

TEST(gaps_are_taken_before_claims_are_shared)
{
    struct claims claims = {0};
    struct ranges done = {0};
    struct claim a = {0}, b = {0}, c = {0};

    CHECK_OK(ranges_add(&done, MIB, 2 * MIB));
    CHECK_OK(ranges_add(&done, 5 * MIB, 6 * MIB));
    CHECK(claims_take_first(&claims, &done, 8 * MIB, &a));
    check_claim(&a, 0, MIB);
    CHECK(claims_take(&claims, &done, 8 * MIB, 0, &b));
    check_claim(&b, 2 * MIB, 5 * MIB);
    CHECK(claims_take_first(&claims, &done, 8 * MIB, &c));
    check_claim(&c, 6 * MIB, 8 * MIB);
    ranges_finish(&done);
}

/* What a connection is writing at this moment must not be given to another one, and what is there
 * already need not be. */
TEST(the_start_of_a_claim_stays)
{
    int64_t now = 10 * WHORL_SECOND;
    struct claims claims = {0};
    struct ranges done = {0};
    struct claim a = {.at = 0, .end = MIB, .kept = MIB / 4, .speed = speed_of(1000, now)};
    struct claim b = {.speed = speed_of(10 * MIB, now)};

    CHECK(claims_add(&claims, &a));
    CHECK(claims_take(&claims, &done, MIB, now, &b));
    check_claim(&a, 0, MIB / 4);
    check_claim(&b, MIB / 4, MIB);
    CHECK(a.is_lost);
    claims_drop(&claims, &b);
    a = (struct claim){.at = 0, .end = MIB, .kept = MIB, .speed = speed_of(1000, now)};
    CHECK(!claims_take(&claims, &done, MIB, now, &b));
}

TEST(there_is_room_for_a_limited_number)
{
    static struct claim all[CLAIMS_MAX + 1];
    struct claims claims = {0};
    struct ranges done = {0};

    for (int i = 0; i < CLAIMS_MAX; i++)
        CHECK(claims_take(&claims, &done, 4000 * MIB, 0, &all[i]));
    CHECK(!claims_take(&claims, &done, 4000 * MIB, 0, &all[CLAIMS_MAX]));
    CHECK(!claims_add(&claims, &all[CLAIMS_MAX]));
    claims_drop(&claims, &all[3]);
    CHECK(claims_take(&claims, &done, 4000 * MIB, 0, &all[CLAIMS_MAX]));
}

/* Connections with random speeds, some of which fail. */
TEST(every_byte_is_fetched_exactly_once)
{
    enum { WORKERS = 5 };
    srand(2);
    for (int round = 0; round < 200; round++) {
        struct claims claims = {0};
        struct ranges done = {0};
        struct claim workers[WORKERS] = {{0}};
        bool busy[WORKERS] = {false};
        int64_t now = 0;
        int64_t length = 1 + rand() % (20 * MIB), fetched = 0;

        while (ranges_sum(&done) < length) {
            int i = rand() % WORKERS;
            struct claim *w = &workers[i];
            now += rand() % (WHORL_SECOND / 4);
            if (!busy[i]) {
                busy[i] = rand() % 2 ? claims_take(&claims, &done, length, now, w)
                                     : claims_take_first(&claims, &done, length, w);
                CHECK(!busy[i] || (w->at < w->end && w->end <= length));
                if (busy[i])
                    speed_ask(&w->speed, now);
                continue;
            }
            if (w->is_lost) {
                CHECK_EQ(w->at, w->end);
                claims_drop(&claims, w);
                speed_lose(&w->speed, now);
                busy[i] = false;
                continue;
            }
            if (w->speed.is_asking)
                speed_answer(&w->speed, now);
            int64_t left = w->end - w->at, n = rand() % (MIB / 4) + 1;
            n = n < left ? n : left;
            int64_t before = ranges_sum(&done);
            CHECK_OK(ranges_add(&done, w->at, w->at + n));
            CHECK_EQ(ranges_sum(&done), before + n);
            fetched += n;
            w->at += n;
            speed_add(&w->speed, now, n);
            if (w->at == w->end || rand() % 50 == 0) {
                claims_drop(&claims, w);
                speed_end(&w->speed, now);
                busy[i] = false;
            }
        }
        CHECK_EQ(fetched, length);
        ranges_finish(&done);
    }
}

TEST_MAIN()
