/* SPDX-License-Identifier: MIT */
/* Sorts the marks of a recording by lane and time, and turns them into spans. */
#include "timeline_view.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "timeline.h"
#include "timeline_record.h"

/* The data of one conversion. `from[lane]` is the index in `sorted` of the lane's first mark. */
struct reading {
    const struct timeline *timeline;
    int32_t lanes;
    size_t marks; /* slots to look at */
    const struct timeline_mark **sorted;
    size_t *from; /* lanes + 1 entries */
};

/* The state of a mark, or -1 for a slot that was never filled. */
static int state_of(const struct reading *r, size_t place)
{
    const struct timeline_mark *mark = &r->timeline->marks[place];
    int state = atomic_load_explicit(&mark->state_set, memory_order_acquire) - 1;

    return state >= 0 && mark->lane < r->lanes ? state : -1;
}

/* Threads and processes may reserve their slots in another order than they read the clock, so marks
 * can be out of order. This is rare, and the distance is short, so an insertion sort is fast. */
static void sort_by_time(const struct timeline_mark **marks, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct timeline_mark *mark = marks[i];
        size_t at = i;
        for (; at > 0 && marks[at - 1]->at_ns > mark->at_ns; at--)
            marks[at] = marks[at - 1];
        marks[at] = mark;
    }
}

/* Sorts by lane with a counting sort, and then each lane by time. */
static int sort(struct reading *r)
{
    r->sorted = malloc((r->marks + 1) * sizeof(const struct timeline_mark *));
    r->from = calloc((size_t)r->lanes + 2, sizeof *r->from);
    if (!r->sorted || !r->from)
        return -ENOMEM;
    /* from[lane + 2] counts the marks of the lane. Then from[lane + 1] is the index at which the
     * lane's next mark is stored. In the end it is the index at which the following lane begins. */
    for (size_t i = 0; i < r->marks; i++)
        if (state_of(r, i) >= 0)
            r->from[r->timeline->marks[i].lane + 2]++;
    for (int32_t lane = 0; lane < r->lanes; lane++)
        r->from[lane + 2] += r->from[lane + 1];
    for (size_t i = 0; i < r->marks; i++)
        if (state_of(r, i) >= 0)
            r->sorted[r->from[r->timeline->marks[i].lane + 1]++] = &r->timeline->marks[i];
    for (int32_t lane = 0; lane < r->lanes; lane++)
        sort_by_time(r->sorted + r->from[lane], r->from[lane + 1] - r->from[lane]);
    return 0;
}

static void widen(struct timeline_view_section *section, const struct reading *r, int32_t lane)
{
    int64_t first_ns = r->sorted[r->from[lane]]->at_ns;
    int64_t last_ns = r->sorted[r->from[lane + 1] - 1]->at_ns;

    if (section->count == 0 && !section->name[0])
        section->began_ns = first_ns;
    if (section->count == 0 || last_ns > section->ended_ns)
        section->ended_ns = last_ns;
    if (first_ns < section->began_ns)
        section->began_ns = first_ns;
}

/* Writes the spans of a lane to `to`. Returns their number. */
static size_t make_spans(const struct reading *r, int32_t lane, int64_t ended_ns,
                         struct timeline_span *to)
{
    size_t n = 0;

    for (size_t i = r->from[lane]; i < r->from[lane + 1]; i++) {
        const struct timeline_mark *mark = r->sorted[i];
        int state = atomic_load_explicit(&mark->state_set, memory_order_relaxed) - 1;
        int64_t until_ns = i + 1 < r->from[lane + 1] ? r->sorted[i + 1]->at_ns : ended_ns;
        bool works = state == TIMELINE_WORKS;
        if (state == TIMELINE_ENDS)
            continue;
        if (n > 0 && to[n - 1].works == works && to[n - 1].to_ns == mark->at_ns)
            to[n - 1].to_ns = until_ns;
        else
            to[n++] = (struct timeline_span){mark->at_ns, until_ns, works};
    }
    return n;
}

static void read_section(struct timeline_view *view, const struct reading *r, int32_t number,
                         struct timeline_view_lane **lane_end, struct timeline_span **span_end)
{
    struct timeline_view_section *section = &view->sections[view->count];

    *section = (struct timeline_view_section){.name = r->timeline->sections[number].name,
                                              .began_ns = r->timeline->sections[number].began_ns,
                                              .lanes = *lane_end};
    for (int pass = 0; pass < 2; pass++) { /* 0: the times and sizes; 1: the spans */
        section->count = 0;
        for (int32_t i = 0; i < r->lanes; i++) {
            const struct timeline_lane_name *lane = &r->timeline->lanes[i];
            if (!atomic_load_explicit(&lane->set, memory_order_acquire) ||
                lane->section != number || r->from[i] == r->from[i + 1])
                continue;
            if (pass == 0) {
                widen(section, r, i);
            } else {
                size_t n = make_spans(r, i, section->ended_ns, *span_end);
                section->lanes[section->count] =
                    (struct timeline_view_lane){.name = lane->name, .spans = *span_end, .count = n};
                *span_end += n;
            }
            section->count++;
        }
    }
    *lane_end += section->count;
    view->count += section->count > 0;
}

int timeline_view_init(struct timeline_view *ret, const struct timeline *timeline)
{
    struct reading r = {.timeline = timeline};
    int64_t drawn = atomic_load(&timeline->marks_drawn);
    int32_t sections = atomic_load(&timeline->section) + 1;

    *ret = (struct timeline_view){0};
    if (drawn > TIMELINE_MARKS_MAX) {
        ret->lost = (size_t)(drawn - TIMELINE_MARKS_MAX);
        drawn = TIMELINE_MARKS_MAX;
    }
    r.marks = (size_t)drawn;
    r.lanes = atomic_load(&timeline->lanes_drawn);
    if (r.lanes > TIMELINE_LANES_MAX)
        r.lanes = TIMELINE_LANES_MAX;
    int err = sort(&r);
    ret->sections = calloc((size_t)sections, sizeof *ret->sections);
    ret->lanes = calloc((size_t)r.lanes + 1, sizeof *ret->lanes);
    ret->spans = malloc((r.marks + 1) * sizeof *ret->spans);
    if (!ret->sections || !ret->lanes || !ret->spans)
        err = -ENOMEM;
    struct timeline_view_lane *lane_end = ret->lanes;
    struct timeline_span *span_end = ret->spans;
    for (int32_t i = 0; err == 0 && i < sections; i++)
        read_section(ret, &r, i, &lane_end, &span_end);
    free(r.sorted);
    free(r.from);
    if (err)
        timeline_view_finish(ret);
    return err;
}

void timeline_view_finish(struct timeline_view *view)
{
    free(view->sections);
    free(view->lanes);
    free(view->spans);
    *view = (struct timeline_view){0};
}
