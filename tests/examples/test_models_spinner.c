/* SPDX-License-Identifier: MIT */
/* `models spinner`: it turns while a thread, a process or a task can turn it. It stops while a task
 * blocks the thread, and the watchdog reports that task. */
#include <stdlib.h>

#include "subprocess.h"
#include "test.h"

/* Returns the number of frames that this model drew, and the longest time between two frames in
 * seconds. */
static int frames(const char *out, const char *name, double *ret_still_s)
{
    char start[32];
    int count;
    double seconds;

    snprintf(start, sizeof start, "\n%-9s ", name);
    const char *at = strstr(out, start);
    CHECK(at);
    CHECK_EQ(sscanf(at + strlen(start), "%d %lf %lf", &count, &seconds, ret_still_s), 3);
    CHECK(seconds >= 0.99); /* the spinner ran as long as the slow call */
    return count;
}

TEST(spinner_turns_while_others_work)
{
    static const char *const ways[] = {"thread", "process", "task", "offload"};
    struct subprocess run;
    double still_s;

    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "spinner", "thread", "process",
                                    "task", "offload", NULL},
                   NULL);
    CHECK_EQ(run.exit_status, 0);
    for (int i = 0; i < 4; i++) {
        int count = frames(run.out, ways[i], &still_s);
        if (count < 2 || count > 11 || still_s < 0.09)
            test_fail(__FILE__, __LINE__, "%s", run.out);
    }
    CHECK(!strstr(run.out, "\nblocked"));
    CHECK(!strchr(run.out, '\r')); /* standard output is no terminal */
    subprocess_finish(&run);
}

TEST(spinner_stops_when_its_thread_is_blocked_and_the_culprit_is_named)
{
    struct subprocess run;
    double still_s;

    subprocess_run(
        &run, (const char *[]){test_program("examples/models"), "spinner", "blocked", NULL}, NULL);
    CHECK_EQ(run.exit_status, 0);
    CHECK(frames(run.out, "blocked", &still_s) <= 6);
    CHECK(still_s >= 0.49); /* the slow call blocks for half of the time */
    CHECK(strncmp(run.err, "whorl: task ", 12) == 0);
    CHECK(strstr(run.err, " slow has kept its thread for "));
    subprocess_finish(&run);
}

TEST(spinner_draws_each_frame_on_a_terminal)
{
    static const char *const ways[] = {"thread", "process", "task"};
    struct subprocess run;
    double still_s;

    for (int i = 0; i < 3; i++) {
        subprocess_run(&run,
                       (const char *[]){test_program("examples/models"), "spinner", ways[i], NULL},
                       &(struct subprocess_options){.tty = true});
        CHECK_EQ(run.exit_status, 0);
        int drawn = 0;
        for (const char *at = run.out; (at = strstr(at, "thinking\r")); at++)
            CHECK_EQ(at[-2], "|/-\\"[drawn++ % 4]);
        char *row = strstr(run.out, ways[i]);
        CHECK(row && row > run.out);
        row[-1] = '\n';
        CHECK_EQ(drawn, frames(run.out, ways[i], &still_s));
        subprocess_finish(&run);
    }
}

TEST(spinner_draws_which_task_blocks_which)
{
    struct subprocess run;
    char path[300], svg[32768];

    snprintf(path, sizeof path, "%s/spinner.svg", test_tmpdir());
    subprocess_run(&run,
                   (const char *[]){test_program("examples/models"), "spinner", "--ms", "20",
                                    "--timeline", path, "process", "blocked", NULL},
                   NULL);
    CHECK_EQ(run.exit_status, 0);
    FILE *file = fopen(path, "r");
    CHECK(file);
    svg[fread(svg, 1, sizeof svg - 1, file)] = '\0';
    fclose(file);
    const char *process = strstr(svg, ">process"), *blocked = strstr(svg, ">blocked");
    CHECK(process && blocked);
    CHECK(strstr(process, ">spinner<") < blocked && strstr(process, ">slow<") < blocked);
    CHECK(strstr(blocked, ">spinner<") && strstr(blocked, ">slow<"));
    subprocess_finish(&run);
}

TEST(spinner_knows_its_ways)
{
    struct subprocess run;

    subprocess_run(
        &run, (const char *[]){test_program("examples/models"), "spinner", "magic", NULL}, NULL);
    CHECK_STR(run.out, "");
    CHECK_STR(run.err, "models spinner: there is no 'magic'\nsee models spinner --help\n");
    CHECK_EQ(run.exit_status, 2);
    subprocess_finish(&run);
}

TEST_MAIN()
