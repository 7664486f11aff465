/* SPDX-License-Identifier: MIT */
/* Stacks: reserved in slabs, guarded, reused hot, given back after a spike. */
#ifndef RUNTIME_STACK_H
#define RUNTIME_STACK_H

#include <whorl/base.h>

struct whorl_task;
struct stack_slab;

/* How stacks are guarded against overflow, best first. */
enum stack_guard {
    STACK_GUARD_MADVISE,  /* MADV_GUARD_INSTALL: no mapping is split (6.13) */
    STACK_GUARD_MPROTECT, /* two mappings a stack, so only for as many as the limit allows */
    STACK_GUARD_NONE,
};

/* All stacks of one size. */
struct stack_class {
    size_t size;                /* usable bytes, a power of two */
    struct stack_slab *partial; /* slabs with a free or uncarved stack, most recently used first */
    struct stack_slab *slabs;   /* all of them */
    uint32_t next_count;        /* stacks in the next slab */
};

#define STACK_CLASSES 20 /* 16 KiB << 0..19; 64 KiB << 0..19 with sanitizers */

struct stack_pool {
    struct stack_class classes[STACK_CLASSES];
    enum stack_guard guard;
    size_t mapped, free; /* stacks */
    size_t guarded;      /* by mprotect */
    size_t empty_slabs;  /* without a stack in use */
    int64_t trim_at_ns;  /* when there may be something to give back; WHORL_FOREVER: nothing */
    int pidfd;           /* of this process, for guarding in batches; -1 */
};

void stack_pool_init(struct stack_pool *pool);

/* Unmaps everything; no stack may be in use. */
void stack_pool_finish(struct stack_pool *pool);

/* A stack of at least `size` bytes with its record, whose stack fields and context are made; a fresh
 * one's context will run `entry`. NULL: no memory. */
struct whorl_task *stack_acquire(struct stack_pool *pool, size_t size, void (*entry)(void));

/* Puts a stack back. It may still be running on it until the next acquire. */
void stack_release(struct stack_pool *pool, struct whorl_task *task);

/* Gives back what has not been used for `min_age_ns`: slabs without a stack in use, and the memory of
 * free stacks in those with few; when that is 0, of all free stacks. Sets trim_at_ns for the rest. */
void stack_pool_trim(struct stack_pool *pool, int64_t now_ns, int64_t min_age_ns);

/* The record of the stack whose guard or usable part holds `address`; NULL when none does. For
 * signal handlers: reads only. `*ret_in_guard` says which. */
struct whorl_task *stack_find(struct stack_pool *pool, const void *address, bool *ret_in_guard);

/* Calls visit() for each record that is not free. */
void stack_for_each_task(struct stack_pool *pool, void (*visit)(struct whorl_task *, void *),
                         void *ctx);

/* Usable bytes of the task's stack. */
size_t stack_size_of(const struct whorl_task *task);

/* Bytes of its stack the task has ever touched, rounded up to pages. */
size_t stack_high_water(const struct whorl_task *task);

#endif
