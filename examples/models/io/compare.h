/* SPDX-License-Identifier: MIT */
/* The comparison around the four models: where the pages come from, how a model is measured, and how
 * the result is shown. */
#ifndef MODELS_IO_COMPARE_H
#define MODELS_IO_COMPARE_H

#include <sys/types.h>

#include "../machine.h"
#include "../pictures.h"
#include "io.h"

enum { MODELS = 4, RUNS_MAX = 99 };

struct settings {
    int sites, pages, latency_ms; /* of the site served here */
    char **urls;                  /* given ones, NULL-terminated; without any the site is used */
    int times;                    /* each of them is fetched */
    int per_site, threads, processes, timeout_s;
    int runs;
    struct pictures pictures;
    const char *report; /* file to write, or NULL */
};

/* --- where the pages come from ---------------------------------------------------------------- */

struct source {
    struct batch *batch;
    size_t size; /* of the batch */
    int sites;
    pid_t server; /* 0: none was started */
};

/* Starts the site, or takes the given URLs. 0, or an exit status after a complaint. */
int source_open(const struct settings *settings, struct source *ret);

/* Ends the site. Accepts a zeroed one. */
void source_close(struct source *source);

/* --- measuring -------------------------------------------------------------------------------- */

struct model {
    const char *name, *file;
    model_fn run;
};

extern const struct model models[MODELS];

/* The run whose time is the median; `right` is the worst run's. */
struct outcome {
    const struct model *model;
    int at_once; /* pages under way at most */
    int64_t took_ns;
    int64_t expected_ns; /* pages / at once, rounded up, times the latency; 0: unknown */
    int connections;     /* opened */
    long peak_kib;       /* of all its processes together */
    int right;           /* pages */
    struct timeline *timeline;
};

/* Has the model fetch all pages `runs` times, each in a process of its own; pages that failed are told
 * on standard error. The first outcome that has a page decides what the others must get, where it is
 * not known. */
void measure(const struct model *model, const struct settings *settings, struct batch *batch,
             struct outcome *ret);

void outcome_finish(struct outcome *outcome);

/* --- showing ---------------------------------------------------------------------------------- */

struct comparison {
    struct settings *settings;
    const struct source *source;
    struct machine machine;
    struct outcome outcomes[MODELS];
};

/* Writes the page to settings->report. 0 or -errno; a failure has been told. */
int report_write(const struct comparison *comparison);

#endif
