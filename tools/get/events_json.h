/* SPDX-License-Identifier: MIT */
/* The stream of --events: one JSON object per event and line, for programs. The man page describes
 * the members. */
#ifndef WHORL_GET_EVENTS_JSON_H
#define WHORL_GET_EVENTS_JSON_H

#include "tools/get/buffer.h"
#include "tools/get/events.h"

struct totals;
struct writer;

/* Set `out`. All other fields start at zero. */
struct events_json {
    struct event_sink sink;
    struct writer *out;
    int64_t started_ns; /* the origin of `time` */
    struct buffer text; /* of one line */
};

/* The parts of `text` that say where --events writes: "jsonl", "jsonl:FD" or "jsonl:FILE". Returns
 * the descriptor, and sets `ret_path` to NULL or to the file to open; -EINVAL for another format.
 * No I/O. */
int events_json_parse(const char *text, const char **ret_path);

/* Makes the stream a sink. */
void events_json_attach(struct events_json *json, struct events *events);

/* Writes the last line, with the sums. */
void events_json_end(struct events_json *json, const struct events *events,
                     const struct totals *totals, bool interrupted);

void events_json_finish(struct events_json *json);

/* Appends the line of an event to `ret`. Appends nothing for an event that the stream does not
 * have. No I/O. */
void events_json_format(struct buffer *ret, const struct event *event, int64_t started_ns);

#endif
