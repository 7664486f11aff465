/* SPDX-License-Identifier: MIT */
/* Measuring a model. */
#ifndef MODELS_IO_MEASURE_H
#define MODELS_IO_MEASURE_H

#include <stdint.h>

#include "batch.h"
#include "models.h"
#include "settings.h"

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

#endif
