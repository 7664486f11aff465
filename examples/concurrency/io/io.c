/* SPDX-License-Identifier: MIT */
/* `models io`: downloads the same pages sequentially, with a pool of threads, with tasks, and with
 * a pool of processes. Every page is checked. The output compares each time with the time that
 * waiting alone would take. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <whorl.h>

#include "../commands.h"
#include "../options.h"
#include "../output.h"
#include "../timeline.h"
#include "measure.h"
#include "models.h"
#include "report.h"
#include "settings.h"
#include "source.h"

static const char about[] =
    "Downloads the same pages one after the other, with a pool of threads, with tasks and\n"
    "with a pool of processes. Checks every page, and compares the times.\n"
    "Without URLs it downloads from a site that it starts itself on the loopback interface.";

static bool read_options(int argc, char **argv, struct settings *ret, int *ret_status)
{
    const struct option_row rows[] = {
        {"sites", "N", "sites to download from", .number = &ret->sites, 1, 3},
        {"pages", "N", "pages of each site", .number = &ret->pages, 1, 10000},
        {"latency", "MS", "delay of the site per page", .number = &ret->latency_ms, 0, 60000},
        {"times", "N", "downloads of each given URL", .number = &ret->times, 1, 10000},
        {"per-site", "N", "connections of a session to one site", .number = &ret->per_site, 1,
         1000},
        {"threads", "N", "threads in the pool", .number = &ret->threads, 1, THREADS_MAX},
        {"processes", "N", "processes in the pool", .number = &ret->processes, 1, PROCESSES_MAX},
        {"timeout", "S", "seconds to wait for a page", .number = &ret->timeout_s, 1, 3600},
        {"runs", "N", "runs; the median time is shown", .number = &ret->runs, 1, RUNS_MAX},
        PICTURES_ROWS(ret->pictures),
        {"report", "FILE.html", "write the times and diagrams as a page", .text = &ret->report},
        {0}};
    const struct option_table table = {"io", "[URL]...", about, rows};

    if (!options_read(&table, argc, argv, ret_status))
        return false;
    ret->urls = argv + optind;
    return true;
}

/* --- the table -------------------------------------------------------------------------------- */

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static void print_head(const struct comparison *c)
{
    const struct settings *settings = c->settings;

    printf("%d page%s of %d site%s", c->source->batch->count,
           c->source->batch->count == 1 ? "" : "s", c->source->sites,
           c->source->sites == 1 ? "" : "s");
    if (c->source->server)
        printf(", each answered after %d ms", settings->latency_ms);
    printf("; at most %d connections to a site.\n", settings->per_site);
    printf("%d processor%s (%s), %s; %s of %d run%s.\n\n", c->machine.processors,
           c->machine.processors == 1 ? "" : "s", c->machine.cpu, c->machine.kernel,
           settings->runs == 1 ? "time" : "medians", settings->runs,
           settings->runs == 1 ? "" : "s");
    printf("%-12s%8s%12s%10s%10s%7s%9s%10s%12s\n", "", "at once", "opened", "expected", "measured",
           "", "times as", "memory", "correct");
    printf("%-12s%8s%12s%10s%10s%7s%9s%10s%12s\n", "", "", "connections", "s", "s", "excess",
           "fast", "KiB", "pages");
    fflush(stdout);
}

static bool is_whole(const struct comparison *c, const struct outcome *outcome)
{
    return outcome->took_ns > 0 && outcome->right == c->source->batch->count;
}

/* The speed-up is shown only for models that received the same number of pages. */
static void print_row(const struct comparison *c, const struct outcome *outcome)
{
    char expected[16] = "-", measured[16] = "-", more[16] = "-", faster[16] = "-";
    const struct outcome *first = &c->outcomes[0];

    if (outcome->expected_ns)
        snprintf(expected, sizeof expected, "%.2f", seconds(outcome->expected_ns));
    if (outcome->took_ns)
        snprintf(measured, sizeof measured, "%.3f", seconds(outcome->took_ns));
    if (outcome->expected_ns && is_whole(c, outcome))
        snprintf(more, sizeof more, "%.0f %%",
                 100.0 * (double)(outcome->took_ns - outcome->expected_ns) /
                     (double)outcome->expected_ns);
    if (outcome->took_ns && first->took_ns && outcome->right == first->right)
        snprintf(faster, sizeof faster, "%.1f", (double)first->took_ns / (double)outcome->took_ns);
    printf("%-12s%8d%12d%10s%10s%7s%9s%10ld%8d/%d\n", outcome->model->name, outcome->at_once,
           outcome->connections, expected, measured, more, faster, outcome->peak_kib,
           outcome->right, c->source->batch->count);
    fflush(stdout);
}

