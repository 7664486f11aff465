/* SPDX-License-Identifier: MIT */
/* Measures a model: several runs, each in its own process. So the memory of a run can be measured
 * alone, and every run starts in the same state. */
#include "measure.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "../timeline.h"

struct run {
    int64_t took_ns;
    int connections, right;
    long peak_kib;
    struct timeline *timeline;
};

/* --- one run ---------------------------------------------------------------------------------- */

/* Runs in the child. getrusage() reports the largest worker only, so it is counted for each one. */
__attribute__((noreturn)) static void run_here(const struct model *model, struct batch *batch,
                                               pid_t parent)
{
    struct rusage workers;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    timeline_section(batch->timeline, model->name);
    int64_t began_ns = whorl_now();
    batch->err = model->run(batch);
    batch->took_ns = whorl_now() - began_ns;
    getrusage(RUSAGE_CHILDREN, &workers);
    batch->peak_kib = workers.ru_maxrss * batch->processes;
    _exit(0);
}

static bool is_right(const struct page *page)
{
    const struct result *result = &page->result;

    return result->error.code == 0 && result->status == 200 && result->len > 0 &&
           (!page->known || (result->len == page->len && result->digest == page->digest));
}

static void reset(struct batch *batch)
{
    atomic_store(&batch->lanes, 0);
    atomic_store(&batch->failures, 0);
    batch->err = -ECHILD; /* until the process stores its result */
    batch->took_ns = batch->peak_kib = 0;
    for (int i = 0; i < batch->count; i++) {
        batch->pages[i].result = (struct result){0};
        whorl_error_set(&batch->pages[i].result.error, -ECANCELED, "not tried",
                        "the model ended early");
    }
}

static void run_once(const struct model *model, struct batch *batch, struct run *ret)
{
    struct rusage usage = {0};
    int status = 0;
    pid_t self = getpid();

    reset(batch);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        run_here(model, batch, self);
    if (pid < 0)
        batch->err = -errno;
    while (pid > 0 && wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        fprintf(stderr, "%s: ended by signal %d\n", model->name, WTERMSIG(status));
    else if (batch->err)
        fprintf(stderr, "%s: %s\n", model->name, whorl_strerror(batch->err));
    *ret = (struct run){.took_ns = batch->took_ns,
                        .peak_kib = usage.ru_maxrss + batch->peak_kib,
                        .timeline = batch->timeline};
    for (int i = 0; i < batch->count; i++) {
        ret->right += is_right(&batch->pages[i]);
        ret->connections += batch->pages[i].result.status && !batch->pages[i].result.reused;
    }
}

/* --- failures --------------------------------------------------------------------------------- */

enum { LISTED_MAX = 10 }; /* this many failures are listed */

static void list_failures(const struct model *model, const struct batch *batch)
{
    const char *why = NULL;
    int not_tried = 0, failed = 0;

    for (int i = 0; i < batch->count; i++) {
        const struct page *page = &batch->pages[i];
        const struct result *result = &page->result;
        const struct whorl_error *error = &result->error;
        if (is_right(page))
            continue;
        if (error->code == -ECANCELED) {
            not_tried++;
            why = error->text;
        } else if (++failed > LISTED_MAX) {
            continue;
        } else if (error->code) {
            fprintf(stderr, "%s: %s: %s: %s\n", model->name, page->url, error->step,
                    error->text[0] ? error->text : whorl_strerror(error->code));
        } else if (result->status == 0) {
            fprintf(stderr, "%s: %s: in flight when the model ended\n", model->name, page->url);
        } else if (result->status != 200) {
            fprintf(stderr, "%s: %s: status %d\n", model->name, page->url, result->status);
        } else {
            fprintf(stderr, "%s: %s: received %lld bytes%s\n", model->name, page->url,
                    (long long)result->len, page->known ? ", not the expected page" : "");
        }
    }
    if (failed > LISTED_MAX)
        fprintf(stderr, "%s: %d more failed\n", model->name, failed - LISTED_MAX);
    if (not_tried)
        fprintf(stderr, "%s: %d not tried: %s\n", model->name, not_tried, why);
}

/* Takes the first correct download of an unknown page as its correct contents. */
static void adopt(struct batch *batch)
{
    for (int i = 0; i < batch->count; i++) {
        struct page *page = &batch->pages[i];
        if (page->known || !is_right(page))
            continue;
        page->known = true;
        page->len = page->result.len;
        page->digest = page->result.digest;
    }
}

/* --- all runs --------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct run *one = a, *two = b;

    return (one->took_ns > two->took_ns) - (one->took_ns < two->took_ns);
}

void measure(const struct model *model, const struct settings *settings, struct batch *batch,
             struct outcome *ret)
{
    bool drawn = settings->pictures.svg || settings->pictures.trace || settings->report;
    struct run runs[RUNS_MAX];
    int right = batch->count, count = 0;

    while (count < settings->runs && right == batch->count) {
        batch->timeline = drawn ? timeline_create() : NULL;
        run_once(model, batch, &runs[count]);
        right = runs[count++].right;
        adopt(batch);
    }
    if (right < batch->count)
        list_failures(model, batch);
    qsort(runs, (size_t)count, sizeof *runs, by_time);
    const struct run *median = &runs[(count - 1) / 2];
    ret->model = model;
    ret->took_ns = median->took_ns;
    ret->connections = median->connections;
    ret->peak_kib = median->peak_kib;
    ret->timeline = median->timeline;
    ret->right = right;
    for (int i = 0; i < count; i++)
        if (&runs[i] != median)
            timeline_destroy(runs[i].timeline);
    batch->timeline = NULL;
}

void outcome_finish(struct outcome *outcome)
{
    timeline_destroy(outcome->timeline);
    outcome->timeline = NULL;
}
