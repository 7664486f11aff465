/* SPDX-License-Identifier: MIT */
/* A recording, sorted into sections, lanes and spans for drawing. */
#ifndef MODELS_TIMELINE_VIEW_H
#define MODELS_TIMELINE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timeline.h"

/* From `at_ns` on the lane is in this state. `state_set` is the state plus 1 and is stored last, so
 * 0 marks a slot that was reserved and never filled. */
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

/* The counters of reserved slots can be larger than the arrays. Section 0 has no name and always
 * exists. */
struct timeline {
    _Atomic int64_t marks_drawn;
    _Atomic int32_t lanes_drawn;
    _Atomic int32_t section; /* the section to which lanes are added */
    struct {
        char name[TIMELINE_NAME_MAX];
        int64_t began_ns;
    } sections[TIMELINE_SECTIONS_MAX];
    struct timeline_lane_name lanes[TIMELINE_LANES_MAX];
    struct timeline_mark marks[TIMELINE_MARKS_MAX];
};

/* A period in which a lane did one thing. Adjacent periods of the same kind are one span. */
struct timeline_span {
    int64_t from_ns, to_ns;
    bool works;
};

struct timeline_view_lane {
    const char *name;
    struct timeline_span *spans; /* in order; a gap means that the lane had ended */
    size_t count;
};

struct timeline_view_section {
    const char *name; /* "": none */
    int64_t began_ns, ended_ns;
    struct timeline_view_lane *lanes; /* in the order of creation; only lanes with marks */
    size_t count;
};

struct timeline_view {
    struct timeline_view_section *sections; /* only sections with lanes */
    size_t count;
    size_t lost; /* the number of marks that found no room */
    struct timeline_view_lane *lanes;
    struct timeline_span *spans;
};

/* Returns 0 or -ENOMEM. Borrows the timeline. */
int timeline_view_init(struct timeline_view *ret, const struct timeline *timeline);
void timeline_view_finish(struct timeline_view *view);

/* Returns the length in bytes of the UTF-8 character at `p` (RFC 3629), or 0 when the bytes are no
 * valid character or one that text must not contain. Names can hold any bytes. */
int timeline_char_len(const unsigned char *p);

#endif
