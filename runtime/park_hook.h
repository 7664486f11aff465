/* SPDX-License-Identifier: MIT */
/* For tests: a hook at every suspension point. */
#ifndef RUNTIME_PARK_HOOK_H
#define RUNTIME_PARK_HOOK_H

/* When not NULL, called at the start of each whorl_park() with its `what`. It may cancel scopes but
 * must not suspend. */
extern void (*sched_park_hook)(const char *what);

#endif
