/* SPDX-License-Identifier: MIT */
/* For tests: a look at every suspension point. */
#ifndef RUNTIME_PARK_HOOK_H
#define RUNTIME_PARK_HOOK_H

/* Called with what is waited for at the entry of each whorl_park() while not NULL; it may cancel
 * scopes but not suspend. */
extern void (*sched_park_hook)(const char *what);

#endif
