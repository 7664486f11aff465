/* SPDX-License-Identifier: MIT */
/* Progress on a terminal: one bar per active transfer and one line of totals. A task redraws them
 * ten times per second, and the lines of the report scroll above them. Without a terminal there are
 * no bars. */
#ifndef WHORL_GET_PROGRESS_H
#define WHORL_GET_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/base.h>

#include "tools/whorl-get/bars.h"

struct report;
struct writer;
struct whorl_http_response;

enum { PROGRESS_LABEL_SIZE = 512, PROGRESS_ROWS_MAX = 200 };

/* One displayed transfer. It is on the stack of the transfer's task. */
struct progress_item {
    struct progress_item *next, **link;
    enum bar_state state;
    const struct whorl_http_response *response; /* valid while BAR_RECEIVING, else NULL */
    int64_t pause_until_ns;                     /* valid while BAR_PAUSING */
    int64_t received_before;                    /* bytes received until the previous frame */
    double rate;                                /* bytes per second, smoothed */
    char label[PROGRESS_LABEL_SIZE];            /* escaped */
};

/* progress_init() sets it up. */
struct progress {
    struct writer *out;
    const struct report *report;
    int fd;
    bool colour, ascii;

    struct progress_item *first, **last; /* in the order of their start */
    size_t active;
    int64_t frame_ns;        /* when the last frame was drawn */
    int64_t received_before; /* bytes of all transfers until that frame */
    double rate;
    char *lines; /* text that the next frame prints above the bars */
    size_t lines_len, lines_size;
    size_t rows; /* number of rows of bars and totals on the screen now */
    int row_columns[PROGRESS_ROWS_MAX];
};

/* Whether bars can be drawn on `fd`: it is a terminal, and TERM is set and not "dumb". */
bool progress_is_possible(int fd);

void progress_init(struct progress *progress, int fd, struct writer *out,
                   const struct report *report);
void progress_finish(struct progress *progress);

/* The function of the task; `arg` is the progress. Draws until it is cancelled. */
WHORL_SUSPENDS int progress_run(void *arg);

/* Draws a frame now, for example after the size of the terminal changed. */
void progress_draw(struct progress *progress);

/* Adds lines, each with its newline, to be printed above the bars. */
void progress_add_line(struct progress *progress, const char *text, size_t len);

/* Removes the bars from the screen and prints the pending lines. */
void progress_clear(struct progress *progress);

/* Add and remove a transfer. Both accept a NULL `progress`. `name` may contain any bytes; it is
 * escaped. */
void progress_join(struct progress *progress, struct progress_item *item, const char *name);
void progress_leave(struct progress *progress, struct progress_item *item);

#endif
