/* SPDX-License-Identifier: MIT */
/* For implementers of event sources: pollers, which are the only way in which a thread waits.
 *
 * The run's loop calls these functions, always on the thread's own stack, except for now(), which
 * tasks call too. The poller also owns the clock, so tests can run on a virtual one.
 *
 *     struct sleeper {
 *         struct whorl_poller poller; // first, so that a pointer to it points to the sleeper
 *         sem_t kicks;
 *     };
 *
 *     static int64_t now(struct whorl_poller *poller)
 *     {
 *         struct timespec t;
 *
 *         (void)poller;
 *         clock_gettime(CLOCK_MONOTONIC, &t);
 *         return t.tv_sec * WHORL_SECOND + t.tv_nsec;
 *     }
 *
 *     static int wait(struct whorl_poller *poller, int64_t deadline_ns)
 *     {
 *         struct timespec t = {deadline_ns / WHORL_SECOND, deadline_ns % WHORL_SECOND};
 *
 *         sem_clockwait(&((struct sleeper *)poller)->kicks, CLOCK_MONOTONIC, &t);
 *         return 0;
 *     }
 *
 *     static void kick(struct whorl_poller *poller)
 *     {
 *         sem_post(&((struct sleeper *)poller)->kicks);
 *     }
 *
 *     static size_t pending(struct whorl_poller *poller)
 *     {
 *         (void)poller;
 *         return 0;
 *     }
 *
 *     int run_with_sleeper(whorl_task_fn fn, void *arg)
 *     {
 *         static const struct whorl_poller_ops ops = {
 *             .name = "sleeper", .now = now, .wait = wait, .kick = kick, .pending = pending};
 *         struct sleeper sleeper = {.poller.ops = &ops};
 *
 *         sem_init(&sleeper.kicks, 0, 0);
 *         int err = whorl_run_on(&sleeper.poller, NULL, fn, arg);
 *         sem_destroy(&sleeper.kicks);
 *         return err;
 *     }
 */
#ifndef WHORL_POLLER_H
#define WHORL_POLLER_H

#include <whorl/base.h>
#include <whorl/run.h>

/* A poller. Implementers put it into a struct of their own. */
struct whorl_poller {
    const struct whorl_poller_ops *ops;
};

/* What a poller can do. */
struct whorl_poller_ops {
    const char *name; /* "io_uring", "epoll", "idle", "virtual" */

    /* Reads the clock, which must never go back. */
    int64_t (*now)(struct whorl_poller *poller);

    /* Submits what is queued for the kernel. Then waits for a completion, a kick or `deadline_ns`,
     * whichever is first, and calls whorl_wake() for each completion. A deadline of 0 means: do not
     * wait. Returns 0, also after a timeout or a signal. A negative code is fatal: the kernel may
     * still use memory of tasks, so the runtime reports the failure and aborts. */
    int (*wait)(struct whorl_poller *poller, int64_t deadline_ns);

    /* Whether wait() with a deadline of 0 would have anything to do: work is queued for the kernel,
     * or an event may have arrived. It is called every few dozen task switches, so it must take
     * nanoseconds and make no system call. NULL: always true. */
    bool (*has_work)(struct whorl_poller *poller);

    /* Makes the wait() in progress, or else the next one, return. May be called from any thread. */
    void (*kick)(struct whorl_poller *poller);

    /* Returns the number of requests in flight, which is the number of wakes that will come from
     * outside. If this is 0 while no task is ready and no timer is armed, then every task waits for
     * another one. */
    size_t (*pending)(struct whorl_poller *poller);

    /* True: the clock moves only while the poller waits. The runtime then waits only for deadlines
     * of tasks, and not for those of its own housekeeping. While another thread works for the run,
     * it waits with WHORL_FOREVER, which ends with a kick. */
    bool virtual_time;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Runs `fn(arg)` as the root task on this thread with `poller`, until the root task and its daemons
 * have ended.
 *
 * @options  NULL for the defaults
 *
 * Returns: the root task's result; -EDEADLK (see run.h); -ENOMEM; -EINVAL for options that are out
 *          of range; WHORL_EBUSYRUN inside a run; an error of the poller.
 */
WHORL_API WHORL_CHECKED int whorl_run_on(struct whorl_poller *poller,
                                         const struct whorl_run_options *options, whorl_task_fn fn,
                                         void *arg);

/** Returns the poller of the run on this thread; NULL when there is no run. Never suspends. */
WHORL_API struct whorl_poller *whorl_poller_current(void);

#ifdef __cplusplus
}
#endif

#endif
