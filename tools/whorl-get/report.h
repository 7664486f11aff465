/* SPDX-License-Identifier: MIT */
/* What became of each transfer: a line for people, an object for programs, and the exit status. */
#ifndef WHORL_GET_REPORT_H
#define WHORL_GET_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/error.h>
#include <whorl/http.h>

struct progress;
struct writer;

/* How one transfer ended. Strings are borrowed for the call. */
struct outcome {
    const char *url;       /* as given */
    const char *final_url; /* after redirects; NULL when there was no response */
    const char *dir;       /* the folder of `file`; NULL: the working folder */
    const char *file;      /* what it is called now; NULL for none, "-" for standard output */
    const char *list;      /* where the URL was read, NULL for an argument */
    long line;
    int status; /* of the last response, 0 for none */
    int tries;
    int64_t bytes; /* of the body, as received */
    int64_t duration_ns;
    struct whorl_http_timing timing; /* of the last response */
    bool ok, interrupted;
    struct whorl_error error; /* unless `ok`; its code is 0 when the status was the failure */
};

enum { REPORT_LINE_SIZE = 32 * 1024 };

/* Set the first part; the rest starts at zero. */
struct report {
    bool quiet, verbose, json;
    bool tty;                  /* messages go to a terminal */
    struct writer *messages;   /* standard error */
    struct writer *objects;    /* standard output; with `json` */
    struct progress *progress; /* what stands between lines and the terminal; or NULL */

    uint64_t done, failed, interrupted;
    int64_t bytes;
    int64_t started_ns;
    char text[REPORT_LINE_SIZE]; /* one line while it is made; too large for tasks' stacks */
};

enum { EXIT_ALL = 0, EXIT_SOME = 1, EXIT_USAGE = 2, EXIT_NONE = 3 };

/* Counts and reports an outcome. */
void report_outcome(struct report *report, const struct outcome *outcome);

/* Says that a try failed and another follows, with `verbose` only. */
void report_retry(struct report *report, const struct outcome *outcome, int64_t pause_ns);

/* The last word: totals for several transfers, or that it was interrupted. */
void report_summary(struct report *report, bool interrupted);

/* Waits until the reader of lines or objects has caught up. 0, or -ECANCELED. */
WHORL_SUSPENDS int report_wait_room(struct report *report);

int report_exit_status(const struct report *report, bool interrupted);

/* Sans-I/O: both write a line with its newline and return its length. */
size_t report_format_line(char *ret, size_t size, const struct outcome *outcome, bool verbose);
size_t report_format_object(char *ret, size_t size, const struct outcome *outcome);

#endif
