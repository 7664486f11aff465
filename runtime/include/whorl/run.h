/* SPDX-License-Identifier: MIT */
/* Runs: a scheduler, a clock and a root task, on the calling thread.
 *
 * A run begins with the call and ends when the root task and all daemons have ended. A thread has
 * one run at a time. Any number of threads may each have one; tasks never move between runs.
 * Programs that do I/O use whorl_io_run() from io.h.
 *
 *     static int root(void *arg)
 *     {
 *         (void)arg;
 *         return whorl_sleep(WHORL_SECOND);
 *     }
 *
 *     int main(void)
 *     {
 *         return whorl_run(root, NULL) ? 1 : 0;
 *     }
 *
 * Small stacks: tasks that only wait and compute a little can have stacks of 2, 4 or 8 KiB, packed
 * into huge pages. With very many tasks, starting them and switching between them is then faster,
 * and with 2 KiB they take half the memory. `small_stack_size` asks for them, for a run, a group or
 * one task. These are the conditions:
 *
 *   - There is no guard. Below each stack is a canary: 64 bytes with a known pattern. When the task
 *     next gives way or ends, a damaged canary is noticed, a report names the task and the place
 *     where it was spawned, and the program aborts. By then the overflow may have damaged another
 *     task, and a large frame can jump over the canary.
 *   - All signal handlers must have SA_ONSTACK, because the frame of a signal can take 11 KiB. The
 *     thread of a run has an alternate stack. WHORL_DEBUG=check looks at all handlers whenever a
 *     task gets a small stack.
 *   - The record of the task takes about 400 bytes of the stack. Calls of this library that wait
 *     take up to 500 bytes. 2 KiB suit tasks that do little else. Tasks that call printf() or send
 *     HTTP requests need guarded stacks.
 *   - At the first call of a function in a shared library the dynamic linker looks it up, on the
 *     stack of the task, and needs several KiB. Link the program with -Wl,-z,now to avoid that.
 *   - Memory is given back when no task uses any of the stacks in a huge page.
 *
 * With sanitizers small stacks are 32 times as large, and with the ucontext switch 4 times.
 *
 * Deadlock: when every task waits on another, and no timer and no request could end that, the run
 * writes a report of all tasks to standard error, cancels everything and returns -EDEADLK. When
 * only some tasks wait on one another in a circle, and no deadline could end that, the run reports
 * the circle once it has lasted a second, and continues. It finds circles of waits that one certain
 * task would end: for a mutex, a read-write lock, a once, a generator, the future of a task, or a
 * group with one task.
 */
#ifndef WHORL_RUN_H
#define WHORL_RUN_H

#include <whorl/base.h>
#include <whorl/task.h>

/* Zero-initialised is valid: 0 and NULL mean the default. */
struct whorl_run_options {
    size_t stack_size;      /* of tasks, in bytes; 64 KiB (256 KiB with sanitizers), rounded up */
    size_t root_stack_size; /* of the root task; 256 KiB */
    /* 2048, 4096 or 8192: tasks have small stacks of that size, see above, and `stack_size` is not
     * used. The root task never has one. */
    size_t small_stack_size;
    /* Size of the guard below each stack in bytes, rounded up to an odd number of pages. More than
     * 16 MiB fails with -EINVAL. 0: 256 KiB for the first few hundred stacks, 64 KiB up to about
     * 33,000 stacks, and 4 KiB for further stacks. The default is also 4 KiB where address space or
     * locked memory is limited. trace.h explains which overflows a guard finds. */
    size_t guard_size;
    size_t tasks_max;    /* spawning more fails with -EAGAIN; default: only memory limits it */
    int64_t watchdog_ns; /* report a task that keeps the thread longer; 0: WHORL_DEBUG decides */
    bool quiet;          /* do not write reports of deadlocks and circles */
};

/* A virtual run: the clock stands still while tasks run and jumps to the next deadline when all
 * tasks wait. An hour of timeouts takes a millisecond, and every run is the same.
 *
 * The clock also stands still while other threads work for the run: while offloaded work is queued
 * or runs, and while another thread has a handle of runner.h. The order in which such work ends is
 * real, so runs with it are not all the same. */
struct whorl_virtual_options {
    struct whorl_run_options run;
    /* 0: ready tasks run first in, first out, as in real runs; else in a random order that depends
     * on the seed only. */
    uint64_t seed;
    int64_t start_ns; /* the clock at the start */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Runs `fn(arg)` as the root task, without any I/O, until it and all daemons have ended.
 *
 * Returns: what `fn` returned; -EDEADLK; -ENOMEM; WHORL_EBUSYRUN inside a run.
 */
WHORL_API WHORL_CHECKED int whorl_run(whorl_task_fn fn, void *arg);

/**
 * Like whorl_run(), with options.
 *
 * @options  NULL for the defaults
 *
 * Returns: as whorl_run(); -EINVAL for options that are out of range.
 */
WHORL_API WHORL_CHECKED int whorl_run_with(const struct whorl_run_options *options,
                                           whorl_task_fn fn, void *arg);

/**
 * Like whorl_run(), on a virtual clock.
 *
 * @options  NULL for the defaults
 *
 * Returns: as whorl_run(); -EINVAL for options that are out of range.
 */
WHORL_API WHORL_CHECKED int whorl_run_virtual(const struct whorl_virtual_options *options,
                                              whorl_task_fn fn, void *arg);

/* What a run has done and holds, for tests and measurements. */
struct whorl_run_stats {
    uint64_t switches;  /* task switches so far */
    uint64_t spawned;   /* tasks started so far, the root task included */
    uint64_t polls;     /* calls of the poller's wait() so far */
    uint64_t turns;     /* turns of the loop, each of which looks at the timers and the poller */
    size_t tasks_alive; /* started and not ended */
    size_t tasks_ready; /* waiting for the processor */
    size_t timers_armed;
    size_t stacks_mapped;    /* stacks for which address space is reserved */
    size_t stacks_free;      /* those of them that no task uses */
    size_t stacks_unguarded; /* those of them that have no guard, see trace.h */
};

/** Fills `ret` for the run on this thread: 0, or WHORL_ENOTASK outside a run. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_run_get_stats(struct whorl_run_stats *ret);

/**
 * Gives the memory of stacks that no task uses back to the system now. Most of it is also given
 * back without this call, a second or two after many tasks have ended. Never suspends.
 */
WHORL_API void whorl_run_trim(void);

#ifdef __cplusplus
}
#endif

#endif
