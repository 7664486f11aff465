/* SPDX-License-Identifier: MIT */
/* The four models. */
#ifndef MODELS_IO_MODELS_H
#define MODELS_IO_MODELS_H

#include "batch.h"

enum { MODELS = 4 };

/* A model: fetches all pages of the batch and stores their results in them. Returns 0, or a
 * negative code when it could not start. */
typedef int (*model_fn)(struct batch *batch);

int run_sequential(struct batch *batch);
int run_threads(struct batch *batch);
int run_tasks(struct batch *batch);
int run_processes(struct batch *batch);

struct model {
    const char *name, *file;
    model_fn run;
};

extern const struct model models[MODELS];

#endif
