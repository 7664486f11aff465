/* SPDX-License-Identifier: MIT */
/* Other threads: running blocking calls and heavy computing on a pool of them, and reaching into a run
 * from outside.
 *
 * A task that would block or compute for long hands the work to a thread and suspends; the other
 * tasks go on:
 *
 *     static int resize(void *arg)          // on a pool thread: no whorl call that suspends in here
 *     {
 *         struct picture *picture = arg;
 *         return picture_resize(picture);
 *     }
 *
 *     int err = whorl_offload_run(NULL, resize, &picture);
 *
 * Calls that end in _remote are for threads that are not the run's own.
 */
#ifndef WHORL_OFFLOAD_H
#define WHORL_OFFLOAD_H

#include <whorl/base.h>
#include <whorl/future.h>
#include <whorl/park.h>

struct whorl_chan;
struct whorl_offload;
struct whorl_runner;

/* Work for a thread: returns 0 or a negative code. */
typedef int (*whorl_offload_fn)(void *arg);

/* Zero-initialised is valid. */
struct whorl_offload_options {
    unsigned
        threads_max;  /* started one by one as work queues up; 0: 4, or the processors if more */
    size_t queue_max; /* work waiting for a thread; 0: 1024 */
    const char *name; /* threads are called name-1, name-2, ...; NULL: "offload" */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a pool for this run. No thread is started yet. Everywhere below, NULL in place of a pool
 * means the run's own, with default options, made on first use and ended with the run.
 *
 * Returns: the pool; destroy it with whorl_offload_destroy(). NULL: no memory, or outside a run.
 */
WHORL_API WHORL_CHECKED struct whorl_offload *whorl_offload_create(
    const struct whorl_offload_options *options);

/** Ends the pool once its threads have finished what is queued; blocks the thread meanwhile, so join
 *  your work first. Accepts NULL. Never suspends. */
WHORL_API void whorl_offload_destroy(struct whorl_offload *pool);

/**
 * Runs fn(arg) on a thread of the pool and waits for it.
 *
 * @arg  borrowed until the call returns
 *
 * Returns:  what `fn` returned; -ENOMEM or -EAGAIN when no thread can be started; WHORL_ENOTASK.
 * Suspends: until it is done; first for a place in the queue when that is full.
 * Cancel:   -ECANCELED when no thread had begun; work that has begun cannot be stopped and is
 *           waited for, and its result returned.
 */
WHORL_API WHORL_SUSPENDS int whorl_offload_run(struct whorl_offload *pool, whorl_offload_fn fn,
                                               void *arg);

/**
 * Like whorl_offload_run() for work that owns its data: a cancelled call does not wait for it.
 *
 * @release  called exactly once with `arg`: after the work, on a thread of the pool or, when the
 *           caller is still there or the work never began, on the run's. NULL: nothing to release
 *
 * Returns:  as whorl_offload_run().
 * Suspends: until it is done.
 * Cancel:   -ECANCELED at once; the work goes on without anybody listening.
 * Owns:     `arg`, in every case.
 */
WHORL_API WHORL_SUSPENDS int whorl_offload_run_owned(struct whorl_offload *pool,
                                                     whorl_offload_fn fn, void *arg,
                                                     void (*release)(void *arg));

/**
 * Queues fn(arg); `future` is completed with its result. Cancelling the future withdraws work that
 * has not begun.
 *
 * @arg     borrowed until the future is done
 * @future  open; must stay valid until it is done
 *
 * Returns: 0; -EAGAIN when the queue is full; -ENOMEM; WHORL_ENOTASK. Never suspends.
 */
WHORL_API int whorl_offload_submit(struct whorl_offload *pool, whorl_offload_fn fn, void *arg,
                                   struct whorl_future *future);

/**
 * Runs fn(item) for each of `count` items of an array, on as many threads as the pool has.
 *
 * Returns:  0; the failure of the first item, in their order, that failed; all are run all the same.
 * Suspends: until all are done.
 * Cancel:   -ECANCELED; items not begun are not run, those begun are waited for.
 */
WHORL_API WHORL_SUSPENDS int whorl_offload_map(struct whorl_offload *pool, whorl_offload_fn fn,
                                               void *items, size_t item_size, size_t count);

/* --- reaching into a run from another thread -------------------------------------------------- */

/**
 * A handle on this run for other threads. While one is held the run is never taken for deadlocked,
 * for a call may come. Never suspends.
 *
 * Returns: the handle; NULL outside a run or without memory.
 */
WHORL_API WHORL_CHECKED struct whorl_runner *whorl_runner_acquire(void);

/** Gives a handle back. From any thread. Accepts NULL. */
WHORL_API void whorl_runner_release_remote(struct whorl_runner *runner);

/**
 * Has `fn(arg)` called by the run, on its thread, soon and in the order of posting; `fn` must not
 * suspend, but may spawn into the root group, wake, send with whorl_chan_try_send(), and so on.
 *
 * Returns: 0; -ESHUTDOWN when the run has ended; -ENOMEM.
 */
WHORL_API int whorl_post_remote(struct whorl_runner *runner, void (*fn)(void *arg), void *arg);

/**
 * whorl_wake() from another thread. The waiter must not be withdrawn by its abort function once this
 * may be called: answer WHORL_ABORT_PENDING.
 *
 * Returns: as whorl_post_remote().
 */
WHORL_API int whorl_wake_remote(struct whorl_runner *runner, struct whorl_waiter *waiter,
                                int64_t result);

/**
 * whorl_chan_send() from another thread, which is blocked until the value is in the buffer or with a
 * receiver. The channel must outlive the call.
 *
 * Returns: 0; -EPIPE; -ESHUTDOWN when the run ends first; -ENOMEM.
 */
WHORL_API int whorl_chan_send_remote(struct whorl_runner *runner, struct whorl_chan *chan,
                                     const void *value);

static inline void whorl_auto_offload(struct whorl_offload **pool)
{
    whorl_offload_destroy(*pool);
}

#ifdef __cplusplus
}
#endif

#endif
