/* SPDX-License-Identifier: MIT */
/* Joins several recordings into one. */
#include <stdatomic.h>

#include "timeline.h"
#include "timeline_record.h"

static int32_t least(int64_t drawn, int32_t room)
{
    return drawn < room ? (int32_t)drawn : room;
}

/* Returns the offset to add to the numbers of named sections. */
static int32_t append_sections(struct timeline *to, const struct timeline *from)
{
    int32_t base = atomic_load(&to->section), count = atomic_load(&from->section);

    count = least(count, TIMELINE_SECTIONS_MAX - 1 - base);
    for (int32_t i = 1; i <= count; i++)
        to->sections[base + i] = from->sections[i];
    atomic_store(&to->section, base + count);
    return base;
}

/* Returns the offset to add to the numbers of lanes. */
static int32_t append_lanes(struct timeline *to, const struct timeline *from, int32_t section_base)
{
    int32_t base = least(atomic_load(&to->lanes_drawn), TIMELINE_LANES_MAX);
    int32_t count = least(atomic_load(&from->lanes_drawn), TIMELINE_LANES_MAX - base);

    for (int32_t i = 0; i < count; i++) {
        struct timeline_lane_name *lane = &to->lanes[base + i];
        *lane = from->lanes[i];
        if (lane->section > 0)
            lane->section += section_base;
    }
    atomic_store(&to->lanes_drawn, base + count);
    return base;
}

void timeline_append(struct timeline *to, const struct timeline *from)
{
    if (!to || !from)
        return;
    int32_t lane_base = append_lanes(to, from, append_sections(to, from));
    int64_t base = atomic_load(&to->marks_drawn), drawn = atomic_load(&from->marks_drawn);
    int32_t room = base < TIMELINE_MARKS_MAX ? TIMELINE_MARKS_MAX - (int32_t)base : 0;
    int32_t count = least(drawn, least(room, TIMELINE_MARKS_MAX));

    for (int32_t i = 0; i < count; i++) {
        to->marks[base + i] = from->marks[i];
        to->marks[base + i].lane += lane_base;
    }
    atomic_store(&to->marks_drawn, base + drawn); /* includes the marks that found no room */
}
