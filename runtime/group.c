/* SPDX-License-Identifier: MIT */
/* Groups: spawning tasks, joining them, and what a task's failure does to its siblings. */
#include "runtime/group.h"

#include <stdio.h>

#include <whorl/error.h>

#include "runtime/base/check.h"
#include "runtime/debug/circle.h"
#include "runtime/debug/trace.h"
#include "runtime/park.h"
#include "runtime/sched.h"
#include "runtime/scope.h"
#include "runtime/sync/wait_queue.h"
#include "runtime/task.h"

/* Aborts the waits of the tasks whose innermost scope is the group's own. */
static void abort_waits(struct sched *s, struct whorl_scope *scope)
{
    struct whorl_group *group = container_of(scope, struct whorl_group, scope);
    struct whorl_task *task = group->tasks;

    for (size_t n = group->alive; n > 0; n--, task = task->next)
        if (task->scope == scope)
            park_abort(s, task);
}

static void wake_stop_waiters(struct whorl_scope *scope)
{
    struct whorl_group *group = container_of(scope, struct whorl_group, scope);

    while (whorl_wait_queue_wake_one(&group->stop_waiters, 0))
        ;
}

static const struct whorl_scope_ops scope_ops = {abort_waits, wake_stop_waiters};

void group_open(struct whorl_group *group, struct whorl_scope *parent, struct whorl_task *owner)
{
    group->scope.shielded = false;
    group->scope.ops = &scope_ops;
    group->scope.deadline_ns = WHORL_FOREVER;
    group->scope.timer = (struct whorl_timer){0};
    scope_open(&group->scope, parent, owner);
    if (group->stop_requested)
        group->scope.stopping = true;
    if (owner)
        owner->groups_open++;
    group->tasks = NULL;
    group->alive = group->failed = group->succeeded = 0;
    group->waiters = group->stop_waiters = (struct whorl_wait_queue){0};
    group->err = 0;
    group->opened = true;
}

/* Forgets the requests that were made while the group was not open. */
static void forget_requests(struct whorl_group *group)
{
    group->cancel_requested = group->stop_requested = false;
}

static bool is_root_group(const struct whorl_group *group)
{
    const struct sched *s = sched_self();
    return s && group == &s->daemons;
}

/* The run's own group is never closed: it is opened again, without an owner. */
static void close_group(struct whorl_group *group)
{
    scope_close(&group->scope);
    if (group->scope.owner)
        group->scope.owner->groups_open--;
    group->opened = false;
    forget_requests(group);
    if (is_root_group(group))
        group_open(group, NULL, NULL);
}

bool group_is_around(const struct whorl_group *group, const struct whorl_task *task)
{
    const struct whorl_scope *scope = task->scope;

    while (scope && scope != &group->scope)
        scope = scope->parent;
    return scope;
}

/* Appends the task to the group's ring, so that siblings are cancelled in the order in which they
 * were spawned. */
static void add(struct whorl_group *group, struct whorl_task *task)
{
    struct whorl_task *first = group->tasks;

    if (!first) {
        group->tasks = task->next = task->prev = task;
    } else {
        task->next = first;
        task->prev = first->prev;
        first->prev->next = task;
        first->prev = task;
    }
    group->alive++;
}

/* --- the end of tasks ------------------------------------------------------------------------- */

/* Whether the end of a task has decided the group's result: the other tasks are cancelled. */
static bool is_decided(const struct whorl_group *group)
{
    switch (group->policy) {
    case WHORL_GROUP_FAIL_FAST:
        return group->err != 0;
    case WHORL_GROUP_RACE:
        return group->succeeded > 0;
    case WHORL_GROUP_COLLECT:
        break;
    }
    return false;
}

/* The result as far as it is known. */
static int result_of(const struct whorl_group *group)
{
    return group->policy == WHORL_GROUP_RACE && group->succeeded > 0 ? 0 : group->err;
}

/* The result of whorl_group_wait_below(). */
static int result_below(const struct whorl_group *group)
{
    return group->policy == WHORL_GROUP_FAIL_FAST ? group->err : 0;
}

