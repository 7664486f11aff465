/* SPDX-License-Identifier: MIT */
/* Lanes that are marked automatically: the runtime reports what its tasks do (whorl/trace.h). */
#include <stdlib.h>
#include <string.h>

#include <whorl/trace.h>

#include "timeline.h"

struct watch {
    struct timeline *timeline;
    int lane;         /* the lane of the run, when one lane represents all tasks */
    bool works;       /* the current state of that lane */
    int *lanes;       /* lane + 1 by task number, which starts at 1; 0: no lane */
    size_t lanes_max; /* the length of `lanes` */
};

static void finish(struct watch *watch)
{
    free(watch->lanes);
    free(watch);
}

/* Returns the name of the task. A default name is "function at file:line"; then it returns the
 * function and the task number. */
static const char *label_of(const struct whorl_task *task, char *buf, size_t size)
{
    const char *name = whorl_task_name(task), *at = strstr(name, " at ");

    if (!at)
        return name;
    snprintf(buf, size, "%.*s %llu", (int)(at - name), name,
             (unsigned long long)whorl_task_id(task));
    return buf;
}

/* Returns the entry for task `id`, or NULL when there is no memory. */
static int *lane_of(struct watch *watch, size_t id)
{
    if (id >= watch->lanes_max) {
        size_t grown = id < 64 ? 128 : 2 * id;
        int *lanes = reallocarray(watch->lanes, grown, sizeof *lanes);
        if (!lanes)
            return NULL;
        memset(lanes + watch->lanes_max, 0, (grown - watch->lanes_max) * sizeof *lanes);
        watch->lanes = lanes;
        watch->lanes_max = grown;
    }
    return &watch->lanes[id];
}

static void note_task(void *arg, const struct whorl_trace_event *event)
{
    struct watch *watch = arg;
    char buf[TIMELINE_NAME_MAX];
    int *lane = event->task ? lane_of(watch, whorl_task_id(event->task)) : NULL;

    if (event->kind == WHORL_TRACE_RUN_ENDS)
        finish(watch);
    if (!lane)
        return;
    const char *label = label_of(event->task, buf, sizeof buf);
    if (event->kind == WHORL_TRACE_SPAWNED)
        *lane = 1 + timeline_lane(watch->timeline, label);
    else if (event->kind != WHORL_TRACE_RUNS)
        timeline_rename(watch->timeline, *lane - 1, label); /* the task may have been named since */
    timeline_mark_at(watch->timeline, *lane - 1,
                     event->kind == WHORL_TRACE_RUNS   ? TIMELINE_WORKS
                     : event->kind == WHORL_TRACE_ENDS ? TIMELINE_ENDS
                                                       : TIMELINE_WAITS,
                     event->at_ns);
}

static void note_run(void *arg, const struct whorl_trace_event *event)
{
    struct watch *watch = arg;

    bool works = event->kind != WHORL_TRACE_LOOP_WAITS;

    if (event->kind == WHORL_TRACE_RUN_ENDS) {
        timeline_mark_at(watch->timeline, watch->lane, TIMELINE_ENDS, event->at_ns);
        finish(watch);
    } else if (works != watch->works) {
        timeline_mark_at(watch->timeline, watch->lane, works ? TIMELINE_WORKS : TIMELINE_WAITS,
                         event->at_ns);
        watch->works = works;
    }
}

static void watch(struct timeline *timeline, int lane, whorl_trace_fn fn)
{
    struct watch *watch = timeline ? calloc(1, sizeof *watch) : NULL;

    if (!watch)
        return;
    watch->timeline = timeline;
    watch->lane = lane;
    if (whorl_trace_start(fn, watch) < 0)
        finish(watch);
}

void timeline_watch_tasks(struct timeline *timeline)
{
    watch(timeline, -1, note_task);
}

void timeline_watch_run(struct timeline *timeline, int lane)
{
    watch(timeline, lane, note_run);
}
