/* SPDX-License-Identifier: MIT */
/* `models spinner`: a spinner turns, or stops, while a slow call runs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <whorl/error.h>

#include "../commands.h"
#include "../options.h"
#include "../pictures.h"
#include "../timeline.h"
#include "answer.h"
#include "spinner.h"
#include "ways.h"

static const struct way {
    const char *name, *remark;
    spinner_fn run;
} ways[] = {
    {"thread", "a thread turns it; the system switches threads", spinner_thread},
    {"process", "a process turns it", spinner_process},
    {"task", "a task turns it while the slow task waits", spinner_task},
    {"blocked", "the slow task blocks the thread: the spinner stops", spinner_blocked},
    {"offload", "the blocking call runs on another thread", spinner_offloaded},
};

enum { WAYS = sizeof ways / sizeof *ways };

static bool chosen(const struct way *way, char **names)
{
    for (char **name = names; *name; name++)
        if (strcmp(*name, way->name) == 0)
            return true;
    return !*names;
}

/* Returns true if the answer was found. */
static bool run(const struct way *way, int slow_ms, struct timeline *timeline)
{
    struct spinner spinner = {.animate = isatty(STDOUT_FILENO), .timeline = timeline};

    fflush(stdout);
    timeline_section(timeline, way->name);
    spinner_begin(&spinner);
    int64_t began_ns = spinner.last_ns;
    int answer = way->run(&spinner, slow_ms);
    spinner_end(&spinner);
    if (answer < 0) {
        fprintf(stderr, "models spinner: %s: %s\n", way->name, whorl_strerror(answer));
        return false;
    }
    printf("%-9s %6d %8.2f %8.2f   %s\n", way->name, spinner.frames,
           (double)(spinner.last_ns - began_ns) / 1e9, (double)spinner.still_ns / 1e9, way->remark);
    return answer == ANSWER;
}

int spinner_main(int argc, char **argv)
{
    int slow_ms = 1000, failed = 0, status;
    struct pictures pictures = {0};
    const struct option_row rows[] = {
        {"ms", "N", "how long the slow call takes", .number = &slow_ms, .min = 2, .max = 600000},
        PICTURES_ROWS(pictures),
        {0}};
    const struct option_table table = {
        "spinner", "[thread|process|task|blocked|offload]...",
        "Turns a spinner while a slow call runs, in all ways or only in the named ones.", rows};

    if (!options_read(&table, argc, argv, &status))
        return status;
    for (char **name = argv + optind; *name; name++) {
        bool known = false;
        for (int i = 0; i < WAYS; i++)
            known |= strcmp(*name, ways[i].name) == 0;
        if (!known)
            return options_complain("spinner", "there is no '%s'", *name);
    }
    if (pictures_check(&pictures) < 0)
        return 1;
    struct timeline *timeline = pictures_timeline(&pictures);
    printf("%-9s %6s %8s %8s\n", "", "frames", "seconds", "pause");
    for (int i = 0; i < WAYS; i++)
        if (chosen(&ways[i], argv + optind))
            failed += !run(&ways[i], slow_ms, timeline);
    int err = pictures_write(&pictures, "A spinner turns while a slow call runs");
    return failed || err ? 1 : 0;
}
