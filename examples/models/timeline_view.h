/* SPDX-License-Identifier: MIT */
/* What a timeline recorded, put in order for those who draw it. */
#ifndef MODELS_TIMELINE_VIEW_H
#define MODELS_TIMELINE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timeline.h"

/* From now on the lane is in this state. `state_set` is the state plus 1, and stored last: 0 is a place
 * that was drawn and never filled. */
struct timeline_mark {
    int64_t at_ns;
    int32_t lane;
    _Atomic int32_t state_set;
};

struct timeline_lane_name {
    int32_t section;
    _Atomic int32_t set;
    char name[TIMELINE_NAME_MAX];
};

/* Counters of what was drawn; they may be beyond what there is room for. Section 0 has no name and is
 * there from the start. */
struct timeline {
    _Atomic int64_t marks_drawn;
    _Atomic int32_t lanes_drawn;
    _Atomic int32_t section; /* the one that lanes are added to */
    struct {
        char name[TIMELINE_NAME_MAX];
        int64_t began_ns;
    } sections[TIMELINE_SECTIONS_MAX];
    struct timeline_lane_name lanes[TIMELINE_LANES_MAX];
    struct timeline_mark marks[TIMELINE_MARKS_MAX];
};

/* A stretch of time in which a lane did one thing. Neighbours that do the same are one span. */
struct timeline_span {
    int64_t from_ns, to_ns;
    bool works;
};

struct timeline_view_lane {
    const char *name;
    struct timeline_span *spans; /* in order; gaps are where the lane had ended */
    size_t count;
};

struct timeline_view_section {
    const char *name; /* "": none */
    int64_t began_ns, ended_ns;
    struct timeline_view_lane *lanes; /* in the order of their making, those that were marked */
    size_t count;
};

struct timeline_view {
    struct timeline_view_section *sections; /* those with lanes */
    size_t count;
    size_t lost; /* marks there was no room for */
    struct timeline_view_lane *lanes;
    struct timeline_span *spans;
};

/* 0 or -ENOMEM. Borrows the timeline. */
int timeline_view_init(struct timeline_view *ret, const struct timeline *timeline);
void timeline_view_finish(struct timeline_view *view);

/* How many bytes the character of UTF-8 at `p` takes (RFC 3629); 0 when there is none, or one that no
 * text may hold: names come from anywhere. */
int timeline_char_len(const unsigned char *p);

#endif
