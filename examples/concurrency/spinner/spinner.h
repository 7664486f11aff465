/* SPDX-License-Identifier: MIT */
/* A spinner that turns while something else happens. */
#ifndef MODELS_SPINNER_H
#define MODELS_SPINNER_H

#include <stdbool.h>
#include <stdint.h>

struct timeline;

enum { SPINNER_FRAME_MS = 100 };

/* Used only by the task, thread or process that turns the spinner. */
struct spinner {
    bool animate; /* true on a terminal */
    int frames;
    int64_t last_ns, still_ns; /* the time of the last frame; the longest time between two frames */
    struct timeline *timeline; /* NULL: not recorded */
};

/* Begins, and draws one frame per call of spinner_turn(). */
void spinner_begin(struct spinner *spinner);
void spinner_turn(struct spinner *spinner);

/* Turns until the other end of `fd` is closed or shut down. Blocks the thread between frames. */
void spinner_turn_until_hangup(struct spinner *spinner, int fd);

/* Ends, and counts the time since the last frame too. */
void spinner_end(struct spinner *spinner);

#endif
