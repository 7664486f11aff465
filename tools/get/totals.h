/* SPDX-License-Identifier: MIT */
/* What all transfers together have done so far. */
#ifndef WHORL_GET_TOTALS_H
#define WHORL_GET_TOTALS_H

#include <stdbool.h>
#include <stdint.h>

struct totals {
    uint64_t done, failed, interrupted; /* transfers that have ended */
    uint64_t mismatched;                /* of `failed`: bodies that are not the expected ones */
    uint64_t unstarted;                 /* URLs that an interruption kept from starting */
    uint64_t retries;                   /* tries after the first one of each transfer */
    uint64_t queued;                    /* URLs that are known and have not started yet */
    bool open;                          /* more URLs may become known */
    int64_t kept;                       /* bytes that are kept for the next run */
    uint64_t parts;                     /* of `interrupted`: those with such bytes */
    int64_t bytes, written;             /* of the bodies of the transfers that have ended */
    int64_t started_ns;
};

#endif
