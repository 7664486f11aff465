/* SPDX-License-Identifier: MIT */
/* Offloading: blocking calls and long computations run on a pool of threads.
 *
 * A task that would block or compute for long hands the work to a thread and suspends, and the
 * other tasks of the run continue. The work runs outside the run: it may not call anything that
 * needs a task. It can ask whorl_check_cancelled() (task.h) whether the caller still wants it.
 *
 *     static int resize(void *arg)                   // on a thread of the pool
 *     {
 *         struct picture *picture = arg;
 *         int err = 0;
 *
 *         for (int y = 0; y < picture->height && err == 0; y++) {
 *             picture_resize_row(picture, y);
 *             err = whorl_check_cancelled();         // show() is cancelled, or out of time
 *         }
 *         return err;
 *     }
 *
 *     static WHORL_SUSPENDS int show(struct picture *picture)
 *     {
 *         int err = whorl_offload_run(NULL, resize, picture);
 *
 *         return err ? err : picture_draw(picture);
 *     }
 *
 * In a virtual run (see run.h) the clock stands still while work is queued or runs.
 *
 * The work may call fork(2). The child has only the thread that runs the work. When the work
 * returns there, the child ends as by _exit(2): with status 1 if the result is negative, else 0.
 *
 * Each call takes a pool. NULL means the run's own pool, which has the default options, is made
 * when it is first used and ends with the run.
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
    /* Threads are started one by one while work is queued. 0: 4, or one for each processor if there
     * are more than 4 processors. */
    unsigned threads_max;
    size_t queue_max; /* work that waits for a thread; 0: 1024 */
    const char *name; /* threads are called name-1, name-2, ...; NULL: "offload" */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a pool for this run. It starts no thread yet. Never suspends.
 *
 * @options  NULL for the defaults
 * @ret      the pool; destroy it with whorl_offload_destroy()
 *
 * Returns: 0; -ENOMEM; WHORL_ENOTASK outside a run.
 */
WHORL_API WHORL_CHECKED int whorl_offload_create(const struct whorl_offload_options *options,
                                                 struct whorl_offload **ret);

/**
 * Ends the pool after its threads have finished the queued work, and frees it. The calling thread
 * is blocked until then, so wait for the work first. When it returns, the threads have ended too,
 * except those that still run work of a cancelled whorl_offload_run_owned(); they are not waited
 * for. Accepts NULL. Never suspends.
 */
WHORL_API void whorl_offload_destroy(struct whorl_offload *pool);

/**
 * Runs `fn(arg)` on a thread of the pool and waits for its end.
 *
 * @arg  borrowed until the call returns
 *
 * Returns:  what `fn` returned; -ENOMEM or -EAGAIN when no thread can be started, as in a forked
 *           child; -ESHUTDOWN when the pool was destroyed before there was room; WHORL_ENOTASK.
 * Suspends: until the work is done; before that, while the queue is full.
 * Cancel:   -ECANCELED if no thread has begun the work. Otherwise the call waits for the end of
 *           the work and returns its result. The work can call whorl_check_cancelled() to find out
 *           that its caller is cancelled.
 */
WHORL_API WHORL_SUSPENDS int whorl_offload_run(struct whorl_offload *pool, whorl_offload_fn fn,
                                               void *arg);

/**
 * Like whorl_offload_run() for work that owns its data: a cancelled call does not wait for the
 * work.
 *
 * @release  called once with `arg`. If the call was cancelled after the work had begun, it is
 *           called after the work, by the run's thread or, when the run has ended, by a thread of
 *           the pool. In all other cases it is called by the run's thread before the call returns.
 *           NULL: nothing to release
 *
 * Returns:  as whorl_offload_run().
 * Suspends: until the work is done; before that, while the queue is full.
 * Cancel:   -ECANCELED at once. The result of work that has begun is dropped. The work can call
 *           whorl_check_cancelled() to find out that its caller is cancelled.
 * Owns:     `arg`, in every case.
 */
WHORL_API WHORL_SUSPENDS int whorl_offload_run_owned(struct whorl_offload *pool,
                                                     whorl_offload_fn fn, void *arg,
                                                     void (*release)(void *arg));

/**
 * Queues `fn(arg)` and returns at once. `future` is completed with the result of the work.
 * Cancelling the future withdraws work that no thread has begun. Work that has begun can call
 * whorl_check_cancelled() to find out that the future is cancelled. Never suspends.
 *
 * @arg     borrowed until the future is done
 * @future  open; must stay valid until it is done
 *
 * Returns: 0; -EAGAIN when the queue is full or no thread can be started; -ENOMEM; WHORL_ENOTASK.
 */
WHORL_API WHORL_CHECKED int whorl_offload_submit(struct whorl_offload *pool, whorl_offload_fn fn,
                                                 void *arg, struct whorl_future *future);

/**
 * Runs `fn(item)` for each of the `count` items of an array, on all threads that the pool may have.
 * A failure does not keep the other items from running.
 *
 * Returns:  0; the failure of the item that comes first in the array, if any failed; -ENOMEM;
 *           -ESHUTDOWN when the pool was destroyed before all items had begun; WHORL_ENOTASK.
 * Suspends: until all items are done.
 * Cancel:   -ECANCELED. Items that were not begun do not run. The call waits for the end of the
 *           others. They can call whorl_check_cancelled() to find out that the caller is cancelled.
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
