/* SPDX-License-Identifier: MIT */
/* The four models and the race: right pages and right sums. Times are shown, not tested. */
#include <stdlib.h>

#include "subprocess.h"
#include "test.h"

TEST(io_models_all_fetch_every_page_right)
{
    static const char *const names[] = {"sequential", "threads", "tasks", "processes"};
    struct subprocess run;

    subprocess_run(&run, (const char *[]){test_program("examples/models"), "io", NULL},
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

static void expect_refusal(const char *const argv[], const char *complaint)
{
    struct subprocess run;

    subprocess_run(&run, argv, NULL);
    CHECK_STR(run.out, "");
    if (strncmp(run.err, complaint, strlen(complaint)) != 0)
        test_fail(__FILE__, __LINE__, "expected: %s\ncame:     %s", complaint, run.err);
    CHECK_EQ(run.exit_status, 2);
    subprocess_finish(&run);
}

TEST(models_refuse_what_is_no_command)
{
    const char *models = test_program("examples/models");

    expect_refusal((const char *[]){models, NULL}, "models: which command?\nusage: models COMMAND");
    expect_refusal((const char *[]){models, "nothing", NULL},
                   "models: there is no command 'nothing'\nusage: models COMMAND");
}

TEST(models_help_names_every_command_and_every_option)
{
    struct subprocess run;

    subprocess_run(&run, (const char *[]){test_program("examples/models"), "--help", NULL}, NULL);
    CHECK_EQ(run.exit_status, 0);
    CHECK_STR(run.err, "");
    CHECK(strncmp(run.out, "usage: models COMMAND", 21) == 0 && strstr(run.out, "\n  io "));
    subprocess_finish(&run);
    subprocess_run(&run, (const char *[]){test_program("examples/models"), "io", "--help", NULL},
                   NULL);
    CHECK_EQ(run.exit_status, 0);
    CHECK_STR(run.err, "");
    CHECK(strncmp(run.out, "usage: models io ", 17) == 0 && strstr(run.out, "\n  --help "));
    subprocess_finish(&run);
}

TEST_MAIN()
