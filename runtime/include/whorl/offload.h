/* SPDX-License-Identifier: MIT */
/* Offloading: blocking calls and heavy computing run on a pool of threads.
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
 */
#ifndef WHORL_OFFLOAD_H
#define WHORL_OFFLOAD_H

#include <whorl/base.h>
#include <whorl/future.h>

struct whorl_offload;

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
 * @ret  the pool; destroy it with whorl_offload_destroy()
 *
 * Returns: 0; -ENOMEM; WHORL_ENOTASK outside a run.
 */
WHORL_API WHORL_CHECKED int whorl_offload_create(const struct whorl_offload_options *options,
                                                 struct whorl_offload **ret);

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
WHORL_API WHORL_CHECKED int whorl_offload_submit(struct whorl_offload *pool, whorl_offload_fn fn,
                                                 void *arg, struct whorl_future *future);

/**
 * Runs fn(item) for each of `count` items of an array, on as many threads as the pool has.
 *
 * Returns:  0; the failure of the first item, in their order, that failed; all are run all the same.
 * Suspends: until all are done.
 * Cancel:   -ECANCELED; items not begun are not run, those begun are waited for.
 */
WHORL_API WHORL_SUSPENDS int whorl_offload_map(struct whorl_offload *pool, whorl_offload_fn fn,
                                               void *items, size_t item_size, size_t count);

static inline void whorl_auto_offload(struct whorl_offload **pool)
{
    whorl_offload_destroy(*pool);
}

#ifdef __cplusplus
}
#endif

#endif
