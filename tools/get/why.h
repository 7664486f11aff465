/* SPDX-License-Identifier: MIT */
/* Says where the time went, for --why-slow: a sentence and a table. */
#ifndef WHORL_GET_WHY_H
#define WHORL_GET_WHY_H

#include "tools/get/buffer.h"
#include "tools/get/events.h"

/* Zero-initialised is valid. */
struct why {
    struct event_sink sink;
    const struct events *events; /* borrowed */
    uint64_t transfers;          /* that have started and ended */
    struct {
        int64_t ns;
        struct buffer url; /* as the user gave it */
    } longest[PHASES];     /* of one transfer in this phase */
};

/* Makes it a sink of `events`, which must outlive it. */
void why_attach(struct why *why, struct events *events);

/* Appends the sentence and the table, each line with its newline. No I/O. */
void why_format(struct buffer *ret, const struct why *why);

void why_finish(struct why *why);

#endif
