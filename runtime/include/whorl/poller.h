/* SPDX-License-Identifier: MIT */
/* For implementers of event sources: the only way a thread waits.
 *
 * The runtime owns this interface and calls it from its loop, always on the thread's own stack,
 * never on a task's. Because the poller also owns the clock, tests run on a virtual one.
 */
#ifndef WHORL_POLLER_H
#define WHORL_POLLER_H

#include <whorl/base.h>
#include <whorl/run.h>

struct whorl_poller {
    const struct whorl_poller_ops *ops;
};

struct whorl_poller_ops {
    const char *name; /* "io_uring", "epoll", "idle", "virtual" */

    /* The clock. Must never go back. Called from tasks too. */
    int64_t (*now)(struct whorl_poller *poller);

    /* Hands over what is queued, then waits for a completion, a kick or `deadline_ns`, whichever is
     * first, and calls whorl_wake() for each completion. A deadline of 0 means: do not wait.
     * Returns 0, also on a timeout or a signal. A negative code is fatal: the kernel may still hold
     * memory of tasks, so the runtime says what failed and aborts. */
    int (*wait)(struct whorl_poller *poller, int64_t deadline_ns);

    /* Whether a wait() with deadline 0 has anything to do: work queued for the kernel, or something
     * that may have arrived. Called every few dozen task switches; must cost nanoseconds and make
     * no system call. NULL: always. */
    bool (*has_work)(struct whorl_poller *poller);

    /* Makes a wait() that is going on, or the next one, return. From any thread. */
    void (*kick)(struct whorl_poller *poller);

    /* Requests in flight, that is, wakes that will come from outside. Zero, with no task ready and
     * no timer armed, means that every task waits on another. */
    size_t (*pending)(struct whorl_poller *poller);

    /* Its clock only moves when it waits, so nothing but tasks' own deadlines may be waited for. */
    bool virtual_time;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Runs `fn` as the root task on this thread with `poller`, until it and its daemons have ended.
 *
 * @options  NULL for the defaults
 *
 * Returns: the root task's result; -EDEADLK (see run.h); -ENOMEM; WHORL_EBUSYRUN; an error of the
 * poller.
 */
WHORL_API WHORL_CHECKED int whorl_run_on(struct whorl_poller *poller,
                                         const struct whorl_run_options *options, whorl_task_fn fn,
                                         void *arg);

/** The poller of the run on this thread; NULL when there is none. */
WHORL_API struct whorl_poller *whorl_poller_current(void);

#ifdef __cplusplus
}
#endif

#endif
