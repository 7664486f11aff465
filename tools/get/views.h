/* SPDX-License-Identifier: MIT */
/* What shows the events besides the report and the bars, and where it is written: the stream of
 * --events, the sentence and table of --why-slow, and the picture of --timeline. */
#ifndef WHORL_GET_VIEWS_H
#define WHORL_GET_VIEWS_H

#include <stdbool.h>

#include "tools/get/events_json.h"
#include "tools/get/timeline.h"
#include "tools/get/why.h"
#include "tools/get/writer.h"

struct options;
struct report;

/* views_init() sets it up. */
struct views {
    const struct options *options;
    int stream_fd; /* of --events; -1: there is none */
    bool owns_stream_fd;
    struct writer stream; /* unused when `stream_fd` is standard error */
    struct events_json events_json;
    struct why why;
    int timeline_fd; /* -1: there is none */
    struct timeline timeline;
};

void views_init(struct views *views, const struct options *options);
void views_finish(struct views *views);

/* Opens the files, so that what cannot be written is known before anything is fetched. Returns 0,
 * or a negative code and what could not be opened. */
int views_open(struct views *views, const char **ret_about);

/* Makes the views sinks. The stream shares the writer of `report` if both are written to standard
 * error, so that lines stay whole. */
void views_attach(struct views *views, struct events *events, struct report *report);

/* The transfers are over: prints what comes at the end. */
void views_end(struct views *views, const struct events *events, struct report *report,
               bool interrupted);

/* Writes the picture. Called after the run, because it may block. Returns 0 or a negative code. */
int views_write(struct views *views);

#endif
