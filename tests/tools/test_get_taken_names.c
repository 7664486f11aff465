/* SPDX-License-Identifier: MIT */
/* Which names a run of whorl-get may replace. */
#include <stdio.h>

#include "test.h"
#include "tools/get/existing.h"

TEST(a_name_is_taken_once)
{
    struct taken_names taken = {0};
    char name[32];

    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 1000; i++) {
            snprintf(name, sizeof name, "dir/%d", i);
            CHECK_EQ(taken_add(&taken, name), round == 0);
        }
    CHECK_EQ(taken.count, 1000);
    CHECK(taken.size * sizeof *taken.hashes <= 1000 * 4 * sizeof *taken.hashes);
    taken_finish(&taken);
    taken_finish(&taken);
}
TEST_MAIN()
