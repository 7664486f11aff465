/* SPDX-License-Identifier: MIT */
/* Fetches all URLs of the arguments and lists: reads them, starts their transfers as the schedule
 * allows, and waits for the end of all. */
#ifndef WHORL_GET_FETCH_H
#define WHORL_GET_FETCH_H

#include <whorl/http.h>

#include "tools/get/get.h"
#include "tools/get/source.h"

/* Set `get` and `source`, and maybe `queue`, which takes the place of the source. */
struct fetch {
    struct get *get;
    struct source source;
    struct queue *queue; /* borrowed; NULL: there is none */
};

/* Returns 0 when all transfers have ended, well or not; -ECANCELED; -ENOMEM or -EAGAIN when no task
 * could be started. */
WHORL_SUSPENDS int fetch_all(struct fetch *fetch);

/* After an interruption, reports the URLs whose transfers never started: all that are known without
 * waiting for another process. Gives up when the output is not read for `stall_ns`. Returns 0,
 * -ECANCELED or -ETIMEDOUT. */
WHORL_SUSPENDS int fetch_report_rest(struct fetch *fetch, int64_t stall_ns);

/* A dialer for the session; `arg` is the struct get. It tells the schedule which hosts refuse. */
WHORL_SUSPENDS int fetch_dial(void *arg, const char *host, uint16_t port,
                              const struct whorl_dial_options *options, struct whorl_error *error,
                              struct whorl_stream **ret);

#endif
