/* SPDX-License-Identifier: MIT */
/* Scopes: the tree along which cancellation spreads.
 *
 * Every scope stores whether calls in it are cancelled, so a suspending call reads only one flag.
 * scope_open() and cancel() keep the flags correct: a new scope inherits the flag, and cancel()
 * sets it in all scopes below.
 */
#include "runtime/scope.h"

#include <whorl/timer.h>

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/park.h"
#include "runtime/sched.h"

/* Appends a scope to its parent's children. They are kept, and cancelled, in the order in which
 * they were entered. The first child's `prev` is the last child. */
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
    scope->requested = scope->timed_out = scope->until_stop = false;
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

/* Ends the waits of the tasks whose innermost scope is this one. Scopes further in are visited
 * separately. */
static void abort_waits(struct sched *s, struct whorl_scope *scope)
{
    struct whorl_task *owner = scope->owner;

    if (scope->ops)
        scope->ops->abort_waits(s, scope);
    else if (owner && owner->scope == scope)
        park_abort(s, owner);
}

/* Calls visit() for `top` and for all scopes below it for which enter() returns true, parents
 * first. It does not recurse, because scopes may be nested as deep as memory allows. */
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
    scope->stopping = true;
    if (scope->ops)
        scope->ops->stop(scope);
    if (scope->until_stop) {
        scope->requested = true;
        cancel(s, scope);
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

/* A deadline further than this after the start of the turn can only have passed if a task has kept
 * the thread for that long. Then the loop finds the deadline in its next turn. */
#define SURELY_AHEAD_NS (100 * WHORL_MILLISECOND)

/* Reading the clock takes 27 ns, more than twice the rest of setting a deadline, so it is read only
 * for near deadlines. */
static bool has_passed(const struct sched *s, int64_t deadline_ns)
{
    int64_t near_ns;

    /* On overflow treat every deadline as near. */
    if (__builtin_add_overflow(s->turn_began_ns, SURELY_AHEAD_NS, &near_ns))
        near_ns = INT64_MAX;
    return deadline_ns <= near_ns && deadline_ns <= whorl_now();
}

/* Arms the timer, or cancels at once when the deadline has passed. */
static void set_deadline(struct whorl_scope *scope, int64_t deadline_ns)
{
    sched_check_instant(sched_self(), deadline_ns);
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
    scope->ops = NULL;
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

void whorl_scope_enter_timeout(struct whorl_scope *scope, int64_t timeout_ns)
{
    enter(scope, whorl_after(timeout_ns), false);
}

void whorl_scope_enter_shield_timeout(struct whorl_scope *scope, int64_t timeout_ns)
{
    enter(scope, whorl_after(timeout_ns), true);
}

void whorl_scope_enter_until_stop(struct whorl_scope *scope, int64_t deadline_ns)
{
    enter(scope, deadline_ns, false);
    scope->until_stop = true;
    if (scope->stopping)
        whorl_scope_cancel(scope);
}

/* A group that was opened inside the scope and outlives it becomes a child of the parent scope. It
 * is cancelled with the parent, even if a shield has prevented that so far. */
static void hand_up_children(struct sched *s, struct whorl_scope *scope)
{
    struct whorl_scope *parent = scope->parent;

    for (struct whorl_scope *child; (child = scope->children);) {
        whorl_check_text(child->ops, "scopes must be left in reverse order");
        take_out(child);
        append(parent, child);
        if (parent->cancelled)
            cancel(s, child);
    }
}

int whorl_scope_leave(struct whorl_scope *scope, int err)
{
    struct whorl_task *self = sched_current();

    whorl_check_text(self && self->scope == scope, "scopes must be left in reverse order");
    bool outer = scope->parent->cancelled && !scope->shielded;
    self->scope = scope->parent;
    hand_up_children(sched_self(), scope);
    scope_close(scope);
    return err == -ECANCELED && scope->timed_out && !outer ? -ETIMEDOUT : err;
}

void whorl_scope_cancel(struct whorl_scope *scope)
{
    if (scope->parent && scope->owner) /* it has been entered and not left, so its owner lives */
        sched_check_own(sched_self(), scope->owner);
    scope->requested = true;
    cancel(sched_self(), scope);
}

bool whorl_scope_is_cancelled(const struct whorl_scope *scope)
{
    return scope->cancelled;
}

/* Cancels the scope if its deadline has passed and the loop has not noticed that yet. */
static void notice_deadline(struct whorl_scope *scope, int64_t now_ns)
{
    if (scope->deadline_ns <= now_ns && !scope->requested) {
        whorl_timer_disarm(&scope->timer);
        time_out(&scope->timer);
    }
}

bool whorl_scope_has_timed_out(struct whorl_scope *scope)
{
    if (scope->parent && scope->deadline_ns != WHORL_FOREVER)
        notice_deadline(scope, whorl_now());
    return scope->timed_out;
}

/* The kernel's coarse clock takes 5 ns to read, the exact one takes 27 ns. It advances with each
 * tick of the kernel, every 1 to 10 ms. So the exact clock and the scopes are looked at once per
 * tick. A virtual clock does not move while a task runs. */
void scope_notice_deadlines(struct sched *s, struct whorl_task *task)
{
    if (s->wheel.armed == 0 || s->poller->ops->virtual_time)
        return;
    int64_t tick_ns = clock_coarse_ns();
    if (tick_ns == s->tick_ns)
        return;
    s->tick_ns = tick_ns;
    int64_t now_ns = s->poller->ops->now(s->poller);
    for (struct whorl_scope *scope = task->scope; scope; scope = scope->parent) {
        notice_deadline(scope, now_ns);
        if (scope->shielded)
            break;
    }
}

void whorl_scope_set_deadline(struct whorl_scope *scope, int64_t deadline_ns)
{
    whorl_check_text(sched_self(), "whorl_scope_set_deadline() called outside a run");
    if (scope->parent && scope->owner)
        sched_check_own(sched_self(), scope->owner);
    set_deadline(scope, deadline_ns);
}

int64_t whorl_task_deadline(void)
{
    struct whorl_task *self = sched_current();
    int64_t earliest = WHORL_FOREVER;

    for (struct whorl_scope *scope = self ? self->scope : NULL; scope; scope = scope->parent) {
        if (scope->deadline_ns < earliest)
            earliest = scope->deadline_ns;
        if (scope->shielded)
            break;
    }
    return earliest;
}
