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

#include "tools/get/bars.h"
#include "tools/get/buffer.h"
#include "tools/get/totals.h"

struct writer;
struct whorl_http_response;
struct whorl_signals;
struct whorl_url;

enum { PROGRESS_ROWS_MAX = 200 };

/* One displayed transfer. It is on the stack of the transfer's task. */
struct progress_item {
    struct progress_item *next, **link;
    const char *name; /* borrowed, like `url`; may contain any bytes */
    const struct whorl_url *url;
    enum bar_state state;
    const struct whorl_http_response *response; /* valid while BAR_RECEIVING, else NULL */
    int64_t pause_until_ns;                     /* valid while BAR_PAUSING */
    int64_t received_before;                    /* bytes received until the previous frame */
    double rate;                                /* bytes per second, smoothed */
};

/* progress_init() sets it up. */
struct progress {
    struct writer *out;
    const struct totals *totals;
    int fd;
    bool colour;
    struct whorl_signals *continued; /* SIGCONT: the process was stopped; NULL when unknown */

    struct progress_item *first, **last; /* in the order of their start */
    size_t active;
    int64_t frame_ns;        /* when the last frame was drawn */
    int64_t received_before; /* bytes of all transfers until that frame */
    double rate;
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
                   const struct totals *totals);
void progress_finish(struct progress *progress);

/* The function of the task; `arg` is the progress. Draws until it is cancelled. */
WHORL_SUSPENDS int progress_run(void *arg);

/* Draws a frame now, for example after the size of the terminal changed. If the process was stopped
 * since the last frame, the rows of that frame stay on the screen, because the shell has printed
 * other lines below them. */
void progress_draw(struct progress *progress);

/* Adds lines, each with its newline, to be printed above the bars. */
void progress_add_line(struct progress *progress, const char *text, size_t len);

/* Removes the bars from the screen and prints the pending lines. */
void progress_clear(struct progress *progress);

/* Add and remove a transfer. Both accept a NULL `progress`. The bars show `name`. Bars of the same
 * name also show the host or the directory of `url`, if that tells them apart. */
void progress_join(struct progress *progress, struct progress_item *item, const char *name,
                   const struct whorl_url *url);
void progress_leave(struct progress *progress, struct progress_item *item);

#endif
