/* SPDX-License-Identifier: MIT */
/* The trace of --verbose: a line for each step of each request. Also hands the details of each
 * request to its transfer. */
#ifndef WHORL_GET_TRACE_H
#define WHORL_GET_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/http.h>

#include "tools/get/buffer.h"

struct report;

/* A request in progress. */
struct trace_run {
    uint64_t request; /* its number in the session */
    uint64_t id;      /* of the transfer, see events.h; 0: there is none */
    int64_t since_ns; /* from the transfer's start to the request's */
};

/* Set `report`. All other fields start at zero. */
struct trace {
    struct report *report;
    bool has_lines; /* print lines */
    struct trace_run *runs;
    size_t runs_count, runs_size;
    struct buffer line;
};

/* The observer for the session. `trace` must stay where it is until the session is destroyed. */
struct whorl_http_observer trace_observer(struct trace *trace);

void trace_finish(struct trace *trace);

/* Does no I/O: appends the lines of an event, none if it is not worth one.
 *
 * @id, @time_ns  the number of the transfer, and the time since its start */
void trace_format(struct buffer *ret, uint64_t id, int64_t time_ns,
                  const struct whorl_http_event *event);

#endif
