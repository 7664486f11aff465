/* SPDX-License-Identifier: MIT */
/* Tests the test runner: it detects each way of failing. The failing tests are in failing.c. */
#include <stdlib.h>
#include <unistd.h>

#include "subprocess.h"
#include "test.h"

/* Runs one test of the program of failing tests. */
static void run_case(struct subprocess *run, const char *name)
{
    const char *const env[] = {"TEST_VERBOSE", "TEST_SEED", "TEST_SEEDS=3", "TEST_TIMEOUT_SCALE",
                               NULL};
    struct subprocess_options options = {.env = env};

    subprocess_run(run, (const char *[]){test_program("tests/failing"), "--only", name, NULL},
                   &options);
    CHECK(strncmp(run->out, "1..1\n", 5) == 0);
}

static void expect(const char *name, int exit_status, const char *text)
{
    struct subprocess run;

    run_case(&run, name);
    if (!strstr(run.out, text))
        test_fail(__FILE__, __LINE__, "no \"%s\" in what %s printed:\n%s", text, name, run.out);
    CHECK_EQ(run.exit_status, exit_status);
    subprocess_finish(&run);
}

TEST(a_passing_test_passes_silently)
{
    expect("passes", 0, "1..1\nok 1 - passes\n");
}

TEST(a_failed_check_shows_both_sides)
{
    expect("check_fails", 1, "1 + 1 is 2, expected 3 = 3\n");
    expect("check_fails", 1, "\nnot ok 1 - check_fails\n");
}

TEST(output_of_a_failing_test_becomes_comments)
{
    expect("check_fails", 1, "#   said before\n");
    expect("check_fails", 1, "#   said on stderr\n");
    expect("check_fails", 1, "#   ok 7 - not a result\n");
}

TEST(a_crash_is_named)
{
    expect("crashes", 1, "not ok 1 - crashes\n");
}

TEST(an_exit_in_the_middle_is_a_failure)
{
    expect("exits", 1, "# exit status 0 before the end of the test\nnot ok 1 - exits\n");
}

TEST(a_hang_is_ended)
{
    expect("hangs", 1, "# took more than ");
}

TEST(an_open_descriptor_is_a_failure)
{
    expect("leaks_a_descriptor", 1, "descriptors open before, ");
}

TEST(a_skip_says_why)
{
    expect("skips", 0, "ok 1 - skips # SKIP the moon is full\n");
}

TEST(what_a_test_started_ends_with_it)
{
    struct subprocess run;

    run_case(&run, "leaves_a_process");
    char *found = strstr(run.out, "pid ");
    CHECK(found);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", atoi(found + 4));
    bool alive = true; /* a killed process takes a moment to end */
    for (int i = 0; alive && i < 500; i++) {
        FILE *file = fopen(path, "r");
        /* The file of a zombie that is not reaped yet is empty. */
        alive = file && fgetc(file) != EOF;
        if (file)
            fclose(file);
        usleep(10000);
    }
    CHECK(!alive);
    subprocess_finish(&run);
}

TEST(the_temporary_directory_goes_also_after_a_crash)
{
    struct subprocess run;

    run_case(&run, "leaves_a_directory");
    char *found = strstr(run.out, "directory ");
    CHECK(found);
    found += strlen("directory ");
    found[strcspn(found, "\n")] = '\0';
    FILE *file = fopen(found, "r");
    CHECK(!file);
    subprocess_finish(&run);
}

TEST(ends_run_last_in_first_out_after_a_passed_test)
{
    expect("has_ends", 1, "#   b a\n"); /* its last end function fails on purpose */
}

TEST(the_seed_that_fails_is_named)
{
    expect("fails_with_seed_2", 1, "(seed 2)\n");
}

TEST(an_unknown_name_is_an_error)
{
    struct subprocess run;

    subprocess_run(&run, (const char *[]){test_program("tests/failing"), "no_such", NULL}, NULL);
    CHECK_EQ(run.exit_status, 2);
    subprocess_finish(&run);
}

TEST_MAIN()
