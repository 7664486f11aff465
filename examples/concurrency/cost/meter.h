/* SPDX-License-Identifier: MIT */
/* What is measured: time, and the memory of this process. */
#ifndef MODELS_COST_METER_H
#define MODELS_COST_METER_H

#include <stdint.h>

int64_t meter_now_ns(void);

/* The memory that this process uses now. */
double meter_resident_bytes(void);

#endif
