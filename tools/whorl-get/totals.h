/* SPDX-License-Identifier: MIT */
/* What all transfers together have done so far. */
#ifndef WHORL_GET_TOTALS_H
#define WHORL_GET_TOTALS_H

#include <stdint.h>

struct totals {
    uint64_t done, failed, interrupted; /* transfers that have ended */
    int64_t bytes;                      /* of the bodies of these transfers, as received */
    int64_t started_ns;
};

#endif
