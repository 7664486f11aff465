/* SPDX-License-Identifier: MIT */
/* Recording: marks and lanes are slots in shared memory, reserved with atomic counters. */
#include "timeline.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <whorl/text.h>

#include "timeline_record.h"

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct timeline *timeline_create(void)
{
    void *memory = mmap(NULL, sizeof(struct timeline), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void timeline_destroy(struct timeline *timeline)
{
    if (timeline)
        munmap(timeline, sizeof *timeline);
}

/* Copies a name and cuts it if it is too long, but never inside a UTF-8 character. */
static void copy_name(char *to, const char *name)
{
    size_t len = whorl_text_cut(name, strlen(name), TIMELINE_NAME_MAX - 1);

    memcpy(to, name, len);
    to[len] = '\0';
}

void timeline_section(struct timeline *timeline, const char *name)
{
    int32_t next = timeline ? atomic_load(&timeline->section) + 1 : TIMELINE_SECTIONS_MAX;

    if (next >= TIMELINE_SECTIONS_MAX)
        return;
    copy_name(timeline->sections[next].name, name);
    timeline->sections[next].began_ns = now_ns();
    atomic_store(&timeline->section, next);
}

int timeline_lane(struct timeline *timeline, const char *name)
{
    if (!timeline || atomic_load(&timeline->lanes_drawn) >= TIMELINE_LANES_MAX)
        return -1;
    int32_t number = atomic_fetch_add(&timeline->lanes_drawn, 1);
    if (number >= TIMELINE_LANES_MAX)
        return -1;
    struct timeline_lane_name *lane = &timeline->lanes[number];
    lane->section = atomic_load(&timeline->section);
    copy_name(lane->name, name);
    atomic_store_explicit(&lane->set, 1, memory_order_release);
    return number;
}

void timeline_rename(struct timeline *timeline, int lane, const char *name)
{
    if (timeline && lane >= 0 && lane < TIMELINE_LANES_MAX)
        copy_name(timeline->lanes[lane].name, name);
}

void timeline_mark_at(struct timeline *timeline, int lane, enum timeline_state state, int64_t at_ns)
{
    if (!timeline || lane < 0 || lane >= TIMELINE_LANES_MAX)
        return;
    int64_t place = atomic_fetch_add_explicit(&timeline->marks_drawn, 1, memory_order_relaxed);
    if (place >= TIMELINE_MARKS_MAX)
        return;
    struct timeline_mark *mark = &timeline->marks[place];
    mark->at_ns = at_ns;
    mark->lane = lane;
    atomic_store_explicit(&mark->state_set, (int32_t)state + 1, memory_order_release);
}

void timeline_mark(struct timeline *timeline, int lane, enum timeline_state state)
{
    if (timeline)
        timeline_mark_at(timeline, lane, state, now_ns());
}
