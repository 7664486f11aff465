/* SPDX-License-Identifier: MIT */
/* Progress on a terminal: one bar per active transfer and one line of totals, drawn from the state
 * which the events leave. The lines of the report scroll above them. Without a terminal there are
 * no bars. */
#ifndef WHORL_GET_PROGRESS_H
#define WHORL_GET_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/base.h>

#include "tools/get/buffer.h"

struct bars_total;
struct events;
struct totals;
struct whorl_signals;
struct writer;

enum { PROGRESS_ROWS_MAX = 200 };

/* progress_init() sets it up. */
struct progress {
    struct writer *out;
    const struct events *events;
    const struct totals *totals;
    int fd;
    bool colour;
    struct whorl_signals *continued; /* SIGCONT: the process was stopped; NULL when unknown */

    int64_t frame_ns;    /* when the last frame was drawn */
    struct buffer lines; /* text that the next frame prints above the bars */

    size_t rows; /* number of rows of bars and totals on the screen now */
    int row_columns[PROGRESS_ROWS_MAX];
    int screen_columns, screen_rows; /* the size of the terminal at the last frame */
    int lost;  /* lines of old bars that left a smaller window at its top, see erase_lost() */
    int since; /* lines that were printed below these */
};

/* Whether bars can be drawn on `fd`: it is a terminal, and TERM is set and not "dumb". */
bool progress_is_possible(int fd);

void progress_init(struct progress *progress, int fd, struct writer *out,
                   const struct events *events, const struct totals *totals);
void progress_finish(struct progress *progress);

/* Draws a frame now. If the process was stopped since the last frame, the rows of that frame stay
 * on the screen, because the shell has printed other lines below them. */
void progress_draw(struct progress *progress);

/* Draws a frame unless the last one is less than 50 ms old. To be called regularly, and when the
 * size of the terminal has changed, which happens often while a window is dragged. */
void progress_draw_if_due(struct progress *progress);

/* Adds lines, each with its newline, to be printed above the bars. */
void progress_add_line(struct progress *progress, const char *text, size_t len);

/* Removes the bars from the screen and prints the pending lines. */
void progress_clear(struct progress *progress);

/* Collects what the line of totals shows; `hidden` is left 0. No I/O. */
void progress_sum(struct bars_total *ret, const struct events *events, const struct totals *totals);

#endif
