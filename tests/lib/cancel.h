/* SPDX-License-Identifier: MIT */
/* Cancellation at every point of a run: a victim and its companions do the same again and again, and
 * each time the victim is cancelled an instant later.
 *
 *     TEST_SEEDS(mutex_cancelled_at_any_point_is_neither_held_nor_waited_for)
 *     {
 *         CHECK(cancel_everywhere(&(struct cancel_plan){use_mutex, use_mutex, 3, begin, end}) > 8);
 *     }
 *
 * The instants are those at which any task of the run begins to wait: so the victim is cancelled as it
 * comes to wait, while it waits, after it was woken but before it runs, and between two waits.
 */
#ifndef TEST_CANCEL_H
#define TEST_CANCEL_H

#include <whorl/scope.h>
#include <whorl/task.h>

/* A task's argument is a number: 0 for the victim, 1, 2, ... for the companions, which start half of
 * them before it and half behind. */
struct cancel_plan {
    whorl_task_fn victim; /* returns 0, or -ECANCELED when it was; anything else fails the test */
    whorl_task_fn companion; /* returns 0 */
    int companions;
    void (*begin)(void); /* before each time; NULL: nothing */
    void (*end)(void);   /* after it, when all have ended: checks what is left */
};

/* Inside a run, in its root task. Fails the test when a round ends otherwise than it should, or leaves a
 * task or a timer. Returns how many times the victim was cancelled. */
WHORL_SUSPENDS_SHIELDED int cancel_everywhere(const struct cancel_plan *plan);

/* For a victim that is to go on after it was cancelled: what is between the two is cancelled instead of
 * the whole of it. */
void cancel_scope_enter(struct whorl_scope *scope);
int cancel_scope_leave(struct whorl_scope *scope, int err);

/* The argument as a number, and the other way round. */
static inline int cancel_number(const void *arg)
{
    return (int)(intptr_t)arg;
}

#endif
