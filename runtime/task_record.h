/* SPDX-License-Identifier: MIT */
/* The record of a task. It is at the top of the task's own stack, so that a parked task costs one
 * page. It stays with the stack: the next task on the stack uses the same record.
 *
 *     high  +--------------------+
 *           | colour, 0..1 KiB   |  stacks start at different cache sets, see stack.c
 *           | struct whorl_task  |
 *           | frames of entry()  |  suspended between two tasks
 *           | frames of fn()     |
 *           | ...                |
 *     low   +--------------------+
 *           | guard              |
 *           +--------------------+
 */
#ifndef RUNTIME_TASK_RECORD_H
#define RUNTIME_TASK_RECORD_H

#include <whorl/group.h>
#include <whorl/park.h>
#include <whorl/task.h>

#include "runtime/context/context.h"
#include "runtime/cxx.h"

#define TASK_MAGIC    0x77686f726c746173 /* "whorltas", for debuggers' scripts */
#define TASK_NAME_MAX 32
#define TASK_COPY_MAX 128 /* larger arguments are copied twice, see task.c */

struct sched;

struct whorl_task {
    struct context context;      /* valid while the task does not run */
    struct whorl_scope *scope;   /* the innermost scope of the task */
    struct whorl_waiter *waiter; /* not NULL: the task is parked */
    struct sched *sched;         /* the task's run; in the cache line that a wake writes to */
    whorl_abort_fn abort;        /* valid while parked; NULL: none, or already called */
    const char *what;            /* valid while parked: what it waits for */
    bool in_use;                 /* false: the stack is in the pool */
    uint32_t copy_size;          /* size of the argument copy below the entry frame; 0: no copy */
    /* Number of groups that this task has opened and not waited for yet. */
    uint32_t groups_open;
    void *copy;
    /* The task that this one woke last by a send, and the channel. Both addresses are only
     * prefetched and never followed, because the memory may be freed already. See sched.c. */
    const void *woke, *woke_by;

    whorl_task_fn fn;
    void *arg;
    struct whorl_group *group; /* NULL for the root task */
    /* Called when fn has returned `result`: tells the group or the run. */
    void (*ended)(struct sched *s, struct whorl_task *task, int result);
    /* Ring of the group's tasks; free stacks are linked by `next`. */
    struct whorl_task *next, *prev;
    struct stack_slab *slab;
    void *stack_low;           /* lowest usable byte */
    struct local_node *locals; /* task-local values, see local.h; NULL: none */
    uint64_t id;
    uint64_t magic;
    const char *site;         /* where the task was spawned; static text */
    char name[TASK_NAME_MAX]; /* "" when the task has no name of its own */
    /* Memory for a small argument. */
    unsigned char small_copy[TASK_COPY_MAX] __attribute__((aligned(16)));
    /* The exceptions of the task while it does not run; those of the loop while it runs. */
    struct cxx_exceptions exceptions;
};

#endif
