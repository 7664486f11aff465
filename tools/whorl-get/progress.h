/* SPDX-License-Identifier: MIT */
/* Progress on a terminal: a bar per active transfer and a line for all, redrawn ten times a second
 * by a task, with the report's lines scrolling above them. Off a terminal there is none of it. */
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

/* A transfer on display; lives on its task's stack. */
struct progress_item {
    struct progress_item *next, **link;
    enum bar_state state;
    const struct whorl_http_response *response; /* while BAR_RECEIVING */
    int64_t pause_until_ns;                     /* while BAR_PAUSING */
    int64_t received_before;                    /* at the frame before */
    double rate;                                /* bytes a second, smoothed */
    char label[PROGRESS_LABEL_SIZE];            /* escaped */
};

/* Set the first part with progress_init(). */
struct progress {
    struct writer *out;
    const struct report *report;
    int fd;
    bool colour, ascii;

    struct progress_item *first, **last; /* in the order they began */
    size_t active;
    int64_t frame_ns;        /* when the last frame was drawn */
    int64_t received_before; /* of all, at that frame */
    double rate;
    char *lines; /* to be put above the bars at the next frame */
    size_t lines_len, lines_size;
    size_t rows; /* on the screen now */
    int row_columns[PROGRESS_ROWS_MAX];
};

/* Whether bars can be drawn on `fd`: a terminal that is not a dumb one. */
bool progress_is_possible(int fd);

void progress_init(struct progress *progress, int fd, struct writer *out,
                   const struct report *report);
void progress_finish(struct progress *progress);

/* The task's body: draws until cancelled. `arg` is the progress. */
WHORL_SUSPENDS int progress_run(void *arg);

/* Draws a frame now, as after a change of the terminal's size. */
void progress_draw(struct progress *progress);

/* Puts lines, each with its newline, above the bars. */
void progress_add_line(struct progress *progress, const char *text, size_t len);

/* Takes the bars off the screen and writes the lines that wait. */
void progress_clear(struct progress *progress);

/* Both accept a NULL `progress`. `name` is foreign text. */
void progress_join(struct progress *progress, struct progress_item *item, const char *name);
void progress_leave(struct progress *progress, struct progress_item *item);

#endif
