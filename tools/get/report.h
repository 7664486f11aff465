/* SPDX-License-Identifier: MIT */
/* Reports how each transfer ended: a line for people, a JSON object for programs, and the exit
 * status. */
#ifndef WHORL_GET_REPORT_H
#define WHORL_GET_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/error.h>
#include <whorl/http.h>

#include "tools/get/buffer.h"
#include "tools/get/totals.h"

struct progress;
struct writer;

/* The outcome of one transfer. Strings are borrowed for the call. */
struct outcome {
    const char *url;       /* as the user gave it; NULL when a list could not be read */
    const char *final_url; /* after redirects; NULL when there was no response */
    const char *dir;       /* the directory of `file` and `place`; NULL is the current directory */
    const char *file;      /* its final name; NULL for none, "-" for standard output */
    const char *place;     /* the file that the failed step was about, NULL for none */
    const char *list;      /* the list which contains the URL, NULL for an argument */
    long line;
    int status;      /* of the last response, or 0 */
    int tries;       /* 0: the transfer never started */
    int64_t bytes;   /* of the body, as received, before decoding */
    int64_t written; /* of the body, to the file or standard output, after decoding */
    int64_t duration_ns;
    struct whorl_http_timing timing; /* of the last response */
    bool ok, interrupted;
    struct whorl_error error; /* valid unless `ok`; the code is 0 if the status is the failure */
};

/* Set the fields above the blank line. All other fields start at zero. */
struct report {
    bool quiet, verbose, json;
    bool tty;                  /* messages are written to a terminal */
    struct writer *messages;   /* standard error */
    struct writer *objects;    /* standard output, used with `json` */
    struct progress *progress; /* the bars, which print the lines above them; or NULL */

    struct totals totals;
    struct buffer text; /* of one line */
};

enum { EXIT_ALL = 0, EXIT_SOME = 1, EXIT_USAGE = 2, EXIT_NONE = 3 };

/* Counts and reports an outcome. */
void report_outcome(struct report *report, const struct outcome *outcome);

/* With `verbose`, reports that an attempt failed and that a retry follows. */
void report_retry(struct report *report, const struct outcome *outcome, int64_t pause_ns);

/* Prints the last message: the totals of several transfers, or that the program was interrupted. */
void report_summary(struct report *report, bool interrupted);

/* Waits until enough lines and objects are written. Returns 0 or -ECANCELED. */
WHORL_SUSPENDS int report_wait_room(struct report *report);

int report_exit_status(const struct report *report, bool interrupted);

/* Frees the memory. */
void report_finish(struct report *report);

/* These two do no I/O. They append one line with its newline to `ret`. */
void report_format_line(struct buffer *ret, const struct outcome *outcome, bool verbose);
void report_format_object(struct buffer *ret, const struct outcome *outcome);

#endif
