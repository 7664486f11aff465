/* SPDX-License-Identifier: MIT */
/* Reports how each transfer ended: a line for people, a JSON object for programs, and the exit
 * status. */
#ifndef WHORL_GET_REPORT_H
#define WHORL_GET_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/base.h>

#include "tools/get/buffer.h"
#include "tools/get/events.h"
#include "tools/get/outcome.h"
#include "tools/get/totals.h"

struct object;
struct progress;
struct whorl_http_response;
struct writer;

/* Set the fields above the blank line. All other fields start at zero. */
struct report {
    bool quiet, verbose, json;
    bool heads_to_objects;     /* the heads of responses are written to `objects` */
    bool has_many;             /* there may be several URLs, so a head follows its URL */
    bool tty;                  /* messages are written to a terminal */
    struct writer *messages;   /* standard error */
    struct writer *objects;    /* standard output, used with `json` */
    struct writer *stream;     /* of --events; or NULL */
    struct progress *progress; /* the bars, which print the lines above them; or NULL */

    struct event_sink sink;
    struct totals totals;
    int64_t said_ns;    /* when the last line was printed, or 0 */
    struct buffer text; /* of one line */
};

enum { EXIT_ALL = 0, EXIT_SOME = 1, EXIT_USAGE = 2, EXIT_NONE = 3, EXIT_MISMATCH = 4 };

/* Makes the report a sink: it counts and reports the outcomes. With `verbose`, it also reports each
 * attempt that failed and is retried. */
void report_attach(struct report *report, struct events *events);

/* Prints a line for people, with its newline. It appears above the bars, if there are any. */
void report_say(struct report *report, const struct buffer *line);

/* Prints the head of a response: with `heads_to_objects` to standard output, else as a message. */
void report_head(struct report *report, const struct whorl_http_response *response);

/* Prints the last message: the totals of several transfers, or that the program was interrupted. */
void report_summary(struct report *report, bool interrupted);

/* Waits until enough lines and objects are written. Returns 0 or -ECANCELED. */
WHORL_SUSPENDS int report_wait_room(struct report *report);

int report_exit_status(const struct report *report, bool interrupted);

/* Frees the memory. */
void report_finish(struct report *report);

/* Adds status line and headers, and an empty line. The server's bytes are escaped. */
void report_format_head(struct buffer *ret, const struct whorl_http_response *response);

/* These do no I/O. They append one line with its newline to `ret`. */
void report_format_line(struct buffer *ret, const struct outcome *outcome, bool verbose);
void report_format_object(struct buffer *ret, const struct outcome *outcome);

/* The class of a failure. For the library, a response with any status and any body is a success, so
 * these failures have classes of their own. */
const char *report_class(const struct outcome *outcome);

/* Appends the line with the sums of several transfers. */
void report_format_summary(struct buffer *ret, const struct totals *totals, int64_t duration_ns);

/* Adds where a crawl has found a URL; nothing outside of a crawl. */
void report_add_place(struct object *object, const struct crawl_place *place);

/* Add the members of an outcome, and of the last object, which has the sums. */
void report_add_outcome(struct object *object, const struct outcome *outcome);
void report_add_sums(struct object *object, const struct totals *totals, bool interrupted,
                     int64_t duration_ns);

#endif
