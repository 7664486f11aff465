/* SPDX-License-Identifier: MIT */
/* Execution timing diagrams: a recorder of when each lane computes and waits, and the pictures of a
 * recording. A lane is one task, thread or process:
 *
 *     struct timeline *timeline = timeline_create();
 *     timeline_section(timeline, "threads");
 *     int lane = timeline_lane(timeline, "worker 1");
 *     timeline_mark(timeline, lane, TIMELINE_WORKS);
 *     ...
 *     timeline_mark(timeline, lane, TIMELINE_WAITS);     // before a call that blocks
 *     read(fd, buf, sizeof buf);
 *     timeline_mark(timeline, lane, TIMELINE_WORKS);     // after it
 *     ...
 *     timeline_mark(timeline, lane, TIMELINE_ENDS);
 *     int err = timeline_write_svg(timeline, "160 pages", file);
 *     timeline_destroy(timeline);
 *
 * A timeline is in memory that is shared with children forked later. Marking takes no lock: it
 * reserves a slot with an atomic counter and then fills it. So threads and processes can mark at
 * the same time, and the timeline stays valid if one of them is killed. A NULL timeline records
 * nothing, so callers need no checks.
 */
#ifndef MODELS_TIMELINE_H
#define MODELS_TIMELINE_H

#include <stdint.h>
#include <stdio.h>

#include "timeline_limits.h"

enum timeline_state { TIMELINE_WORKS, TIMELINE_WAITS, TIMELINE_ENDS };

struct timeline;

/* Returns NULL when there is no memory. */
struct timeline *timeline_create(void);
void timeline_destroy(struct timeline *timeline);

/* Adds the sections of another timeline, which must not be marked any more. So each run of a
 * program can have its own recording, and one picture can show some of them. */
void timeline_append(struct timeline *timeline, const struct timeline *from);

/* Begins a section. Lanes that are created from now on belong to it, and its time starts at 0.
 * Sections are for several models in one picture: they are drawn below each other at the same
 * scale. Lanes without a section belong to one without a name, whose time starts with the first
 * mark. */
void timeline_section(struct timeline *timeline, const char *name);

/* Creates a lane in the latest section and copies its name. Returns the number of the lane, or -1
 * when there are too many lanes; marking lane -1 has no effect. Any thread or forked process may
 * call it. */
int timeline_lane(struct timeline *timeline, const char *name);

/* Renames a lane. Only the thread or process that marks the lane may call it. */
void timeline_rename(struct timeline *timeline, int lane, const char *name);

/* Sets the state of the lane from now on. Any thread or forked process may call it. */
void timeline_mark(struct timeline *timeline, int lane, enum timeline_state state);

/* The same for a given time: an earlier time of CLOCK_MONOTONIC, or a time of a virtual clock. */
void timeline_mark_at(struct timeline *timeline, int lane, enum timeline_state state,
                      int64_t at_ns);

/* Call it inside a run. From now on each task of the run has its own lane, which works while the
 * task has the thread. The lane has the name of the task, or of its function and number. */
void timeline_watch_tasks(struct timeline *timeline);

/* Call it inside a run. The lane represents the whole run: it works while any task runs, and waits
 * while all tasks wait. It ends with the run. */
void timeline_watch_run(struct timeline *timeline, int lane);

/* Writes the recording as a self-contained SVG, or as trace events in JSON that
 * https://ui.perfetto.dev opens. All lanes must have ended their marking. Returns 0 or -errno. */
int timeline_write_svg(const struct timeline *timeline, const char *title, FILE *to);
int timeline_write_trace(const struct timeline *timeline, const char *title, FILE *to);

#endif
