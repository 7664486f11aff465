/* SPDX-License-Identifier: MIT */
/* A spinner turns while a slow call runs: the common parts of all ways to do it. */
#ifndef MODELS_SPINNER_H
#define MODELS_SPINNER_H

#include <stdbool.h>
#include <stdint.h>

struct timeline;

enum { SPINNER_FRAME_MS = 100, SPINNER_ANSWER = 42 };

/* Used only by the task, thread or process that turns the spinner. */
struct spinner {
    bool animate; /* true on a terminal */
    int frames;
    int64_t last_ns, still_ns; /* the time of the last frame; the longest time between two frames */
    struct timeline *timeline; /* NULL: not recorded */
};

/* A way to do it. Turns the spinner until the answer is found, which takes `slow_ms`. Returns the
 * answer or a negative code. */
typedef int (*spinner_fn)(struct spinner *spinner, int slow_ms);

int spinner_thread(struct spinner *spinner, int slow_ms);
int spinner_process(struct spinner *spinner, int slow_ms);
int spinner_task(struct spinner *spinner, int slow_ms);
int spinner_blocked(struct spinner *spinner, int slow_ms);   /* a task that blocks the thread */
int spinner_offloaded(struct spinner *spinner, int slow_ms); /* the same call on another thread */

/* Begins, and draws one frame per call of spinner_turn(). */
void spinner_begin(struct spinner *spinner);
void spinner_turn(struct spinner *spinner);

/* Turns until the other end of `fd` is closed or shut down. Blocks the thread between frames. */
void spinner_turn_until_hangup(struct spinner *spinner, int fd);

/* Ends, and counts the time since the last frame too. */
void spinner_end(struct spinner *spinner);

/* The slow call. It blocks its thread. Returns the answer. */
int spinner_find_answer(int slow_ms);

#endif