static const struct whorl_group *group_of(const struct whorl_waiter *waiter)
{
    return container_of(waiter->queue, const struct whorl_group, waiters);
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_group *group = group_of(waiter);
    snprintf(text, size, "group of %zu task%s", group->alive, group->alive == 1 ? "" : "s");
}

/* Waiting for a group with one task is waiting for that task. */
static struct whorl_task *holder(const struct whorl_waiter *waiter)
{
    const struct whorl_group *group = group_of(waiter);
    return group->alive == 1 ? group->tasks : NULL;
}

/* The kinds of waiters in group->waiters. The `data` of a waiter is a number of tasks: its wait is
 * over when fewer are alive. */
static const struct whorl_wait_kind waiting_for_end = {describe, holder},
                                    waiting_below = {describe, holder},
                                    waiting_for_result = {describe, holder};

static bool is_over(const struct whorl_group *group, const struct whorl_waiter *waiter)
{
    return group->alive < (uintptr_t)waiter->data ||
           (waiter->kind == &waiting_below && result_below(group) != 0) ||
           (waiter->kind == &waiting_for_result && is_decided(group));
}

static struct whorl_waiter *first_over(const struct whorl_group *group)
{
    struct whorl_waiter *waiter = group->waiters.first;

    while (waiter && !is_over(group, waiter))
        waiter = waiter->next;
    return waiter;
}

/* Wakes the waiters whose wait is over, with the result. A waiter that does not own the group must
 * not look at the group afterwards: the owner, which is woken too, may have left it by then. Waking
 * a case of a select may remove other cases from the queue, so each search starts at its head. */
static void wake_waiters(struct whorl_group *group)
{
    struct whorl_waiter *waiter;

    while ((waiter = first_over(group))) {
        bool below = waiter->kind == &waiting_below;
        wait_queue_remove(&group->waiters, waiter);
        whorl_wake(waiter, below ? result_below(group) : result_of(group));
    }
}

/* Cancels the owner's scope that the user named, if the owner is still inside it. */
static void cancel_owner_scope(struct whorl_group *group)
{
    struct whorl_task *owner = group->scope.owner;
    struct whorl_scope *scope = owner ? owner->scope : NULL;

    while (scope && scope != group->owner_scope)
        scope = scope->parent;
    if (scope)
        whorl_scope_cancel(scope);
}

/* The end of a task has decided the result: the other tasks are cancelled. */
static void cancel_by_policy(struct whorl_group *group)
{
    if (group->scope.requested)
        return;
    whorl_scope_cancel(&group->scope);
    if (group->owner_scope)
        cancel_owner_scope(group);
}

static void task_ended(struct sched *s, struct whorl_task *task, int result)
{
    struct whorl_group *group = task->group;

    (void)s;
    if (task->next == task) {
        group->tasks = NULL;
    } else {
        task->prev->next = task->next;
        task->next->prev = task->prev;
        if (group->tasks == task)
            group->tasks = task->next;
    }
    group->alive--;
    if (result < 0) {
        group->failed++;
        if (group->err == 0)
            group->err = result;
    } else {
        group->succeeded++;
    }
    if (is_decided(group))
        cancel_by_policy(group);
    if (group->waiters.first)
        wake_waiters(group);
}

/* Aborts when the group is used outside its run. If the group has an owner, the check costs
 * nothing, so it is always made. */
static void check_run(struct whorl_group *group)
{
    if (group->opened && group->scope.owner)
        sched_check_own(sched_self(), group->scope.owner);
    run_id_touch(&group->waiters.run, "group", NULL);
}

/* --- spawning --------------------------------------------------------------------------------- */

static int spawn(struct whorl_group *group, whorl_task_fn fn, void *arg, size_t copy_size,
                 size_t stack_size, const char *site)
{
    struct sched *s = sched_self();

    if (!s)
        return WHORL_ENOTASK;
    check_run(group);
    if (!group->opened) {
        /* A posted function runs in the loop, so it has no task to own a new group. It may spawn
         * into groups that are already open. */
        if (!s->current)
            return WHORL_ENOTASK;
        if (group->cancel_requested)
            return -ECANCELED;
        group_open(group, s->current->scope, s->current);
    }
    if (group->scope.cancelled)
        return -ECANCELED;
    if (s->options.tasks_max && s->alive >= s->options.tasks_max)
        return -EAGAIN;
    int err = sched_reserve(s);
    if (err)
        return err;
    struct whorl_task *task = task_create(s, stack_size, fn, arg, copy_size);
    if (!task)
        return stack_size ? -ENOMEM : -EINVAL;
    task->group = group;
    task->ended = task_ended;
    task->scope = &group->scope;
    task->site = site;
    add(group, task);
    sched_ready(s, task);
    if (__builtin_expect(s->trace != NULL, 0))
        trace_spawned(s, task);
    return 0;
}

