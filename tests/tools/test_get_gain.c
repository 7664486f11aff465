/* SPDX-License-Identifier: MIT */
/* How many connections fetch one file, with servers that are only arithmetic. */
#include <whorl/base.h>

#include "test.h"
#include "tools/get/gain.h"

#define MB INT64_C(1000000)

/* A server on a link: bytes per second of each connection, and of all together. */
struct link {
    double each, all;
    bool bursts; /* once per second, all bytes of that second */
};

/* Fetches a file. Returns the seconds that it takes, and the most connections and the last count of
 * them. */
static double fetch(struct link link, int64_t length, int most, int *ret_most, int *ret_last)
{
    struct gain gain;
    double got = 0, sent = 0;
    int connections = 1;
    int64_t now = 0;

    gain_init(&gain, most, 0);
    *ret_most = 1;
    for (; (int64_t)got < length; now += 100 * WHORL_MILLISECOND) {
        double rate = link.each * connections;
        sent += 0.1 * (rate < link.all ? rate : link.all);
        if (!link.bursts || now % WHORL_SECOND == 0)
            got = sent;
        switch (gain_decide(&gain, now, (int64_t)got, length - (int64_t)got, connections)) {
        case GAIN_ADD:
            connections++;
            break;
        case GAIN_DROP:
            connections--;
            break;
        case GAIN_KEEP:
            break;
        }
        CHECK(connections >= 1 && connections <= most);
        if (connections > *ret_most)
            *ret_most = connections;
    }
    *ret_last = connections;
    return (double)now / (double)WHORL_SECOND;
}

TEST(a_short_download_has_one_connection)
{
    int most, last;

    fetch((struct link){.each = 50e6, .all = 1e9}, 200 * MB, 4, &most, &last);
    CHECK_EQ(most, 1);
}

TEST(a_limit_per_connection_leads_to_more_of_them)
{
    int most, last;

    for (int bursts = 0; bursts < 2; bursts++) {
        double seconds = fetch((struct link){.each = 5e6, .all = 1e9, .bursts = bursts}, 500 * MB,
                               4, &most, &last);
        CHECK_EQ(most, 4);
        CHECK_EQ(last, 4);
        CHECK(seconds < 35); /* 100 with one connection */
    }
}

TEST(a_limit_of_the_link_leads_back_to_one)
{
    int most, last;

    fetch((struct link){.each = 5e6, .all = 5e6}, 500 * MB, 4, &most, &last);
    CHECK_EQ(most, 2); /* tried once */
    CHECK_EQ(last, 1);
    fetch((struct link){.each = 5e6, .all = 10e6}, 500 * MB, 4, &most, &last);
    CHECK_EQ(most, 3);
    CHECK_EQ(last, 2);
}

TEST(after_giving_up_none_is_added)
{
    struct gain gain;

    gain_init(&gain, 4, 0);
    gain_give_up(&gain, 1);
    for (int64_t now = 0; now < WHORL_MINUTE; now += 100 * WHORL_MILLISECOND)
        CHECK_EQ(gain_decide(&gain, now, now / 1000, INT64_MAX, 1), GAIN_KEEP);
}

TEST(a_silent_connection_gets_no_help)
{
    struct gain gain;

    gain_init(&gain, 4, 0);
    for (int64_t now = 0; now < WHORL_MINUTE; now += 100 * WHORL_MILLISECOND)
        CHECK_EQ(gain_decide(&gain, now, 0, 1000, 1), GAIN_KEEP);
}

TEST_MAIN()
