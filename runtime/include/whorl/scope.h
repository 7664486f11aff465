/* SPDX-License-Identifier: MIT */
/* Scopes: sections of a task's code to which a cancellation or a deadline applies.
 *
 * When a scope is cancelled, or its deadline passes, every suspending call inside it returns
 * -ECANCELED until the scope is left. This includes calls in the tasks of groups that were opened
 * inside it. A caller that forgets to pass the code on does no harm, because the next call returns
 * it again. Completion wins: a call that has already moved bytes returns their count, and the next
 * call reports the cancellation.
 *
 *     static WHORL_SUSPENDS int fetch_within(const char *url, int64_t limit_ns)
 *     {
 *         struct whorl_scope scope;
 *
 *         whorl_scope_enter_timeout(&scope, limit_ns);
 *         int err = fetch(url);
 *         return whorl_scope_leave(&scope, err);   // -ETIMEDOUT when the limit was the reason
 *     }
 *
 * The run notices in each turn of its loop which deadlines have passed. A task that computes for
 * long without a suspending call that waits asks whorl_check_cancelled() (task.h), which looks at
 * the clock too.
 *
 * Clean-up code that must suspend runs inside a shield. Cancellation from outside does not reach
 * into it:
 *
 *     static WHORL_SUSPENDS_SHIELDED void close_politely(struct whorl_stream *stream)
 *     {
 *         struct whorl_scope shield;
 *
 *         whorl_scope_enter_shield_timeout(&shield, WHORL_SECOND);
 *         int err = say_goodbye(stream);
 *         whorl_scope_leave(&shield, err);
 *         whorl_stream_close(stream);
 *     }
 */
#ifndef WHORL_SCOPE_H
#define WHORL_SCOPE_H

#include <whorl/base.h>
#include <whorl/timer.h>

struct whorl_scope_ops;
struct whorl_task;

/* A scope. Its memory belongs to the function that enters it and is usually on the stack. The
 * fields are private. */
struct whorl_scope {
    struct whorl_timer timer;          /* armed while the deadline is ahead */
    struct whorl_scope *parent;        /* the scope around this one; NULL for the run's own */
    struct whorl_scope *children;      /* those directly inside, in the order of entering */
    struct whorl_scope *next, *prev;   /* siblings; the `prev` of the first child is the last one */
    struct whorl_task *owner;          /* the task that entered it or opened the group */
    const struct whorl_scope_ops *ops; /* of a group's scope; NULL for other scopes */
    int64_t deadline_ns;
    bool cancelled; /* this scope or, unless shielded, one around it is cancelled */
    bool requested; /* this very scope was cancelled or ran out of time */
    bool timed_out; /* its own deadline was the reason */
    bool shielded;
    bool stopping;   /* asked to finish, see whorl_group_stop() */
    bool until_stop; /* is cancelled when it is asked to finish */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Enters a scope. The scopes of one task nest; they are left in reverse order. Never suspends and
 * never fails. Must be called in a task.
 *
 * @scope        memory that stays valid until the scope is left; needs no initialisation
 * @deadline_ns  an instant (see whorl_after()), or WHORL_FOREVER for none. A deadline in the past
 *               cancels the scope at once. If the deadline passed while the task kept the thread
 *               for 100 ms or more, the scope may be cancelled only in the next turn of the loop.
 *               With WHORL_DEBUG=check, an instant before the start of the run aborts the program,
 *               because it is probably a duration.
 */
WHORL_API void whorl_scope_enter(struct whorl_scope *scope, int64_t deadline_ns);

/**
 * Enters a scope whose deadline is `timeout_ns` from now. Otherwise like whorl_scope_enter().
 *
 * @timeout_ns  a duration; WHORL_FOREVER for no deadline. 0 or less cancels the scope at once
 */
WHORL_API void whorl_scope_enter_timeout(struct whorl_scope *scope, int64_t timeout_ns);

/**
 * Enters a shield: a scope that cancellation of outer scopes does not reach into. Otherwise like
 * whorl_scope_enter().
 */
WHORL_API void whorl_scope_enter_shield(struct whorl_scope *scope, int64_t deadline_ns);

/**
 * Enters a shield whose deadline is `timeout_ns` from now. Otherwise like
 * whorl_scope_enter_timeout().
 */
WHORL_API void whorl_scope_enter_shield_timeout(struct whorl_scope *scope, int64_t timeout_ns);

/**
 * Enters a scope as whorl_scope_enter() does. The scope is also cancelled when the running task is
 * asked to finish (see stop.h), at once if that has happened already. Use it for a wait during
 * which there is nothing to finish. Afterwards whorl_stop_requested() tells whether the task was
 * asked to finish.
 */
WHORL_API void whorl_scope_enter_until_stop(struct whorl_scope *scope, int64_t deadline_ns);

/**
 * Leaves the innermost scope, which must be `scope`. Never suspends.
 *
 * @err  the result of the code inside
 *
 * Returns: `err`; but -ETIMEDOUT when `err` is -ECANCELED and the reason was this scope's own
 *          deadline, not an outer scope.
 */
WHORL_API int whorl_scope_leave(struct whorl_scope *scope, int err);

/**
 * Cancels the scope: from now on all suspending calls inside it return -ECANCELED. While the scope
 * is entered, any task of the run may call this, any number of times. Never suspends.
 */
WHORL_API void whorl_scope_cancel(struct whorl_scope *scope);

/** Whether calls inside `scope` now return -ECANCELED, whatever the reason. Never suspends. */
WHORL_API bool whorl_scope_is_cancelled(const struct whorl_scope *scope);

/**
 * Whether the scope's own deadline was the reason for its cancellation. So a caller can tell a
 * timeout although the code inside did not return -ECANCELED, for example because the tasks of a
 * group swallowed it. May also be called after the scope was left. Never suspends.
 *
 * Returns: true when the deadline had passed and nothing else had cancelled the scope before. While
 *          the scope is entered, this reads the clock, so the answer is exact. Afterwards it is
 *          what the run had noticed by then: a deadline that passed while the task computed, after
 *          its last suspending call, does not count.
 */
WHORL_API bool whorl_scope_has_timed_out(struct whorl_scope *scope);

/** Moves the deadline of an entered scope. A deadline in the past acts as in whorl_scope_enter().
 *  Never suspends. */
WHORL_API void whorl_scope_set_deadline(struct whorl_scope *scope, int64_t deadline_ns);

/**
 * Returns the earliest deadline that applies to the running task. Deadlines of scopes around a
 * shield do not apply inside it. WHORL_FOREVER when there is none, or outside a task. Never
 * suspends.
 */
WHORL_API int64_t whorl_task_deadline(void);

#ifdef __cplusplus
}
#endif

#endif
