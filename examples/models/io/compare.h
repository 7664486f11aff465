/* SPDX-License-Identifier: MIT */
/* The comparison of the four models: the source of the pages, the measurement of a model, and the
 * report. */
#ifndef MODELS_IO_COMPARE_H
#define MODELS_IO_COMPARE_H

#include <sys/types.h>

#include "../machine.h"
#include "../pictures.h"
#include "io.h"

enum { MODELS = 4, RUNS_MAX = 99 };

struct settings {
    int sites, pages, latency_ms; /* the site that the program starts */
    char **urls;                  /* NULL-terminated; if empty, the site is used */
    int times;                    /* the number of times that each URL is fetched */
    int per_site, threads, processes, timeout_s;
    int runs;
    struct pictures pictures;
    const char *report; /* file to write, or NULL */
};

/* --- where the pages come from ---------------------------------------------------------------- */

struct source {
    struct batch *batch;
    size_t size; /* the size of the batch in bytes */
    int sites;
    pid_t server; /* 0: no site was started */
};

/* Starts the site, or uses the given URLs. Returns 0, or an exit status after an error message. */
int source_open(const struct settings *settings, struct source *ret);

/* Stops the site and frees the pages. Accepts a zeroed source. */
void source_close(struct source *source);

/* --- measuring -------------------------------------------------------------------------------- */

struct model {
    const char *name, *file;
    model_fn run;
};

extern const struct model models[MODELS];

/* The run with the median time; but `right` is from the worst run. */
struct outcome {
    const struct model *model;
    int at_once; /* the most pages in flight at the same time */
    int64_t took_ns;
    int64_t expected_ns; /* ceil(pages / at_once) times the latency; 0: unknown */
    int connections;     /* the number of opened connections */
    long peak_kib;       /* the sum over all processes of the model */
    int right;           /* correct pages */
    struct timeline *timeline;
};

/* Runs the model `runs` times, each time in a process of its own. Failed pages are reported on
 * standard error. If the correct contents of a page are unknown, the first model that receives the
 * page defines them. */
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

/* Writes the report to settings->report. Returns 0, or -errno after an error message. */
int report_write(const struct comparison *comparison);

#endif
