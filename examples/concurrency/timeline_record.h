/* SPDX-License-Identifier: MIT */
/* A recording as it is stored: marks and lanes in slots that are reserved with atomic counters. */
#ifndef MODELS_TIMELINE_RECORD_H
#define MODELS_TIMELINE_RECORD_H

#include <stdint.h>

#include "timeline_limits.h"

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

#endif
