/* SPDX-License-Identifier: MIT */
/* How much a recording can hold. */
#ifndef MODELS_TIMELINE_LIMITS_H
#define MODELS_TIMELINE_LIMITS_H

/* Room for 4 million marks: 64 MiB, but pages without marks use no memory. Marks beyond that are
 * only counted, and the pictures say how many are missing. */
enum { TIMELINE_SECTIONS_MAX = 64, TIMELINE_LANES_MAX = 65536, TIMELINE_MARKS_MAX = 1 << 22 };

/* Longer names are cut. */
enum { TIMELINE_NAME_MAX = 64 };

#endif
