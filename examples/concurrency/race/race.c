/* SPDX-License-Identifier: MIT */
/* `models race`: many workers add to one counter at the same time. Some ways lose additions, and
 * some do not. */
#include "race.h"

#include <stdbool.h>
#include <stdio.h>

#include <whorl/error.h>

#include "../commands.h"
#include "../options.h"
#include "../pictures.h"

enum { DRAWN_MAX = 50 }; /* more lanes than a reader can look at */

static const struct way {
    const char *name, *remark;
    race_fn run;
    bool by_chance; /* the loss depends on chance, so it runs until there is one */
    bool loses;
} ways[] = {
    {"threads, no lock", "another thread runs between a read and a write", race_threads, true,
     true},
    {"threads, a lock", "one at a time", race_threads_locked, false, false},
    {"threads, atomic", "read, add and write are one step", race_threads_atomic, false, false},
    {"tasks, no lock", "tasks switch between additions, never inside one", race_tasks, false,
     false},
    {"tasks that suspend", "all other tasks run between the read and the write",
     race_tasks_suspending, false, true},
    {"tasks with a lock", "the lock is held across the suspending call", race_tasks_locked, false,
     false},
};

/* Runs once, or until an addition is lost if that depends on chance. Returns the number of runs, or
 * a negative code when one failed. */
static int run(const struct way *way, int workers, int tries, struct timeline *timeline, long *ret)
{
    long right = (long)workers * RACE_ADDS;
    int tried = 0, err;

    do {
        err = way->run(workers, tried ? NULL : timeline, ret);
        tried++;
    } while (err == 0 && way->by_chance && *ret == right && tried < tries);
    return err ? err : tried;
}

/* Returns true if the result is as expected. */
static bool show(const struct way *way, int workers, int tries, struct timeline *timeline)
{
    long right = (long)workers * RACE_ADDS, counted = 0;

    timeline_section(timeline, way->name);
    int tried = run(way, workers, tries, timeline, &counted);

    if (tried < 0) {
        fprintf(stderr, "models race: %s: %s\n", way->name, whorl_strerror(tried));
        return false;
    }
    printf("%-20s %9ld %9ld   %s\n", way->name, counted, right - counted, way->remark);
    if (way->by_chance)
        printf("%-20s %9s %9s   %s %d of at most %d\n", "", "", "",
               counted == right ? "no loss up to run" : "depends on chance: lost in run", tried,
               tries);
    return way->loses ? counted < right : counted == right;
}

int race_main(int argc, char **argv)
{
    int workers = 5000, tries = 100, failed = 0, status;
    struct pictures pictures = {0};
    const struct option_row rows[] = {
        {"workers", "N", "threads or tasks", .number = &workers, .min = 2, .max = 100000},
        {"tries", "N", "run until an addition is lost, at most N times", .number = &tries, .min = 1,
         .max = 1000000},
        PICTURES_ROWS(pictures),
        {0}};
    const struct option_table table = {
        "race", NULL, "Many workers add 100 each to one counter. Some ways lose additions.", rows};

    if (!options_read(&table, argc, argv, &status))
        return status;
    if ((pictures.svg || pictures.trace) && workers > DRAWN_MAX)
        return options_complain("race", "a picture needs --workers %d or fewer", DRAWN_MAX);
    if (pictures_check(&pictures) < 0)
        return 1;
    struct timeline *timeline = pictures_timeline(&pictures);
    printf("%d workers add %d each: %ld is the correct sum.\n"
           "Threads are started %d at a time, tasks all at once.\n\n%-20s %9s %9s\n",
           workers, RACE_ADDS, (long)workers * RACE_ADDS,
           workers < RACE_THREADS_AT_ONCE ? workers : RACE_THREADS_AT_ONCE, "", "counted", "lost");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        failed += !show(&ways[i], workers, tries, timeline);
    int err = pictures_write(&pictures, "Workers that add to one counter");
    return failed || err ? 1 : 0;
}
