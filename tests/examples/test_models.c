/* SPDX-License-Identifier: MIT */
/* The four models and the race: right pages and right sums. Times are shown, not tested. */
#include <stdlib.h>

#include "subprocess.h"
#include "test.h"

TEST(models_all_fetch_every_page_right)
{
    static const char *const names[] = {"sequential", "threads", "tasks", "processes"};
    struct subprocess run;

    subprocess_run(&run, (const char *[]){test_program("examples/models/compare"), NULL},
                   &(struct subprocess_options){.timeout_s = 18});
    CHECK_STR(run.err, "");
    CHECK_EQ(run.exit_status, 0);
    const char *table = strstr(run.out, "peak KiB");
    CHECK(table);
    for (int i = 0; i < 4; i++) {
        const char *row = strstr(table, names[i]);
        int workers, ms, right, of;
        long kib;
        CHECK(row);
        CHECK_EQ(
            sscanf(row + strlen(names[i]), "%d %d %ld %d/%d", &workers, &ms, &kib, &right, &of), 5);
        CHECK_EQ(workers, i == 0 ? 1 : 8);
        CHECK_EQ(right, 24);
        CHECK_EQ(of, 24);
        CHECK(kib > 0);
    }
    /* One diagram line a worker, 25 in all, in each of which somebody waits and works. */
    int bars = 0;
    for (const char *at = run.out; (at = strchr(at, '|')); at++)
        bars++;
    CHECK_EQ(bars, 2 * 25);
    CHECK(strchr(strchr(run.out, '|'), '.') && strchr(strchr(run.out, '|'), '#'));
    subprocess_finish(&run);
}

TEST(race_loses_updates)
{
    struct subprocess run;
    int adds, counted, lost;

    subprocess_run(&run, (const char *[]){test_program("examples/models/race"), NULL}, NULL);
    CHECK_EQ(run.exit_status, 0);
    CHECK_EQ(sscanf(run.out, "%d additions, %d counted, %d lost", &adds, &counted, &lost), 3);
    CHECK(lost > 0);
    CHECK_EQ(counted + lost, adds);
    subprocess_finish(&run);
}

TEST(race_is_cured_in_three_ways)
{
    struct subprocess run;

    subprocess_run(&run, (const char *[]){test_program("examples/models/race_cured"), NULL}, NULL);
    CHECK_STR(run.out, "200000 additions: lock 200000, atomic 200000, tasks 200000\n");
    CHECK_EQ(run.exit_status, 0);
    subprocess_finish(&run);
}

TEST_MAIN()
