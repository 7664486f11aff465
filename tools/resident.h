/* SPDX-License-Identifier: MIT */
/* The memory of a process. */
#ifndef TOOLS_RESIDENT_H
#define TOOLS_RESIDENT_H

#include <stdint.h>

/* Returns the resident memory of this process in bytes, or 0 when it cannot be read. */
int64_t resident_bytes(void);

#endif
