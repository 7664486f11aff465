/* SPDX-License-Identifier: MIT */
/* The record of the transfers, see timeline.h. */
#include "tools/get/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "tools/get/outcome.h"
#include "tools/get/text.h"

static void lane_free(struct timeline_lane *lane)
{
    free(lane->name);
    free(lane->url);
    free(lane->spans);
    free(lane);
}

/* Copies foreign text, escaped. Returns NULL when there is no memory. */
static char *copy(const char *text, bool is_url)
{
    size_t len = strlen(text), size = 4 * len + 5;
    char *ret = malloc(size);

    if (!ret)
        return NULL;
    if (is_url)
        text_escape_url(ret, size, text);
    else
        text_escape(ret, size, text, len);
    char *fit = realloc(ret, strlen(ret) + 1);
    return fit ? fit : ret;
}

static struct timeline_lane *lane_create(const struct followed *followed)
{
    struct timeline_lane *lane = calloc(1, sizeof *lane);

    if (!lane)
        return NULL;
    lane->name = copy(followed->name, false);
    lane->url = copy(followed->url, true);
    if (lane->name && lane->url)
        return lane;
    lane_free(lane);
    return NULL;
}

/* Keeps every second lane. The transfers of the others may be active, so their lanes stay until
 * these end. */
static void thin_out(struct timeline *timeline)
{
    size_t kept = 0;

    for (size_t i = 0; i < timeline->count; i++) {
        struct timeline_lane *lane = timeline->lanes[i];
        if (i % 2 == 0)
            timeline->lanes[kept++] = lane;
        else if (lane->end == TIMELINE_ACTIVE)
            lane->dropped = true;
        else
            lane_free(lane);
    }
    timeline->count = kept;
    timeline->stride *= 2;
}

static bool make_room(struct timeline *timeline)
{
    if (timeline->count < timeline->size)
        return true;
    size_t size = timeline->size ? 2 * timeline->size : 64;
    struct timeline_lane **lanes = reallocarray(timeline->lanes, size, sizeof *lanes);
    if (!lanes)
        return false;
    timeline->lanes = lanes;
    timeline->size = size;
    return true;
}

static void begin(struct timeline *timeline, struct followed *followed)
{
    uint64_t number = timeline->started++;

    if (number % timeline->stride == 0 && timeline->count == TIMELINE_LANES_MAX)
        thin_out(timeline);
    if (number % timeline->stride != 0)
        return;
    struct timeline_lane *lane = make_room(timeline) ? lane_create(followed) : NULL;
    if (!lane) {
        timeline->failed = true;
        return;
    }
    timeline->lanes[timeline->count++] = lane;
    followed->lane = lane;
}

static void add_span(struct timeline *timeline, struct timeline_lane *lane,
                     const struct event *event)
{
    const struct timeline_span span = {event->phase, event->from_ns, event->to_ns};
    struct timeline_span *last = lane->count ? &lane->spans[lane->count - 1] : NULL;

    if (last && last->phase == span.phase && last->to_ns == span.from_ns) {
        last->to_ns = span.to_ns;
        return;
    }
    if (lane->count == TIMELINE_SPANS_MAX) {
        timeline->failed = true;
        return;
    }
    if (lane->count == lane->size) {
        size_t size = lane->size ? 2 * lane->size : 8;
        struct timeline_span *spans = reallocarray(lane->spans, size, sizeof *spans);
        if (!spans) {
            timeline->failed = true;
            return;
        }
        lane->spans = spans;
        lane->size = size;
    }
    lane->spans[lane->count++] = span;
}

static void end(struct timeline_lane *lane, const struct followed *followed,
                const struct outcome *outcome)
{
    if (lane->dropped) {
        lane_free(lane);
        return;
    }
    lane->end = outcome->ok            ? TIMELINE_DONE
                : outcome->interrupted ? TIMELINE_INTERRUPTED
                                       : TIMELINE_FAILED;
    lane->bytes = outcome->bytes;
    memcpy(lane->spent_ns, followed->spent_ns, sizeof lane->spent_ns);
}

static void take(struct event_sink *sink, const struct event *event)
{
    struct timeline *timeline = (struct timeline *)((char *)sink - offsetof(struct timeline, sink));
    struct followed *followed = event->followed;

    if (!followed)
        return;
    if (event->kind == EVENT_STARTED)
        begin(timeline, followed);
    if (!followed->lane)
        return;
    if (event->kind == EVENT_SPAN)
        add_span(timeline, followed->lane, event);
    if (event->kind != EVENT_DONE)
        return;
    end(followed->lane, followed, event->outcome);
    followed->lane = NULL;
}

void timeline_attach(struct timeline *timeline, struct events *events)
{
    timeline->started_ns = events->started_ns;
    timeline->stride = 1;
    timeline->sink.take = take;
    events_add_sink(events, &timeline->sink);
}

void timeline_end(struct timeline *timeline)
{
    timeline->ended_ns = whorl_now();
}

void timeline_finish(struct timeline *timeline)
{
    for (size_t i = 0; i < timeline->count; i++)
        lane_free(timeline->lanes[i]);
    free(timeline->lanes);
    *timeline = (struct timeline){0};
}
