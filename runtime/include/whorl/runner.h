/* SPDX-License-Identifier: MIT */
/* Runners: handles with which other threads reach into a run.
 *
 * The run's own thread acquires a handle and passes it to another thread, which may use it even
 * after the run has ended. Calls that end in _remote may be made from any thread.
 *
 *     static void *work(void *arg)                            // on another thread
 *     {
 *         struct job *job = arg;
 *         int err = whorl_runner_post_remote(job->runner, finished, job);
 *         if (err)                                            // -ESHUTDOWN: the run has ended
 *             job_abandon(job);
 *         whorl_runner_release_remote(job->runner);
 *         return NULL;
 *     }
 *
 *     int err = whorl_runner_acquire(&job->runner);           // in the run
 *     if (err == 0)
 *         err = -pthread_create(&thread, NULL, work, job);
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
 * A handle on this run for other threads. While one is held the run is never taken for deadlocked,
 * for a call may come. Never suspends.
 *
 * @ret  the handle; give it back with whorl_runner_release_remote()
 *
 * Returns: 0; -ENOMEM; WHORL_ENOTASK outside a run.
 */
WHORL_API WHORL_CHECKED int whorl_runner_acquire(struct whorl_runner **ret);

/** Gives a handle back. From any thread. Accepts NULL. */
WHORL_API void whorl_runner_release_remote(struct whorl_runner *runner);

/**
 * Has `fn(arg)` called by the run, on its thread, soon and in the order of posting; `fn` must not
 * suspend, but may spawn into the root group, wake, send with whorl_chan_try_send(), and so on.
 *
 * Returns: 0; -ESHUTDOWN when the run has ended; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_runner_post_remote(struct whorl_runner *runner,
                                                     void (*fn)(void *arg), void *arg);

/**
 * whorl_wake() from another thread. The waiter must not be withdrawn by its abort function once
 * this may be called: answer WHORL_ABORT_PENDING.
 *
 * Returns: as whorl_runner_post_remote().
 */
WHORL_API WHORL_CHECKED int whorl_runner_wake_remote(struct whorl_runner *runner,
                                                     struct whorl_waiter *waiter, int64_t result);

/**
 * whorl_chan_send() from another thread, which is blocked until the value is in the buffer or with
 * a receiver. The channel must outlive the call.
 *
 * Returns: 0; -EPIPE; -ESHUTDOWN when the run ends first; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_chan_send_remote(struct whorl_runner *runner,
                                                   struct whorl_chan *chan, const void *value);

#ifdef __cplusplus
}
#endif

#endif
