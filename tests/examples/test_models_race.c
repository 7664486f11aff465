/* SPDX-License-Identifier: MIT */
/* `models race`: which variants lose counts and which do not. */
#include <sched.h>
#include <stdlib.h>

#include "subprocess.h"
#include "test.h"

/* Reads the counted and lost numbers from the row with this name. */
static void row(const char *out, const char *name, long *counted, long *lost)
{
    char start[32];

    snprintf(start, sizeof start, "\n%-20s ", name);
    const char *at = strstr(out, start);
    CHECK(at);
    CHECK_EQ(sscanf(at + strlen(start), "%ld %ld", counted, lost), 2);
}

static void expect(const char *out, const char *name, long counted, long lost)
{
    long seen_counted, seen_lost;

    row(out, name, &seen_counted, &seen_lost);
    CHECK_EQ(seen_counted, counted);
    CHECK_EQ(seen_lost, lost);
}

TEST(race_loses_only_where_another_comes_between)
{
    struct subprocess run;

    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "race", "--workers", "500",
                                    "--tries", "1", NULL},
                   NULL);
    CHECK_STR(run.err, "");
    CHECK(strstr(run.out, "500 workers add 100 each: 50000 is the correct sum.\n"
                          "Threads are started 100 at a time, tasks all at once.\n"));
    expect(run.out, "threads, a lock", 50000, 0);
    expect(run.out, "threads, atomic", 50000, 0);
    expect(run.out, "tasks, no lock", 50000, 0);
    /* All tasks read the same number and write the same number. */
    expect(run.out, "tasks that suspend", 100, 49900);
    expect(run.out, "tasks with a lock", 50000, 0);
    subprocess_finish(&run);
}

TEST(race_is_tried_until_threads_lose)
{
    struct subprocess run;
    long counted, lost;
    cpu_set_t set;

    CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    if (CPU_COUNT(&set) < 2)
        test_skip("on one processor threads lose so rarely that it may take hours");
    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "race", "--workers", "500",
                                    "--tries", "1000000", NULL},
                   &(struct subprocess_options){.timeout_s = 18});
    CHECK_STR(run.err, "");
    CHECK_EQ(run.exit_status, 0);
    row(run.out, "threads, no lock", &counted, &lost);
    CHECK(lost > 0);
    CHECK_EQ(counted + lost, 50000);
    CHECK(strstr(run.out, "depends on chance: lost in run "));
    subprocess_finish(&run);
}

TEST(race_that_loses_nothing_is_a_failure)
{
    struct subprocess run;
    cpu_set_t set;

    /* On one processor a thread finishes its few additions before the next thread gets the
     * processor. */
    CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    for (int i = 0, kept = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set) && kept++ > 0)
            CPU_CLR(i, &set);
    CHECK_EQ(sched_setaffinity(0, sizeof set, &set), 0);
    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "race", "--workers", "2",
                                    "--tries", "1", NULL},
                   NULL);
    CHECK_EQ(run.exit_status, 1);
    CHECK(strstr(run.out, "no loss up to run 1 of at most 1"));
    subprocess_finish(&run);
}

TEST(race_draws_few_workers_only)
{
    struct subprocess run;
    char path[300], svg[65536];

    snprintf(path, sizeof path, "%s/race.svg", test_tmpdir());
    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "race", "--workers", "3",
                                    "--tries", "1", "--timeline", path, NULL},
                   NULL);
    CHECK_STR(run.err, "");
    FILE *file = fopen(path, "r");
    CHECK(file);
    svg[fread(svg, 1, sizeof svg - 1, file)] = '\0';
    fclose(file);
    CHECK(strstr(svg, ">thread 3<") && strstr(svg, ">task 3<") && !strstr(svg, " 4<"));
    subprocess_finish(&run);
    subprocess_run(
        &run, (const char *[]){test_program("examples/models"), "race", "--timeline", path, NULL},
        NULL);
    CHECK_EQ(run.exit_status, 2);
    CHECK(strstr(run.err, "models race: a picture needs --workers 50 or fewer\n"));
    subprocess_finish(&run);
}

TEST_MAIN()
