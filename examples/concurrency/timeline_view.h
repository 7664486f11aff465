/* SPDX-License-Identifier: MIT */
/* A recording, sorted into sections, lanes and spans for drawing. */
#ifndef MODELS_TIMELINE_VIEW_H
#define MODELS_TIMELINE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timeline;

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

#endif
