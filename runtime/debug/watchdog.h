/* SPDX-License-Identifier: MIT */
/* The watchdog: a thread that looks at the run regularly. */
#ifndef RUNTIME_DEBUG_WATCHDOG_H
#define RUNTIME_DEBUG_WATCHDOG_H

#include <stdint.h>

struct sched;
struct watchdog;

/* Starts a watchdog. Returns NULL without memory or a thread for it; the run then has no
 * watchdog. */
struct watchdog *watchdog_start(struct sched *s, int64_t threshold_ns);

/* Accepts NULL. */
void watchdog_stop(struct watchdog *watchdog);

#endif
