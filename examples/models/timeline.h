/* SPDX-License-Identifier: MIT */
/* Execution timing diagrams: a recorder of who computes and who waits from when to when, and the
 * pictures of it. A lane is one task, thread or process:
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
 * It lives in memory shared with children that are forked later, and marking takes no lock: a place is
 * drawn and filled, so threads and processes mark at once and one that is killed spoils nothing. NULL
 * is a timeline that does not record, so that callers need not ask.
 */
#ifndef MODELS_TIMELINE_H
#define MODELS_TIMELINE_H

#include <stdint.h>
#include <stdio.h>

/* What holds 4 million marks: 64 MiB, of which pages without marks take none. What comes later is
 * counted, and the pictures say so. */
enum { TIMELINE_SECTIONS_MAX = 64, TIMELINE_LANES_MAX = 65536, TIMELINE_MARKS_MAX = 1 << 22 };

/* Longer names are cut. */
enum { TIMELINE_NAME_MAX = 64 };

enum timeline_state { TIMELINE_WORKS, TIMELINE_WAITS, TIMELINE_ENDS };

struct timeline;

/* NULL when there is no memory. */
struct timeline *timeline_create(void);
void timeline_destroy(struct timeline *timeline);

/* Adds the sections of another one, which nobody marks any more: each run of a program may have been
 * recorded by itself, and those that count come into one picture. */
void timeline_append(struct timeline *timeline, const struct timeline *from);

/* Begins a section: lanes that are made from now on stand together under this name, in which time
 * begins anew. For several models in one picture, stacked under each other at the same scale. Lanes
 * without a section stand in one of their own without a name, where time begins with the first mark. */
void timeline_section(struct timeline *timeline, const char *name);

/* A new lane of the section that was begun last. Copies the name. Returns its number; -1 when there are
 * too many, and -1 may be marked like any other. From any thread or forked process. */
int timeline_lane(struct timeline *timeline, const char *name);

/* Another name for a lane. By whoever marks it. */
void timeline_rename(struct timeline *timeline, int lane, const char *name);

/* From now on the lane is in this state. From any thread or forked process. */
void timeline_mark(struct timeline *timeline, int lane, enum timeline_state state);

/* The same for an instant of CLOCK_MONOTONIC that has passed, or of a virtual clock. */
void timeline_mark_at(struct timeline *timeline, int lane, enum timeline_state state,
                      int64_t at_ns);

/* Inside a run: from now on each of its tasks has a lane of its own, in which it works while it has the
 * thread. Named as the task is, or after its function and number. */
void timeline_watch_tasks(struct timeline *timeline);

/* Inside a run: a lane for the whole of it, which works while any task runs and waits while all wait.
 * It ends with the run. */
void timeline_watch_run(struct timeline *timeline, int lane);

/* The pictures, of what has been marked when all who mark have ended: a self-contained SVG, and trace
 * events as JSON, which https://ui.perfetto.dev opens. 0 or -errno. */
int timeline_write_svg(const struct timeline *timeline, const char *title, FILE *to);
int timeline_write_trace(const struct timeline *timeline, const char *title, FILE *to);

#endif
