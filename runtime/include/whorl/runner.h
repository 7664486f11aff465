/* SPDX-License-Identifier: MIT */
/* Runners: handles through which other threads call into a run.
 *
 * The run's own thread acquires a handle and passes it to another thread. That thread may use it
 * also after the run has ended: its calls then return -ESHUTDOWN. Functions whose names end in
 * _remote may be called from any thread.
 *
 *     static void *work(void *arg)                            // on another thread
 *     {
 *         struct job *job = arg;
 *         int err = whorl_runner_post_remote(job->runner, finished, job);
 *
 *         if (err)                                            // -ESHUTDOWN: the run has ended
 *             job_abandon(job);
 *         whorl_runner_release_remote(job->runner);
 *         return NULL;
 *     }
 *
 *     static int start(struct job *job)                       // in the run
 *     {
 *         int err = whorl_runner_acquire(&job->runner);
 *
 *         if (err)
 *             return err;
 *         err = -pthread_create(&job->thread, NULL, work, job);
 *         if (err)
 *             whorl_runner_release_remote(job->runner);
 *         return err;
 *     }
 */
#ifndef WHORL_RUNNER_H
#define WHORL_RUNNER_H

#include <whorl/base.h>
#include <whorl/park.h>

struct whorl_chan;
struct whorl_runner;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Acquires a handle of this run for other threads. While a handle exists a call may come through
 * it, so a run is not considered deadlocked, and the clock of a virtual run stands still, except
 * while the thread waits in whorl_chan_send_remote(). Never suspends.
 *
 * @ret  the handle; give it back with whorl_runner_release_remote()
 *
 * Returns: 0; -ENOMEM; WHORL_ENOTASK outside a run.
 */
WHORL_API WHORL_CHECKED int whorl_runner_acquire(struct whorl_runner **ret);

/** Gives a handle back. From any thread. Accepts NULL. Never suspends. */
WHORL_API void whorl_runner_release_remote(struct whorl_runner *runner);

/**
 * Makes the run call `fn(arg)` on its own thread, soon. Calls are made in the order of posting.
 * `fn` must not suspend. It may spawn into the root group, wake waiters, call whorl_chan_try_send()
 * and so on.
 *
 * Returns: 0; -ESHUTDOWN when the run has ended; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_runner_post_remote(struct whorl_runner *runner,
                                                     void (*fn)(void *arg), void *arg);

/**
 * whorl_wake() from another thread. From the moment when this call becomes possible, the waiter's
 * abort function must not withdraw it: it must answer WHORL_ABORT_PENDING.
 *
 * Returns: 0; -ESHUTDOWN when the run has ended; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_runner_wake_remote(struct whorl_runner *runner,
                                                     struct whorl_waiter *waiter, int64_t result);

/**
 * whorl_chan_send() from another thread. The call blocks that thread until the value is in the
 * buffer or with a receiver. The channel must outlive the call.
 *
 * Returns: 0; -EPIPE when the channel is closed; -ESHUTDOWN when the run ends first; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_chan_send_remote(struct whorl_runner *runner,
                                                   struct whorl_chan *chan, const void *value);

static inline void whorl_auto_runner(struct whorl_runner **runner)
{
    whorl_runner_release_remote(*runner);
}

#ifdef __cplusplus
}
#endif

#endif
