/* SPDX-License-Identifier: MIT */
/* The pictures of a comparison, asked for with --timeline and --trace. */
#ifndef MODELS_PICTURES_H
#define MODELS_PICTURES_H

#include "timeline.h"

struct pictures {
    const char *svg, *trace;   /* where to; NULL: not wanted */
    struct timeline *timeline; /* NULL while nothing is recorded */
};

/* The rows of an option table that ask for them. */
#define PICTURES_ROWS(pictures)                                                                 \
    {"timeline", "FILE.svg", "draw who computes when and who waits", .text = &(pictures).svg},  \
    {                                                                                           \
        "trace", "FILE.json", "the same for https://ui.perfetto.dev", .text = &(pictures).trace \
    }

/* Whether those that are wanted can be written, for programs that take long before they do; says so if
 * not. 0 or -errno. */
int pictures_check(const struct pictures *pictures);

/* A timeline to record in if a picture is wanted, else NULL. */
struct timeline *pictures_timeline(struct pictures *pictures);

/* Writes those that are wanted, and ends the recording. 0 or -errno, which has been reported. */
int pictures_write(struct pictures *pictures, const char *title);

#endif
