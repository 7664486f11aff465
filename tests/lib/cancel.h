/* SPDX-License-Identifier: MIT */
/* Cancellation at every point of a run: a victim and its companions do the same work again and
 * again, and in each round the victim is cancelled one step later.
 *
 *     TEST_SEEDS(mutex_cancelled_at_any_point_is_neither_held_nor_waited_for)
 *     {
 *         CHECK(cancel_everywhere(&(struct cancel_plan){use_mutex, use_mutex, 3, begin, end}) > 8);
 *     }
 *
 * The steps are the moments at which any task of the run begins to wait. So the victim is cancelled
 * just before it waits, while it waits, after it was woken but before it runs, and between two
 * waits.
 */
#ifndef TEST_CANCEL_H
#define TEST_CANCEL_H

#include <whorl/scope.h>
#include <whorl/task.h>

/* The argument of a task is its number: 0 for the victim, 1, 2, ... for the companions. Half of the
 * companions are spawned before the victim and half after it. */
struct cancel_plan {
    /* Returns 0, or -ECANCELED when it was cancelled; other results fail the test. */
    whorl_task_fn victim;
    whorl_task_fn companion; /* returns 0 */
    int companions;
    void (*begin)(void); /* called before each round; NULL: nothing */
    /* Called after each round, when all tasks have ended; checks what is left. */
    void (*end)(void);
};

/* Runs the rounds; called in the root task of a run. Fails the test when a round returns another
 * result than it should, or leaves a task or a timer. Returns how many times the victim was
 * cancelled. */
WHORL_SUSPENDS_SHIELDED int cancel_everywhere(const struct cancel_plan *plan);

/* For a victim that continues after it was cancelled: the code between these two calls is cancelled
 * instead of the whole victim. */
void cancel_scope_enter(struct whorl_scope *scope);
int cancel_scope_leave(struct whorl_scope *scope, int err);

/* Converts a task's argument to a number, and back. */
static inline int cancel_number(const void *arg)
{
    return (int)(intptr_t)arg;
}

#endif
