/* SPDX-License-Identifier: MIT */
/* The life of a task: made, run, ended, its stack handed to the next. */
#include <alloca.h>
#include <stdio.h>
#include <string.h>

#include <whorl/error.h>
#include <whorl/run.h>

#include "runtime/base/check.h"
#include "runtime/local.h"
#include "runtime/sched.h"

/* Brings the spawner's copy of a large argument, which lies further down, into a frame above the
 * task's own: from then on it is as safe as any local variable. */
static __attribute__((noinline)) WHORL_SUSPENDS int run_with_copy(struct whorl_task *task)
{
    size_t size = task->copy_size;
    void *arg = alloca((size + 15) & ~(size_t)15);
    memcpy(arg, task->copy, size);
    return task->fn(arg);
}

static void end(struct sched *s, struct whorl_task *task, int result)
{
    if (__builtin_expect(task->locals != NULL, 0)) {
        struct local_node *locals = task->locals;
        task->locals = NULL; /* a destructor may look for others */
        local_release(locals);
    }
    whorl_check_text(task->scope == (task->group ? &task->group->scope : &s->root_scope),
                     "a task ended inside a scope it had entered");
    whorl_check_text(task->groups_open == 0, "a task ended without waiting for a group");
    if (__builtin_expect(s->trace != NULL, 0))
        trace_ends(s, task, result);
    task->in_use = false;
    s->alive--;
    if (task->group) {
        group_task_ended(s, task->group, task, result);
    } else {
        s->root = NULL;
        s->root_result = result;
    }
    whorl_check_text(!task->waiter, "a task ended while it was parked");
    stack_release(&s->stacks, task);
}

/* First and only code of every stack: runs one task after the other. Frames of one task are gone
 * when the next begins, so this loop is all that stays of a stack in the pool. */
static WHORL_SUSPENDS_SHIELDED void entry(void)
{
    struct sched *s = sched_self();
    struct whorl_task *self = s->current;

    shadow_after(&self->context.shadow);
    for (;;) {
        int result = self->copy_size ? run_with_copy(self) : self->fn(self->arg);
        end(s, self, result);
        sched_switch_dying(s, self);
    }
}

/* Puts the copy below every byte that run_with_copy() and memcpy() can have in use while they copy,
 * and that a signal's frame can take then, which is up to 11 KiB. An argument takes a quarter of the
 * stack at most, and so do its copy and the gap. */
static void copy_large(struct whorl_task *task, size_t size)
{
    uintptr_t at = (uintptr_t)task - stack_size_of(task) / 4 - 2 * size;

    task->copy = (void *)(at & ~(uintptr_t)15);
    task->copy_size = (uint32_t)size;
    memcpy(task->copy, task->arg, size);
}

struct whorl_task *task_create(struct sched *s, size_t stack_size, whorl_task_fn fn, void *arg,
                               size_t copy_size)
{
    struct whorl_task *task = stack_acquire(&s->stacks, stack_size, entry);

    if (!task)
        return NULL;
    task->fn = fn;
    task->arg = arg;
    task->copy_size = 0;
    if (copy_size > sizeof task->small_copy)
        copy_large(task, copy_size);
    else if (copy_size > 0)
        task->arg = memcpy(task->small_copy, arg, copy_size);
    context_inherit_fp(&task->context, s->current ? &s->current->context : NULL);
    task->id = ++s->next_id;
    task->name[0] = '\0';
    task->groups_open = 0;
    task->locals = s->current ? local_inherit(s->current->locals) : NULL;
    task->waiter = NULL;
    task->in_use = true;
    s->alive++;
    s->spawned++;
    return task;
}

struct whorl_task *whorl_task_self(void)
{
    struct sched *s = sched_self();
    return s ? s->current : NULL;
}

uint64_t whorl_task_id(const struct whorl_task *task)
{
    return task ? task->id : 0;
}

const char *whorl_task_name(const struct whorl_task *task)
{
    if (!task)
        return "";
    return task->name[0] ? task->name : task->site;
}

void whorl_task_set_name(const char *name)
{
    struct whorl_task *self = whorl_task_self();
    if (self)
        snprintf(self->name, sizeof self->name, "%s", name ? name : "");
}

int whorl_check_cancelled(void)
{
    struct whorl_task *self = whorl_task_self();
    return self && sched_is_cancelled(self) ? -ECANCELED : 0;
}

size_t whorl_task_stack_left(void)
{
    struct whorl_task *self = whorl_task_self();
    return self ? (size_t)((char *)__builtin_frame_address(0) - (char *)self->stack_low) : 0;
}
