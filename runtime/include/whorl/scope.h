/* SPDX-License-Identifier: MIT */
/* Scopes: where cancellation and deadlines apply.
 *
 * A scope is a stretch of a task's code. Cancelling it, or its deadline passing, makes every
 * suspending call in it return -ECANCELED until the scope is left, also in tasks of groups opened
 * inside it. Forgetting to propagate the code once is therefore harmless: the next call says it
 * again. Completion wins: a call that already moved bytes returns their count, and the next one
 * reports the cancel.
 *
 *     struct whorl_scope scope;
 *     whorl_scope_enter(&scope, whorl_after(5 * WHORL_SECOND));
 *     int err = fetch(url);
 *     err = whorl_scope_leave(&scope, err);      // -ETIMEDOUT when the 5 s were the reason
 *
 * Clean-up code that must suspend runs under a shield, which outer cancellation does not pass:
 *
 *     struct whorl_scope shield;
 *     whorl_scope_enter_shield(&shield, whorl_after(WHORL_SECOND));
 *     say_goodbye(stream);
 *     whorl_scope_leave(&shield, 0);
 */
#ifndef WHORL_SCOPE_H
#define WHORL_SCOPE_H

#include <whorl/base.h>
#include <whorl/timer.h>

struct whorl_scope_ops;
struct whorl_task;

/* Lives in the memory of whoever enters it, usually on the stack. Fields are private. */
struct whorl_scope {
    struct whorl_timer timer;        /* armed while the deadline is ahead */
    struct whorl_scope *parent;      /* the scope around this one; NULL for the run's own */
    struct whorl_scope *children;    /* those directly inside, in the order of entering */
    struct whorl_scope *next, *prev; /* our place among the parent's; the first one's prev: last */
    struct whorl_task *owner;        /* the task that entered it or opened the group */
    const struct whorl_scope_ops *ops; /* of a group's scope; NULL for other scopes */
    int64_t deadline_ns;
    bool cancelled; /* this scope or, unless shielded, one around it is cancelled */
    bool requested; /* this very scope was cancelled or ran out of time */
    bool timed_out; /* its own deadline was the reason */
    bool shielded;
    bool stopping; /* asked to finish, see whorl_group_stop() */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Enters a scope; scopes of one task nest and are left in reverse order.
 *
 * @scope        memory that stays valid until the scope is left; needs no initialisation
 * @deadline_ns  an instant (see whorl_after()), or WHORL_FOREVER for none. One in the past cancels
 *               the scope at once; if it passed while the task kept the thread for 100 ms or more,
 *               it may do so only when the loop has its next turn.
 *
 * Never suspends, never fails. Must be called in a task.
 */
WHORL_API void whorl_scope_enter(struct whorl_scope *scope, int64_t deadline_ns);

/** Like whorl_scope_enter(), and cancellation of outer scopes does not reach into this one. */
WHORL_API void whorl_scope_enter_shield(struct whorl_scope *scope, int64_t deadline_ns);

/**
 * Leaves the innermost scope, which must be `scope`.
 *
 * @err  what the code inside came to
 *
 * Returns: `err`; but -ETIMEDOUT when `err` is -ECANCELED and this scope's own deadline, rather
 * than an outer scope, was the reason.
 * Never suspends.
 */
WHORL_API int whorl_scope_leave(struct whorl_scope *scope, int err);

/**
 * Cancels the scope: all suspending calls in it return -ECANCELED from now on. May be called by any
 * task of the run while the scope is entered, any number of times. Never suspends.
 */
WHORL_API void whorl_scope_cancel(struct whorl_scope *scope);

/** Whether calls inside `scope` currently return -ECANCELED, for whichever reason. */
WHORL_API bool whorl_scope_is_cancelled(const struct whorl_scope *scope);

/** Moves the deadline of an entered scope; one in the past acts as on entering. Never suspends. */
WHORL_API void whorl_scope_set_deadline(struct whorl_scope *scope, int64_t deadline_ns);

/** The earliest deadline that applies to the running task, shields considered; or WHORL_FOREVER. */
WHORL_API int64_t whorl_task_deadline(void);

#ifdef __cplusplus
}
#endif

#endif
