/* SPDX-License-Identifier: MIT */
/* Records when each transfer was in which phase, for --timeline, which draws every transfer as a
 * bar over time. See timeline_svg.h for the picture.
 *
 * The memory is limited: of more than TIMELINE_LANES_MAX transfers only every second one is kept,
 * then every fourth, and so on. */
#ifndef WHORL_GET_TIMELINE_H
#define WHORL_GET_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/get/events.h"

enum { TIMELINE_LANES_MAX = 4096, TIMELINE_SPANS_MAX = 1000 };

/* A period in one phase. Adjacent periods in the same phase are one span. */
struct timeline_span {
    enum phase phase;
    int64_t from_ns, to_ns;
};

enum timeline_end { TIMELINE_ACTIVE, TIMELINE_DONE, TIMELINE_FAILED, TIMELINE_INTERRUPTED };

/* What is known of one transfer. */
struct timeline_lane {
    char *name, *url;            /* the URL without user name and password; both escaped */
    struct timeline_span *spans; /* in the order of time */
    size_t count, size;
    enum timeline_end end;
    int64_t bytes;
    int64_t spent_ns[PHASES];
    bool dropped; /* no longer in the timeline; freed when the transfer ends */
};

/* Zero-initialised is valid. */
struct timeline {
    struct event_sink sink;
    int64_t started_ns, ended_ns;
    struct timeline_lane **lanes; /* in the order of their start */
    size_t count, size;
    uint64_t started; /* transfers, also those that are not kept */
    uint64_t stride;  /* every nth transfer is kept: this is n */
    bool failed;      /* there was no memory: something is missing */
};

/* Makes the timeline a sink. Transfers which are active at the end must have ended before
 * timeline_finish(). */
void timeline_attach(struct timeline *timeline, struct events *events);

/* The last event has happened. */
void timeline_end(struct timeline *timeline);

void timeline_finish(struct timeline *timeline);

#endif
