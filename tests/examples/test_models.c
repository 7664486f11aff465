/* SPDX-License-Identifier: MIT */
/* The program that compares models: its commands and its help. */
#include "subprocess.h"
#include "test.h"

static void expect_refusal(const char *const argv[], const char *complaint)
{
    struct subprocess run;

    subprocess_run(&run, argv, NULL);
    CHECK_STR(run.out, "");
    if (strncmp(run.err, complaint, strlen(complaint)) != 0)
        test_fail(__FILE__, __LINE__, "expected: %s\ngot:      %s", complaint, run.err);
    CHECK_EQ(run.exit_status, 2);
    subprocess_finish(&run);
}

TEST(models_refuse_what_is_no_command)
{
    const char *models = test_program("examples/models");

    expect_refusal((const char *[]){models, NULL},
                   "models: a command is missing\nusage: models COMMAND");
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
