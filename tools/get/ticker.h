/* SPDX-License-Identifier: MIT */
/* What happens ten times per second while files are fetched: the rates are updated, the bars are
 * drawn, and without bars, a line says how far the transfers are when nothing else was printed for
 * a while. */
#ifndef WHORL_GET_TICKER_H
#define WHORL_GET_TICKER_H

#include <stdbool.h>

#include <whorl/base.h>

struct events;
struct progress;
struct report;

/* Set all fields. */
struct ticker {
    struct events *events;
    struct report *report;
    struct progress *progress; /* NULL: there are no bars */
    bool says_progress;        /* in lines, after silence */
};

/* The function of the task; `arg` is the ticker. Runs until it is cancelled. */
WHORL_SUSPENDS int ticker_run(void *arg);

#endif
