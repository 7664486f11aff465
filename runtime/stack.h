/* SPDX-License-Identifier: MIT */
/* Stacks: reserved in slabs, reused while still in the cache, and given back after a spike. Most
 * are guarded. Small ones are packed without guards and have a canary. */
#ifndef RUNTIME_STACK_H
#define RUNTIME_STACK_H

#include <sys/uio.h>

#include <whorl/base.h>

#include "runtime/context/sanitizer.h"
#include "runtime/context/switches.h"

struct whorl_task;
struct stack_slab;

/* How stacks are guarded against overflow, the best way first. */
enum stack_guard {
    STACK_GUARD_MADVISE,  /* MADV_GUARD_INSTALL, splits no mapping (6.13) */
    STACK_GUARD_MPROTECT, /* two mappings per stack, so only stack_guarded_max() stacks have one */
};

/* All stacks of one size. */
struct stack_class {
    size_t size; /* usable bytes, a power of two */
    /* Slabs with a free or unused stack, the most recently used first. */
    struct stack_slab *partial;
    struct stack_slab *slabs; /* all slabs of the class */
    uint32_t next_count;      /* number of stacks in the next new slab */
    bool is_small;
};

#define STACK_GUARDED_CLASSES 20 /* 16 KiB << 0..19; 64 KiB << 0..19 with sanitizers */
#define STACK_SMALL_CLASSES   3  /* STACK_SMALL_MIN << 0..2, times STACK_SMALL_SCALE */
#define STACK_CLASSES         (STACK_GUARDED_CLASSES + STACK_SMALL_CLASSES)

/* Sizes up to STACK_SMALL_MAX mean small stacks. */
#define STACK_SMALL_MIN ((size_t)2048)
#define STACK_SMALL_MAX ((size_t)8192)
/* Small stacks are larger than asked for where frames or records are. */
#if defined(CONTEXT_SANITIZED)
#define STACK_SMALL_SCALE 32
#elif !defined(WHORL_CONTEXT_ASM) && defined(__aarch64__)
#define STACK_SMALL_SCALE 8 /* context_make() has two ucontext_t, of 4.5 KiB each */
#elif !defined(WHORL_CONTEXT_ASM)
#define STACK_SMALL_SCALE 4
#else
#define STACK_SMALL_SCALE 1
#endif

/* Number of stacks that are prepared together: one call sets their guards, and one call makes their
 * top pages present. */
#define STACK_BATCH 64

struct stack_pool {
    struct stack_class classes[STACK_CLASSES];
    enum stack_guard guard;
    bool checks;         /* WHORL_DEBUG=check: look at signal handlers, see debug/handlers.h */
    size_t mapped, free; /* numbers of stacks */
    size_t guard_size;   /* bytes below each stack, from stack_guard_size(); 0: see stack.c */
    size_t unguarded;    /* stacks without a guard, because of the limit stack_guarded_max() */
    size_t empty_slabs;  /* slabs without a stack in use */
    int64_t trim_at_ns;  /* time of the next trim; WHORL_FOREVER: nothing can be given back */
    /* Pidfd of this process, for guarding many stacks with one call; -1: none. */
    int pidfd;
    /* For calls that concern many stacks. Not a local variable, because the caller may run on a
     * small stack. */
    struct iovec ranges[STACK_BATCH];
};

void stack_pool_init(struct stack_pool *pool);

#define STACK_GUARD_SIZE_MAX ((size_t)16 << 20)

/* The size of a guard of at least `asked` bytes, which is at most STACK_GUARD_SIZE_MAX. */
size_t stack_guard_size(size_t asked);

/* How many stacks of the process have a guard made with mprotect(). */
size_t stack_guarded_count(void);

/* How many stacks of the process can have a guard made with mprotect(). */
size_t stack_guarded_max(void);

/* For a forked child: the tasks on the stacks never run again, so no stack is in use. */
void stack_pool_forget_tasks(struct stack_pool *pool);

/* Unmaps all slabs. No stack may be in use. */
void stack_pool_finish(struct stack_pool *pool);

/* The size of a guarded stack of at least `asked` bytes. 16 KiB is the smallest; stack sizes up to
 * STACK_SMALL_MAX stand for small stacks. */
static inline size_t stack_guarded_size(size_t asked)
{
    const size_t min = 16384;
    return asked > min ? asked : min;
}

/* Whether `size` is 0 or the size of a small stack: 2, 4 or 8 KiB. */
static inline bool stack_small_is_valid(size_t size)
{
    return size == 0 || size == 2048 || size == 4096 || size == 8192;
}

/* Returns a stack of at least `size` bytes with its record, whose stack fields and context are set.
 * A new stack's context will run `entry`. Returns NULL when memory runs out. */
struct whorl_task *stack_acquire(struct stack_pool *pool, size_t size, context_entry_fn entry);

/* Releases a stack. The caller may still run on it until the next stack_acquire(). */
void stack_release(struct stack_pool *pool, struct whorl_task *task);

/* Gives back what has not been used for `min_age_ns`: slabs without a stack in use, and the memory
 * of free stacks in slabs with few in use. When `min_age_ns` is 0: the memory of all free stacks.
 * Sets trim_at_ns for the rest. */
void stack_pool_trim(struct stack_pool *pool, int64_t now_ns, int64_t min_age_ns);

/* Returns the record of the stack that contains `address`, in its guard or in its usable part; NULL
 * when there is none. `*ret_in_guard` says whether it is in the guard. Only reads memory, so a
 * signal handler may call it. */
struct whorl_task *stack_find(struct stack_pool *pool, const void *address, bool *ret_in_guard);

/* Calls visit() for each record in use. */
void stack_for_each_task(struct stack_pool *pool, void (*visit)(struct whorl_task *, void *),
                         void *ctx);

/* Number of usable bytes of the task's stack. */
size_t stack_size_of(const struct whorl_task *task);

/* Number of bytes of its guarded stack that the task has ever touched, rounded up to pages. */
size_t stack_high_water(const struct whorl_task *task);

#endif