/* The stack size that a group or an option asks for; 0: invalid. */
static size_t own_stack_size(size_t guarded, size_t small)
{
    if (!stack_small_is_valid(small))
        return 0;
    return small ? small : stack_guarded_size(guarded);
}

static size_t stack_size_for(const struct whorl_group *group)
{
    struct sched *s = sched_self();

    if (!s)
        return 0; /* `group` may be NULL: it is what whorl_root_group() returns here */
    if (__builtin_expect(group->small_stack_size || group->stack_size, 0))
        return own_stack_size(group->stack_size, group->small_stack_size);
    return s->options.stack_size;
}

int whorl_spawn_at(struct whorl_group *group, whorl_task_fn fn, void *arg, const char *site)
{
    return spawn(group, fn, arg, 0, stack_size_for(group), site);
}

int whorl_spawn_copy_at(struct whorl_group *group, whorl_task_fn fn, const void *arg,
                        size_t arg_size, const char *site)
{
    size_t stack_size = stack_size_for(group);

    if (!sched_self())
        return WHORL_ENOTASK;
    if (stack_size && arg_size > stack_size / 4)
        return -E2BIG;
    return spawn(group, fn, (void *)(uintptr_t)arg, arg_size, stack_size, site);
}

int whorl_spawn_with_at(struct whorl_group *group, whorl_task_fn fn, void *arg,
                        const struct whorl_spawn_options *options, const char *site)
{
    bool own = options && (options->stack_size || options->small_stack_size);
    size_t stack_size = own ? own_stack_size(options->stack_size, options->small_stack_size)
                            : stack_size_for(group);
    int err = spawn(group, fn, arg, 0, stack_size, site);

    if (err == 0 && options && options->name) {
        struct whorl_task *task = group->tasks->prev;
        task_set_name(task, options->name);
    }
    return err;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Ends the wait early. */
static enum whorl_abort withdraw(struct whorl_waiter *waiter)
{
    waiter->data = NULL;
    return wait_queue_withdraw(waiter);
}

/* For the owner: ends the wait early, unless the group's tasks are cancelled too. In that case they
 * end soon, and the wait continues until they have ended. */
static enum whorl_abort withdraw_owner(struct whorl_waiter *waiter)
{
    const struct whorl_group *group = group_of(waiter);

    /* The surrounding scope is marked cancelled before the group's own scope, so check both. */
    if (group->scope.cancelled || (group->scope.parent && group->scope.parent->cancelled))
        return WHORL_ABORT_PENDING;
    return withdraw(waiter);
}

/* When a task that is not the owner is cancelled, its wait ends at once, because the group's tasks
 * may be waiting for the end of that task. */
static whorl_abort_fn abort_for(const struct whorl_group *group, const struct whorl_task *task)
{
    return group->scope.owner == task ? withdraw_owner : withdraw;
}

/* Parks until fewer than `n` tasks are alive, or until what `kind` says. Returns false when `abort`
 * has withdrawn the waiter, and then sets no result. */
static WHORL_SUSPENDS bool wait_once(struct whorl_group *group, struct whorl_waiter *waiter,
                                     size_t n, const struct whorl_wait_kind *kind,
                                     whorl_abort_fn abort, int *ret_result)
{
    *waiter = (struct whorl_waiter){.data = (void *)(uintptr_t)n, .kind = kind};
    wait_queue_append(&group->waiters, waiter);
    int64_t result = group->scope.owner == sched_current() ? whorl_park(waiter, abort, "group")
                                                           : circle_park(waiter, abort, "group");
    if (!waiter->data)
        return false;
    *ret_result = (int)result;
    return true;
}

WHORL_SUSPENDS int group_join(struct whorl_group *group, struct whorl_waiter *waiter,
                              whorl_abort_fn abort)
{
    struct whorl_task *self = sched_current();
    bool owned = group->scope.owner == self;
    int result = result_of(group);

    if (!owned && group_is_around(group, self))
        return -EDEADLK;
    /* Between the wake and this check another task may have spawned into the group. */
    while (group->alive > 0) {
        if (!wait_once(group, waiter, 1, &waiting_for_end, abort, &result))
            return -ECANCELED;
        if (!owned)
            break;
        result = result_of(group);
    }
    if (owned || (is_root_group(group) && group->alive == 0))
        close_group(group);
    return result;
}

WHORL_SUSPENDS int whorl_group_wait(struct whorl_group *group)
{
    struct whorl_waiter waiter;
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err == WHORL_ENOTASK || (err && !group->opened))
        return err;
    check_run(group);
    if (group->opened)
        return group_join(group, &waiter, abort_for(group, self));
    /* Before the first spawn the owner is not known; later the last owner is. */
    if (!group->scope.owner || group->scope.owner == self)
        forget_requests(group);
    return 0;
}

