/* SPDX-License-Identifier: MIT */
/* Where URLs come from: the arguments, then each list, read as they are needed. */
#ifndef WHORL_GET_SOURCE_H
#define WHORL_GET_SOURCE_H

#include <stddef.h>

#include <whorl/base.h>

#include "tools/whorl-get/lines.h"
#include "tools/whorl-get/options.h"

/* Set `options`, `fd` to -1; the rest starts at zero. */
struct source {
    const struct options *options;
    size_t url_index, list_index;
    int fd; /* the list being read, -1 for none */
    bool at_end;
    struct lines lines;
};

/* A URL, or what kept one from being read: `err` with its `step` ("open", "read", "line"). */
struct source_item {
    const char *url;  /* valid until the next call; NULL when `err` */
    const char *list; /* its name for people, NULL for an argument */
    long line;        /* in that list; 0 when the failure is about no single line */
    int err;
    const char *step;
};

/* Gets the next item. Returns 1; 0 at the end of all; -ECANCELED. */
WHORL_SUSPENDS int source_next(struct source *source, struct source_item *ret);

/* Closes the list that is open, if any. */
void source_finish(struct source *source);

#endif
