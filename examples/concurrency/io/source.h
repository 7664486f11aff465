/* SPDX-License-Identifier: MIT */
/* Where the pages come from. */
#ifndef MODELS_IO_SOURCE_H
#define MODELS_IO_SOURCE_H

#include <stddef.h>
#include <sys/types.h>

#include "batch.h"
#include "settings.h"

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

#endif