static void print_tail(const struct comparison *c)
{
    const struct outcome *tasks = &c->outcomes[2];
    int64_t over_ns = tasks->took_ns - tasks->expected_ns;

    if (tasks->expected_ns == 0 || !is_whole(c, tasks))
        return;
    printf("\nThe expected time is the time of waiting alone: ceil(pages / at once) x latency.\n"
           "Tasks: ceil(%d / %d) x %d ms = %.3f s; measured %.3f s, %s.\n",
           c->source->batch->count, tasks->at_once, c->settings->latency_ms,
           seconds(tasks->expected_ns), seconds(tasks->took_ns),
           over_ns * 10 <= tasks->expected_ns ? "within 10 %" : "more than 10 % above");
}

/* --- the comparison --------------------------------------------------------------------------- */

static int at_once(const struct comparison *c, const struct model *model)
{
    int most = model->run == run_sequential ? 1
               : model->run == run_threads  ? c->settings->threads
               : model->run == run_tasks    ? c->settings->per_site * c->source->sites
                                            : c->settings->processes;

    return most < c->source->batch->count ? most : c->source->batch->count;
}

/* Runs all models. Returns 0, or 1 when a page was not correct. */
static int compare(struct comparison *c)
{
    struct batch *batch = c->source->batch;
    bool all_right = true;

    print_head(c);
    for (int i = 0; i < MODELS; i++) {
        struct outcome *outcome = &c->outcomes[i];
        measure(&models[i], c->settings, batch, outcome);
        outcome->at_once = at_once(c, &models[i]);
        if (c->source->server)
            outcome->expected_ns = (int64_t)(batch->count + outcome->at_once - 1) /
                                   outcome->at_once * c->settings->latency_ms * WHORL_MILLISECOND;
        print_row(c, outcome);
        all_right = all_right && outcome->right == batch->count;
        if (outcome->right == 0) {
            fputs("models io: no page was correct, so there is nothing to compare\n", stderr);
            return 1;
        }
    }
    print_tail(c);
    return all_right ? 0 : 1;
}

/* --- files ------------------------------------------------------------------------------------ */

/* Called before the work, so that an error is reported early. */
static bool can_write(const struct settings *settings)
{
    return pictures_check(&settings->pictures) == 0 &&
           (!settings->report || output_check(settings->report) == 0);
}

static int write_files(struct comparison *c)
{
    struct settings *settings = c->settings;
    struct timeline *all = pictures_timeline(&settings->pictures);
    char title[64];

    for (int i = 0; i < MODELS; i++)
        timeline_append(all, c->outcomes[i].timeline);
    snprintf(title, sizeof title, "%d pages of %d site%s", c->source->batch->count,
             c->source->sites, c->source->sites == 1 ? "" : "s");
    int err = pictures_write(&settings->pictures, title);
    if (settings->report && report_write(c) < 0)
        err = -EIO;
    else if (settings->report)
        printf("Report: %s\n", settings->report);
    return err ? 1 : 0;
}

int io_main(int argc, char **argv)
{
    struct settings settings = {.sites = 2,
                                .pages = 80,
                                .latency_ms = 50,
                                .times = 1,
                                .per_site = 10,
                                .threads = 5,
                                .timeout_s = 10,
                                .runs = 3};
    struct source source;
    struct comparison comparison = {.settings = &settings, .source = &source};
    int status;

    machine_read(&comparison.machine);
    settings.processes = comparison.machine.processors;
    if (!read_options(argc, argv, &settings, &status))
        return status;
    if (!can_write(&settings))
        return 1;
    status = source_open(&settings, &source);
    if (status == 0)
        status = compare(&comparison);
    if (comparison.outcomes[MODELS - 1].model && write_files(&comparison) != 0)
        status = 1;
    for (int i = 0; i < MODELS; i++)
        outcome_finish(&comparison.outcomes[i]);
    source_close(&source);
    return status;
}
