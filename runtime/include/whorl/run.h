/* SPDX-License-Identifier: MIT */
/* Runs: a scheduler, a clock and a root task, on the calling thread.
 *
 *     static int root(void *arg)
 *     {
 *         return whorl_sleep(WHORL_SECOND);
 *     }
 *
 *     int main(void)
 *     {
 *         return whorl_run(root, NULL) ? 1 : 0;
 *     }
 *
 * Programs that do I/O use whorl_io_run() from io.h. Any number of threads may each have a run; a
 * thread has one at a time. When every task waits on another, with no timer and no request that
 * could end it, the run writes a report of all tasks to standard error, cancels everything and
 * returns -EDEADLK.
 */
#ifndef WHORL_RUN_H
#define WHORL_RUN_H

#include <whorl/base.h>
#include <whorl/task.h>

/* Zero-initialised is valid: 0 and NULL mean the default. */
struct whorl_run_options {
    size_t stack_size;      /* of tasks, in bytes; 64 KiB (256 KiB with sanitizers), rounded up */
    size_t root_stack_size; /* of the root task; 256 KiB */
    size_t tasks_max;       /* spawning more fails with -EAGAIN; default: no limit but memory */
    int64_t watchdog_ns;    /* report a task that keeps the thread longer; 0: WHORL_DEBUG decides */
    bool quiet;             /* do not write the deadlock report */
};

/* A virtual run: the clock stands still while tasks run and jumps to the next deadline when all
 * wait, so an hour of timeouts takes a millisecond and every run is the same. */
struct whorl_virtual_options {
    struct whorl_run_options run;
    uint64_t seed;    /* 0: FIFO as in real runs; else ready tasks run in an order drawn from it */
    int64_t start_ns; /* what the clock shows first */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Runs `fn` as the root task without any I/O and returns its result once it and all daemons ended.
 *
 * Returns: what `fn` returned; -EDEADLK; -ENOMEM; WHORL_EBUSYRUN inside a run.
 */
WHORL_API WHORL_CHECKED int whorl_run(whorl_task_fn fn, void *arg);

/** whorl_run() on a virtual clock. @options NULL for the defaults. */
WHORL_API WHORL_CHECKED int whorl_run_virtual(const struct whorl_virtual_options *options,
                                              whorl_task_fn fn, void *arg);

/* What a run has done and holds, for tests, benchmarks and the curious. */
struct whorl_run_stats {
    uint64_t switches;  /* task switches so far */
    uint64_t spawned;   /* tasks started so far, the root included */
    uint64_t polls;     /* calls of the poller's wait() */
    uint64_t turns;     /* of the loop: looks at timers and the poller */
    size_t tasks_alive; /* started and not ended */
    size_t tasks_ready; /* waiting for the processor */
    size_t timers_armed;
    size_t stacks_mapped; /* address space set aside, in stacks */
    size_t stacks_free;   /* of these, not in use by a task */
};

/** Fills `ret` for the run on this thread. Returns 0, or WHORL_ENOTASK when there is none. */
WHORL_API WHORL_CHECKED int whorl_run_get_stats(struct whorl_run_stats *ret);

/** Gives the memory of stacks that no task uses back to the system now; most of it also goes by itself
 *  a second or two after a spike. Never suspends. */
WHORL_API void whorl_run_trim(void);

#ifdef __cplusplus
}
#endif

#endif
