/* SPDX-License-Identifier: MIT */
/* The life of a task: it is created, runs, ends, and its stack goes to the next task. */
#include "runtime/task.h"

#include <alloca.h>
#include <string.h>

#include <whorl/error.h>
#include <whorl/run.h>
#include <whorl/task.h>
#include <whorl/text.h>

#include "runtime/base/check.h"
#include "runtime/base/thread_work.h"
#include "runtime/debug/trace.h"
#include "runtime/local.h"
#include "runtime/sched.h"
#include "runtime/scope.h"

/* Copies a large argument once more: from the spawner's copy far below into a frame above the
 * task's own frames. There it is as safe as a local variable. */
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
        task->locals = NULL; /* a destructor may read other task-locals */
        local_release(locals);
    }
    whorl_check_text(task->scope == (task->group ? &task->group->scope : &s->root_scope),
                     "a task ended inside a scope it had entered");
    whorl_check_text(task->groups_open == 0, "a task ended without waiting for a group");
    if (__builtin_expect(s->trace != NULL, 0))
        trace_ends(s, task, result);
    task->in_use = false;
    s->alive--;
    task->ended(s, task, result);
    whorl_check_text(!task->waiter, "a task ended while it was parked");
    stack_release(&s->stacks, task);
}

/* The only function that starts on a stack. It runs one task after the other. The frames of a task
 * are gone when the next one begins, so only this frame stays on a stack in the pool. */
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

/* Copies a large argument to a place below all bytes that run_with_copy() and memcpy() use while
 * they copy, and below the frame of a signal, which can take up to 11 KiB. An argument takes at
 * most a quarter of the stack. The copy and the gap each take as much. */
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
    task->sched = s;
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
    task->locals = s->current && s->current->locals ? local_inherit(s->current->locals) : NULL;
    task->waiter = NULL;
    task->in_use = true;
    s->alive++;
    s->spawned++;
    return task;
}

struct whorl_task *whorl_task_self(void)
{
    return sched_current();
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

void task_set_name(struct whorl_task *task, const char *name)
{
    size_t len = whorl_text_cut(name, strlen(name), sizeof task->name - 1);

    memcpy(task->name, name, len);
    task->name[len] = '\0';
}

void whorl_task_set_name(const char *name)
{
    struct whorl_task *self = sched_current();

    if (self)
        task_set_name(self, name ? name : "");
}

int whorl_check_cancelled(void)
{
    struct sched *s = sched_self();

    if (!s)
        return thread_work_is_cancelled() ? -ECANCELED : 0;
    if (!s->current)
        return 0;
    if (!sched_is_cancelled(s->current))
        scope_notice_deadlines(s, s->current);
    return sched_is_cancelled(s->current) ? -ECANCELED : 0;
}

size_t whorl_task_stack_left(void)
{
    struct whorl_task *self = sched_current();
    return self ? (size_t)((char *)__builtin_frame_address(0) - (char *)self->stack_low) : 0;
}
