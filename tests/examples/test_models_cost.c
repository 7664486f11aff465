/* SPDX-License-Identifier: MIT */
/* `models cost`: plausible numbers, in an order that also holds on a slow machine. */
#include <stdlib.h>

#include "subprocess.h"
#include "test.h"

TEST(cost_is_least_for_tasks)
{
    static const char *const kinds[] = {"task", "thread", "process"};
    static const int counts[] = {500, 20, 5};
    struct subprocess run;
    double us[3], kib[3];
    int count;

    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "cost", "--tasks", "500",
                                    "--threads", "20", "--processes", "5", NULL},
                   NULL);
    CHECK_STR(run.err, "");
    CHECK_EQ(run.exit_status, 0);
    for (int i = 0; i < 3; i++) {
        char start[32];
        snprintf(start, sizeof start, "\n%s ", kinds[i]);
        const char *at = strstr(run.out, start);
        CHECK(at);
        CHECK_EQ(sscanf(at + strlen(start), "%d %lf %lf", &count, &us[i], &kib[i]), 3);
        CHECK_EQ(count, counts[i]);
    }
    CHECK(us[0] < us[1] && us[0] < us[2]);
    CHECK(kib[0] >= 4); /* at least one page for its stack */
    CHECK(kib[1] >= 4);
    CHECK(kib[2] > 8); /* the pages that it has written */
    subprocess_finish(&run);
}

TEST(cost_says_when_there_is_no_room)
{
    struct subprocess run;

    /* Allow fewer descriptors than the pipes between the processes need. */
    subprocess_run(&run,
                   (const char *[]){"prlimit", "--nofile=4", test_program("examples/models"),
                                    "cost", "--tasks", "10", "--threads", "2", "--processes", "2",
                                    NULL},
                   NULL);
    CHECK_EQ(run.exit_status, 1);
    CHECK(strstr(run.err, "models cost: process: too many open files"));
    subprocess_finish(&run);
}

TEST_MAIN()