WHORL_SUSPENDS int whorl_group_wait_below(struct whorl_group *group, size_t n)
{
    struct whorl_waiter waiter;
    struct whorl_task *self;
    struct sched *s;

    if (n == 0)
        return -EINVAL;
    int err = sched_enter(&s, &self);
    if (err || !group->opened)
        return err;
    check_run(group);
    bool inside = group_is_around(group, self);
    if (inside && n == 1)
        return -EDEADLK;
    bool lasts = inside || group->scope.owner == self || is_root_group(group);
    int result = result_below(group);
    while (group->alive >= n && result == 0) {
        if (!wait_once(group, &waiter, n, &waiting_below, abort_for(group, self), &result))
            return -ECANCELED;
        if (result == 0 && sched_is_cancelled(self))
            return -ECANCELED;
        if (!lasts)
            break;
    }
    return result;
}

static bool group_try(struct whorl_case *c)
{
    const struct whorl_group *group = c->object;

    c->result = group->opened ? result_of(group) : 0;
    return !group->opened || group->alive == 0 || is_decided(group);
}

static int group_start(struct whorl_case *c)
{
    c->data = (void *)(uintptr_t)1; /* fewer than one task alive */
    wait_queue_append_case(&((struct whorl_group *)c->object)->waiters, c, &waiting_for_result);
    return 0;
}

struct whorl_case whorl_case_group(struct whorl_group *group)
{
    static const struct whorl_case_ops ops = {"group", group_try, group_start,
                                              wait_queue_stop_case};
    return (struct whorl_case){.ops = &ops, .object = group};
}

/* --- cancelling ------------------------------------------------------------------------------- */

void whorl_group_cancel(struct whorl_group *group)
{
    check_run(group);
    if (group->opened)
        whorl_scope_cancel(&group->scope);
    else
        group->cancel_requested = true;
}

size_t whorl_group_alive(const struct whorl_group *group)
{
    return group->opened ? group->alive : 0;
}

WHORL_SUSPENDS_SHIELDED void whorl_group_finish(struct whorl_group *group)
{
    struct whorl_waiter waiter;
    struct whorl_task *self = sched_current();
    int result;

    if (!group->opened) {
        forget_requests(group);
        return;
    }
    whorl_check_text(group->alive == 0 || self,
                     "a group with live tasks was finished outside its run");
    whorl_check_text(!self || group->scope.owner == self || !group_is_around(group, self),
                     "a task cannot finish the group that it runs in");
    whorl_scope_cancel(&group->scope);
    while (group->alive > 0) {
        /* withdraw_owner() answers PENDING, because the group is cancelled. */
        bool ended = wait_once(group, &waiter, 1, &waiting_for_end, withdraw_owner, &result);
        whorl_check(ended);
    }
    close_group(group);
}

struct whorl_group *whorl_root_group(void)
{
    struct sched *s = sched_self();
    return s ? &s->daemons : NULL;
}
