/* SPDX-License-Identifier: MIT */
/* The pictures of a comparison, requested with --timeline and --trace. */
#ifndef MODELS_PICTURES_H
#define MODELS_PICTURES_H

#include "timeline.h"

struct pictures {
    const char *svg, *trace;   /* output paths; NULL: not wanted */
    struct timeline *timeline; /* NULL while nothing is recorded */
};

/* The rows of an option table for the two options. */
#define PICTURES_ROWS(pictures)                                                                  \
    {"timeline", "FILE.svg", "draw when each lane computes and waits", .text = &(pictures).svg}, \
    {                                                                                            \
        "trace", "FILE.json", "a trace for https://ui.perfetto.dev", .text = &(pictures).trace   \
    }

/* Checks whether the wanted pictures can be written, for programs that run for a long time before
 * they write. Prints a message if not. Returns 0 or -errno. */
int pictures_check(const struct pictures *pictures);

/* Returns a new timeline to record in if a picture is wanted, else NULL. */
struct timeline *pictures_timeline(struct pictures *pictures);

/* Writes the wanted pictures and frees the timeline. Returns 0 or -errno after an error message. */
int pictures_write(struct pictures *pictures, const char *title);

#endif
