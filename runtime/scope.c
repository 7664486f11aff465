/* SPDX-License-Identifier: MIT */
/* Scopes: the tree along which cancellation spreads.
 *
 * Every scope knows whether calls in it are cancelled, so that a suspending call reads one flag.
 * Keeping the flags right is the work of scope_open(), which inherits, and cancel(), which walks down.
 */
#include <whorl/scope.h>
#include <whorl/timer.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"

/* Children stand in the order in which they were entered, so that they are cancelled in it; the
 * first one's `prev` is the last. */
static void append(struct whorl_scope *parent, struct whorl_scope *scope)
{
    struct whorl_scope *first = parent->children;

    scope->parent = parent;
    scope->next = NULL;
    if (first) {
        scope->prev = first->prev;
        first->prev->next = scope;
        first->prev = scope;
    } else {
        scope->prev = scope;
        parent->children = scope;
    }
}

static void take_out(struct whorl_scope *scope)
{
    struct whorl_scope *parent = scope->parent, *first = parent->children;

    if (scope == first)
        parent->children = scope->next;
    else
        scope->prev->next = scope->next;
    if (scope->next)
        scope->next->prev = scope->prev;
    else if (scope != first)
        first->prev = scope->prev;
    scope->parent = NULL;
}

void scope_open(struct whorl_scope *scope, struct whorl_scope *parent, struct whorl_task *owner)
{
    scope->parent = parent;
    scope->children = NULL;
    scope->owner = owner;
    scope->requested = scope->timed_out = false;
    scope->cancelled = parent && !scope->shielded && parent->cancelled;
    scope->stopping = parent && parent->stopping;
    if (parent)
        append(parent, scope);
}

void scope_close(struct whorl_scope *scope)
{
    whorl_timer_disarm(&scope->timer);
    if (scope->parent)
        take_out(scope);
}

/* Ends the waits of tasks that stand in this scope itself; those further in have scopes of theirs. */
static void abort_waits(struct sched *s, struct whorl_scope *scope)
{
    if (!scope->is_group) {
        struct whorl_task *owner = scope->owner;
        if (owner && owner->scope == scope)
            task_abort(s, owner);
        return;
    }
    struct whorl_group *group = container_of(scope, struct whorl_group, scope);
    struct whorl_task *task = group->tasks;
    for (size_t n = group->alive; n > 0; n--, task = task->next)
        if (task->scope == scope)
            task_abort(s, task);
}

/* Calls visit() for `top` and for all scopes inside for which enter() holds, parents first; without
 * recursion, for scopes may nest as deep as memory allows. */
static void walk(struct sched *s, struct whorl_scope *top,
                 bool (*enter)(const struct whorl_scope *scope),
                 void (*visit)(struct sched *s, struct whorl_scope *scope))
{
    struct whorl_scope *scope = top, *child;

    visit(s, top);
    for (child = scope->children;;) {
        while (child && !enter(child))
            child = child->next;
        if (child) {
            visit(s, child);
            scope = child;
            child = scope->children;
        } else {
            if (scope == top)
                return;
            child = scope->next;
            scope = scope->parent;
        }
    }
}

static bool may_cancel(const struct whorl_scope *scope)
{
    return !scope->shielded && !scope->cancelled;
}

static void cancel_one(struct sched *s, struct whorl_scope *scope)
{
    scope->cancelled = true;
    abort_waits(s, scope);
}

static void cancel(struct sched *s, struct whorl_scope *top)
{
    if (!top->cancelled)
        walk(s, top, may_cancel, cancel_one);
}

static bool may_stop(const struct whorl_scope *scope)
{
    return !scope->stopping;
}

static void stop_one(struct sched *s, struct whorl_scope *scope)
{
    (void)s;
    scope->stopping = true;
    if (scope->is_group) {
        struct whorl_group *group = container_of(scope, struct whorl_group, scope);
        while (whorl_wait_queue_wake_one(&group->stop_waiters, 0))
            ;
    }
}

void scope_request_stop(struct sched *s, struct whorl_scope *scope)
{
    if (!scope->stopping)
        walk(s, scope, may_stop, stop_one);
}

