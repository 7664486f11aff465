/* SPDX-License-Identifier: MIT */
/* The watchdog: a thread that looks at the run regularly. */
#ifndef RUNTIME_DEBUG_WATCHDOG_H
#define RUNTIME_DEBUG_WATCHDOG_H

#include <stdint.h>

struct sched;
struct watchdog;

/* NULL: no memory, or no thread; the run has no watchdog then. */
struct watchdog *watchdog_start(struct sched *s, int64_t threshold_ns);

/* Accepts NULL. */
void watchdog_stop(struct watchdog *watchdog);

#endif
