/* SPDX-License-Identifier: MIT */
/* Groups: spawning tasks, joining them, and what a task's failure does to its siblings. */
#include <stdio.h>

#include <whorl/error.h>
#include <whorl/group.h>
#include <whorl/timer.h>

#include "runtime/base/check.h"
#include "runtime/sched.h"

void group_open(struct whorl_group *group, struct whorl_scope *parent)
{
    group->scope.shielded = false;
    group->scope.is_group = true;
    group->scope.deadline_ns = WHORL_FOREVER;
    group->scope.timer = (struct whorl_timer){0};
    scope_open(&group->scope, parent, whorl_task_self());
    if (group->scope.owner)
        group->scope.owner->groups_open++;
    group->tasks = NULL;
    group->waiter = NULL;
    group->alive = group->below = group->failed = group->succeeded = 0;
    group->stop_waiters = (struct whorl_wait_queue){0};
    group->err = 0;
    group->opened = true;
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

static int spawn(struct whorl_group *group, whorl_task_fn fn, void *arg, size_t copy_size,
                 size_t stack_size, const char *site)
{
    struct sched *s = sched_self();

    if (!s)
        return WHORL_ENOTASK;
    if (!group->opened) {
        /* A posted function runs in the loop, so it has no task to own a new group. It may spawn
         * into groups that are already open. */
        if (!s->current)
            return WHORL_ENOTASK;
        group_open(group, s->current->scope);
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
        return -ENOMEM;
    task->group = group;
    task->scope = &group->scope;
    task->site = site;
    add(group, task);
    sched_ready(s, task);
    if (__builtin_expect(s->trace != NULL, 0))
        trace_spawned(s, task);
    return 0;
}

static size_t stack_size_for(const struct whorl_group *group)
{
    struct sched *s = sched_self();
    return group->stack_size ? group->stack_size : s ? s->options.stack_size : 0;
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
    if (arg_size > stack_size / 4)
        return -E2BIG;
    return spawn(group, fn, (void *)(uintptr_t)arg, arg_size, stack_size, site);
}

int whorl_spawn_with_at(struct whorl_group *group, whorl_task_fn fn, void *arg,
                        const struct whorl_spawn_options *options, const char *site)
{
    bool own = options && options->stack_size;
    int err = spawn(group, fn, arg, 0, own ? options->stack_size : stack_size_for(group), site);

    if (err == 0 && options && options->name) {
        struct whorl_task *task = group->tasks->prev;
        snprintf(task->name, sizeof task->name, "%s", options->name);
    }
    return err;
}

void group_task_ended(struct sched *s, struct whorl_group *group, struct whorl_task *task,
                      int result)
{
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
    bool wake = group->alive < group->below;
    if (result < 0) {
        group->failed++;
        if (group->err == 0)
            group->err = result;
        if (group->policy == WHORL_GROUP_FAIL_FAST) {
            if (!group->scope.requested)
                whorl_scope_cancel(&group->scope);
            /* whorl_group_wait_below() reports the failure at once. whorl_group_wait() waits until
             * the last task has ended. */
            wake = wake || group->wake_on_failure;
        }
    } else {
        group->succeeded++;
        if (group->policy == WHORL_GROUP_RACE && !group->scope.requested)
            whorl_scope_cancel(&group->scope);
    }
    if (wake && group->waiter) {
        struct whorl_waiter *waiter = group->waiter;
        group->waiter = NULL;
        whorl_wake(waiter, 0);
    }
}

/* Ends the wait early only when the group's tasks are not cancelled as well. When they are, they
 * end soon, and the wait continues until they have ended. */
static enum whorl_abort withdraw(struct whorl_waiter *waiter)
{
    struct whorl_group *group = waiter->data;

    /* The surrounding scope is marked cancelled before the group's own scope, so check both. */
    if (group->scope.cancelled || (group->scope.parent && group->scope.parent->cancelled))
        return WHORL_ABORT_PENDING;
    group->waiter = NULL;
    return WHORL_ABORT_DONE;
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    const struct whorl_group *group = waiter->data;
    snprintf(text, size, "group of %zu task%s", group->alive, group->alive == 1 ? "" : "s");
}

/* Waiting for a group with one task is waiting for that task. */
static struct whorl_task *holder(const struct whorl_waiter *waiter)
{
    const struct whorl_group *group = waiter->data;
    return group->alive == 1 ? group->tasks : NULL;
}

static const struct whorl_wait_kind waiting_for_group = {describe, holder};

/* Parks until fewer than `n` tasks are alive or, with `or_failure`, until one has failed in a
 * FAIL_FAST group. Returns 0 or -ECANCELED. */
static WHORL_SUSPENDS int wait_until_below(struct whorl_group *group, size_t n, bool or_failure)
{
    struct whorl_waiter waiter = {.data = group, .kind = &waiting_for_group};

    whorl_check_text(!group->waiter, "two tasks wait for one group");
    group->waiter = &waiter;
    group->below = n;
    group->wake_on_failure = or_failure;
    int err = (int)whorl_park(&waiter, withdraw, "group");
    group->waiter = NULL;
    group->below = 0;
    return err;
}

static void close_group(struct whorl_group *group)
{
    scope_close(&group->scope);
    if (group->scope.owner)
        group->scope.owner->groups_open--;
    group->opened = false;
}

WHORL_SUSPENDS int whorl_group_wait(struct whorl_group *group)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err == WHORL_ENOTASK || (err && !group->opened))
        return err;
    if (!group->opened)
        return 0;
    /* Between the wake and this check another task may have spawned into the group. */
    while (group->alive > 0) {
        err = wait_until_below(group, 1, false);
        if (err)
            return err;
    }
    close_group(group);
    if (group->policy == WHORL_GROUP_RACE && group->succeeded > 0)
        return 0;
    return group->err;
}

WHORL_SUSPENDS int whorl_group_wait_below(struct whorl_group *group, size_t n)
{
    struct whorl_task *self;
    struct sched *s;

    if (n == 0)
        return -EINVAL;
    int err = sched_enter(&s, &self);
    if (err)
        return err;
    while (group->opened && group->alive >= n) {
        if (group->policy == WHORL_GROUP_FAIL_FAST && group->err)
            break;
        err = wait_until_below(group, n, true);
        if (err)
            return err;
        if (sched_is_cancelled(self))
            return -ECANCELED;
    }
    return group->opened && group->policy == WHORL_GROUP_FAIL_FAST ? group->err : 0;
}

void whorl_group_cancel(struct whorl_group *group)
{
    struct sched *s = sched_self();

    whorl_check_text(s, "whorl_group_cancel() called outside a run");
    if (!group->opened)
        group_open(group, s->current ? s->current->scope : NULL);
    whorl_scope_cancel(&group->scope);
}

size_t whorl_group_alive(const struct whorl_group *group)
{
    return group->opened ? group->alive : 0;
}

WHORL_SUSPENDS_SHIELDED void whorl_group_finish(struct whorl_group *group)
{
    if (!group->opened)
        return;
    whorl_scope_cancel(&group->scope);
    if (group->alive > 0) {
        whorl_check_text(whorl_task_self(), "a group with live tasks was finished outside its run");
        int err = wait_until_below(group, 1, false);
        whorl_check(err == 0); /* withdraw() answers PENDING, because the group is cancelled */
    }
    close_group(group);
}

struct whorl_group *whorl_root_group(void)
{
    struct sched *s = sched_self();
    return s ? &s->daemons : NULL;
}
