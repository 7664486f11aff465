/* SPDX-License-Identifier: MIT */
/* `models cpu`: correct sums in every model, computed by the requested number of workers. Times are
 * tested only where no machine is too slow. */
#include <stdlib.h>

#include "subprocess.h"
#include "test.h"

struct row {
    int workers;
    double seconds, faster, busy;
};

static struct row row(const char *out, const char *name)
{
    char start[32];
    struct row row;

    snprintf(start, sizeof start, "\n%-12s ", name);
    const char *at = strstr(out, start);
    CHECK(at);
    CHECK_EQ(sscanf(at + strlen(start), "%d %lf %lf %lf", &row.workers, &row.seconds, &row.faster,
                    &row.busy),
             4);
    return row;
}

TEST(cpu_sums_are_right_in_every_model)
{
    struct subprocess run;

    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "cpu", "--below", "1000",
                                    "--count", "7", "--threads", "3", "--processes", "2", "--runs",
                                    "3", NULL},
                   NULL);
    CHECK_STR(run.err, "");
    CHECK_EQ(run.exit_status, 0);
    CHECK(strstr(run.out, "\n84 of 84 sums agree with the formula"));
    CHECK_EQ(row(run.out, "sequential").workers, 1);
    CHECK_EQ(row(run.out, "threads").workers, 3);
    CHECK_EQ(row(run.out, "tasks").workers, 7);
    CHECK_EQ(row(run.out, "processes").workers, 2);
    subprocess_finish(&run);
}

TEST(cpu_takes_numbers_whose_sums_are_beyond_64_bits)
{
    struct subprocess run;

    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "cpu", "--below", "6000000",
                                    "--count", "6", "--runs", "1", NULL},
                   NULL);
    CHECK_EQ(run.exit_status, 0);
    CHECK(strstr(run.out, "\n24 of 24 sums agree with the formula"));
    subprocess_finish(&run);
}

TEST(cpu_says_that_tasks_use_one_processor)
{
    struct subprocess run;

    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "cpu", "--below", "2000000",
                                    "--runs", "1", NULL},
                   NULL);
    CHECK(strstr(run.out, "Tasks do not help: they take turns on one thread"));
    const char *had = strstr(run.out, "Here they used at most\n");
    double most, busy = row(run.out, "threads").busy, other = row(run.out, "processes").busy;
    CHECK(had && sscanf(had, "Here they used at most\n%lf of", &most) == 1);
    CHECK(most >= (busy > other ? busy : other));
    CHECK(row(run.out, "sequential").busy <= 1.1);
    CHECK(row(run.out, "tasks").busy <= 1.1);
    CHECK(row(run.out, "threads").busy > 0);
    CHECK(row(run.out, "processes").busy > 0);
    subprocess_finish(&run);
}

static void expect_in_file(const char *path, const char *const texts[], const char *format)
{
    char content[32768], text[64];
    FILE *file = fopen(path, "r");

    CHECK(file);
    size_t n = fread(content, 1, sizeof content - 1, file);
    content[n] = '\0';
    fclose(file);
    for (int i = 0; texts[i]; i++) {
        snprintf(text, sizeof text, format, texts[i]);
        if (!strstr(content, text))
            test_fail(__FILE__, __LINE__, "no %s in %s", text, content);
    }
    CHECK(!strstr(content, "thread 3") && !strstr(content, "process 3"));
}

TEST(cpu_draws_a_lane_for_each_worker)
{
    static const char *const lanes[] = {"main",   "thread 1",  "thread 2",  "task 1",
                                        "task 2", "process 1", "process 2", NULL};
    struct subprocess run;
    char svg[300], json[300];

    snprintf(svg, sizeof svg, "%s/cpu.svg", test_tmpdir());
    snprintf(json, sizeof json, "%s/cpu.json", test_tmpdir());
    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "cpu", "--below", "1000",
                                    "--count", "2", "--threads", "2", "--processes", "2",
                                    "--timeline", svg, "--trace", json, NULL},
                   NULL);
    CHECK_STR(run.err, "");
    CHECK_EQ(run.exit_status, 0);
    expect_in_file(svg, lanes, ">%s<");
    expect_in_file(json, lanes, "\"%s\"");
    subprocess_finish(&run);
}

TEST(cpu_draws_the_models_under_each_other)
{
    static const char *const texts[] = {"<svg ",
                                        ">sequential: ", ">threads: ", ">tasks: ", ">processes: "};
    struct subprocess run;
    char path[300], svg[65536];

    snprintf(path, sizeof path, "%s/timeline.svg", test_tmpdir());
    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "cpu", "--below", "1000",
                                    "--count", "2", "--threads", "2", "--processes", "2",
                                    "--timeline", path, NULL},
                   NULL);
    CHECK_STR(run.err, "");
    CHECK_EQ(run.exit_status, 0);
    FILE *file = fopen(path, "r");
    CHECK(file);
    size_t n = fread(svg, 1, sizeof svg - 1, file);
    svg[n] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strstr(svg, texts[i]))
            test_fail(__FILE__, __LINE__, "no %s in %s", texts[i], svg);
    subprocess_finish(&run);
}

TEST(cpu_says_when_a_picture_cannot_be_written)
{
    struct subprocess run;

    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "cpu", "--below", "1000",
                                    "--runs", "1", "--trace", "/nowhere/trace.json", NULL},
                   NULL);
    CHECK_STR(run.out, ""); /* it fails before it computes anything */
    CHECK(strstr(run.err, "/nowhere/trace.json"));
    CHECK_EQ(run.exit_status, 1);
    subprocess_finish(&run);
}

TEST_MAIN()
