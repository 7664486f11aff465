/* SPDX-License-Identifier: MIT */
/* A spinner that turns while something slow runs: what the ways of doing it have in common. */
#ifndef MODELS_SPINNER_H
#define MODELS_SPINNER_H

#include <stdbool.h>
#include <stdint.h>

struct timeline;

enum { SPINNER_FRAME_MS = 100, SPINNER_ANSWER = 42 };

/* Kept by who turns the spinner. */
struct spinner {
    bool animate; /* on a terminal */
    int frames;
    int64_t last_ns, still_ns; /* the last frame, and the longest time between two */
    struct timeline *timeline; /* NULL: not recorded */
};

/* A way: lets the spinner turn until the answer has been found, which takes `slow_ms`. Returns the
 * answer or a negative code. */
typedef int (*spinner_fn)(struct spinner *spinner, int slow_ms);

int spinner_thread(struct spinner *spinner, int slow_ms);
int spinner_process(struct spinner *spinner, int slow_ms);
int spinner_task(struct spinner *spinner, int slow_ms);
int spinner_blocked(struct spinner *spinner, int slow_ms);   /* a task that blocks the thread */
int spinner_offloaded(struct spinner *spinner, int slow_ms); /* the same call on another thread */

/* Begins, and draws one frame after the other. */
void spinner_begin(struct spinner *spinner);
void spinner_turn(struct spinner *spinner);

/* Turns until the other end of `fd` has been closed or shut down; blocks the thread between frames. */
void spinner_turn_until_hangup(struct spinner *spinner, int fd);

/* Counts the time since the last frame too. */
void spinner_end(struct spinner *spinner);

/* The slow thing, a call that blocks its thread. Returns the answer. */
int spinner_find_answer(int slow_ms);

#endif