static void time_out(struct whorl_timer *timer)
{
    struct whorl_scope *scope = container_of(timer, struct whorl_scope, timer);

    if (!scope->requested)
        scope->requested = scope->timed_out = true;
    cancel(sched_self(), scope);
}

/* A deadline this far after the turn began can only have passed if the task has kept the thread for
 * as long; then the loop, when it has its turn, finds it. */
#define SURELY_AHEAD_NS (100 * WHORL_MILLISECOND)

/* Reading the clock takes 27 ns, more than twice what the rest of a deadline costs, so it is read for
 * near ones only. */
static bool has_passed(const struct sched *s, int64_t deadline_ns)
{
    int64_t near_ns;

    /* Near the end of time every deadline is. */
    if (__builtin_add_overflow(s->turn_began_ns, SURELY_AHEAD_NS, &near_ns))
        near_ns = INT64_MAX;
    return deadline_ns <= near_ns && deadline_ns <= whorl_now();
}

/* Arms the timer, or cancels at once when the instant has passed. */
static void set_deadline(struct whorl_scope *scope, int64_t deadline_ns)
{
    scope->deadline_ns = deadline_ns;
    if (!has_passed(sched_self(), deadline_ns)) {
        whorl_timer_arm(&scope->timer, deadline_ns, time_out);
    } else {
        whorl_timer_disarm(&scope->timer);
        time_out(&scope->timer);
    }
}

static void enter(struct whorl_scope *scope, int64_t deadline_ns, bool shielded)
{
    struct sched *s = sched_self();
    struct whorl_task *self = s ? s->current : NULL;

    whorl_check_text(self, "whorl_scope_enter() called outside a task");
    scope->timer = (struct whorl_timer){0};
    scope->shielded = shielded;
    scope->is_group = false;
    scope->deadline_ns = WHORL_FOREVER;
    scope_open(scope, self->scope, self);
    self->scope = scope;
    if (deadline_ns != WHORL_FOREVER)
        set_deadline(scope, deadline_ns);
}

void whorl_scope_enter(struct whorl_scope *scope, int64_t deadline_ns)
{
    enter(scope, deadline_ns, false);
}

void whorl_scope_enter_shield(struct whorl_scope *scope, int64_t deadline_ns)
{
    enter(scope, deadline_ns, true);
}

/* A group that was opened inside and outlives the scope belongs to the one around it from now on, and
 * is cancelled with it even if a shield kept that from it so far. */
static void hand_up_children(struct sched *s, struct whorl_scope *scope)
{
    struct whorl_scope *parent = scope->parent;

    for (struct whorl_scope *child; (child = scope->children);) {
        whorl_check_text(child->is_group, "scopes must be left in reverse order");
        take_out(child);
        append(parent, child);
        if (parent->cancelled)
            cancel(s, child);
    }
}

int whorl_scope_leave(struct whorl_scope *scope, int err)
{
    struct whorl_task *self = whorl_task_self();

    whorl_check_text(self && self->scope == scope, "scopes must be left in reverse order");
    bool outer = scope->parent->cancelled && !scope->shielded;
    self->scope = scope->parent;
    hand_up_children(sched_self(), scope);
    scope_close(scope);
    return err == -ECANCELED && scope->timed_out && !outer ? -ETIMEDOUT : err;
}

void whorl_scope_cancel(struct whorl_scope *scope)
{
    scope->requested = true;
    cancel(sched_self(), scope);
}

bool whorl_scope_is_cancelled(const struct whorl_scope *scope)
{
    return scope->cancelled;
}

void whorl_scope_set_deadline(struct whorl_scope *scope, int64_t deadline_ns)
{
    set_deadline(scope, deadline_ns);
}

int64_t whorl_task_deadline(void)
{
    struct whorl_task *self = whorl_task_self();
    int64_t earliest = WHORL_FOREVER;

    for (struct whorl_scope *scope = self ? self->scope : NULL; scope; scope = scope->parent) {
        if (scope->deadline_ns < earliest)
            earliest = scope->deadline_ns;
        if (scope->shielded)
            break;
    }
    return earliest;
}
