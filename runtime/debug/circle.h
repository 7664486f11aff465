/* SPDX-License-Identifier: MIT */
/* Circles of tasks that wait for each other while other tasks run. The loop can tell that all tasks
 * wait, but not that some of them wait for ever. So waits that one certain task would end, such as
 * waits for a mutex, are kept in a list. Once a second the loop follows those that have lasted a
 * second, and reports each circle once.
 *
 *     task a                      task b                      loop, a second later
 *     locks pen                   locks paper
 *     circle_park(paper)          circle_park(pen)            a -> b -> a: a report
 *
 * Switches cost nothing for this; a wait for a mutex costs an entry in the list. */
#ifndef RUNTIME_DEBUG_CIRCLE_H
#define RUNTIME_DEBUG_CIRCLE_H

#include "runtime/sched.h"

/* Like whorl_park(), for a waiter whose kind has a holder: a task whose action would end the
 * wait. */
WHORL_SUSPENDS int64_t circle_park(struct whorl_waiter *waiter, whorl_abort_fn abort,
                                   const char *what);

/* Reports the circles that have lasted a second. Called when circle_is_due(). */
void circle_search(struct sched *s, int64_t now_ns);

static inline bool circle_is_due(const struct sched *s, int64_t now_ns)
{
    return s->held.first && now_ns >= s->held.search_ns;
}

/* When the loop should wake up to search, although nothing else happens; WHORL_FOREVER when no task
 * has run since the last search, because then there is no new circle. */
int64_t circle_deadline(const struct sched *s);

#endif
