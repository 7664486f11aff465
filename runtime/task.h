/* SPDX-License-Identifier: MIT */
/* The record of a task. It sits at the top of the task's own stack, so that a parked task costs one
 * page, and it stays with the stack: the next task to use the stack gets the same record.
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
#ifndef RUNTIME_TASK_H
#define RUNTIME_TASK_H

#include <whorl/group.h>
#include <whorl/park.h>
#include <whorl/task.h>

#include "runtime/context/context.h"
#include "runtime/cxx.h"

#define TASK_MAGIC    0x77686f726c746173 /* "whorltas": for debuggers' scripts */
#define TASK_NAME_MAX 32
#define TASK_COPY_MAX 128 /* larger arguments are copied twice, see task.c */

struct whorl_task {
    struct context context;      /* valid while not running */
    struct whorl_scope *scope;   /* innermost */
    struct whorl_waiter *waiter; /* not NULL: parked */
    whorl_abort_fn abort;        /* while parked: not yet called, or NULL */
    const char *what;            /* while parked: what it waits for */
    bool in_use;                 /* false: the stack is in the pool */
    uint32_t copy_size;          /* of the argument waiting below the entry frame; 0: none */
    uint32_t groups_open;        /* opened by this task and not waited for yet */
    void *copy;

    whorl_task_fn fn;
    void *arg;
    struct whorl_group *group;      /* NULL for the root task */
    struct whorl_task *next, *prev; /* ring of the group's tasks; `next` also links free stacks */
    struct stack_slab *slab;
    void *stack_low;           /* lowest usable byte */
    struct local_node *locals; /* see local.h; NULL: none */
    uint64_t id;
    uint64_t magic;
    const char *site;         /* where it was spawned; static */
    char name[TASK_NAME_MAX]; /* "" when it has none of its own */
    unsigned char small_copy[TASK_COPY_MAX] __attribute__((aligned(16))); /* what arg points to */
    struct cxx_exceptions exceptions; /* while not running; the loop's while it runs */
};

#endif
