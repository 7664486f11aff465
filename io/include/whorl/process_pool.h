/* SPDX-License-Identifier: MIT */
/* Worker processes: functions of this program that run in processes of their own, for work that may
 * crash, that leaks, or that is to use other processors.
 *
 *     static int measure(void *state, const void *request, size_t len, void **ret, size_t *ret_len)
 *     {
 *         ...                                        // in the worker; may suspend, has its own run
 *     }
 *
 *     int main(void)
 *     {
 *         struct whorl_process_pool_options options = {.count = 4, .work = measure};
 *         WHORL_AUTO(process_pool) *pool = NULL;
 *         int err = whorl_process_pool_create(&options, &workers);      // before any run
 *         return err || whorl_io_run(root, workers) ? 1 : 0;       // root calls them
 *     }
 *
 * fork(2) is not safe inside a run, so the pool forks one process, the server, when it is created; all
 * workers, also those that replace one which died, are forked by it and never by the program. What
 * they know is therefore the program's memory at that moment. Create the pool before starting
 * threads, whose locks would stay locked in the workers; inside a run it is refused. Workers have the
 * standard descriptors and no others, default signal actions but for SIGINT, which they ignore
 * (whoever gets it decides), and end with the server, which ends with the pool or the program.
 */
#ifndef WHORL_PROCESS_POOL_H
#define WHORL_PROCESS_POOL_H

#include <whorl/base.h>

struct whorl_process_pool;

/* Runs once in each worker, in its run, before its first request. 0, or a negative code, which the
 * pool's creation or the call that needed the worker then returns. */
typedef int (*whorl_worker_init_fn)(void *arg, void **ret_state);

/* Runs in a worker, one at a time. `request` is valid until it returns. `*ret` is allocated with
 * malloc() and freed by the pool; NULL: an empty response. 0, or a negative code for the caller. */
typedef int (*whorl_worker_fn)(void *state, const void *request, size_t len, void **ret,
                               size_t *ret_len);

/* Zero-initialised is valid but for `work`. */
struct whorl_process_pool_options {
    unsigned count; /* of processes; 0: as many as there are processors */
    whorl_worker_init_fn init;
    whorl_worker_fn work;
    void *arg;          /* for `init`; without one it is the state */
    size_t message_max; /* longer requests and responses fail with -EMSGSIZE; 0: 64 MiB */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Starts the workers and waits until all have been initialised; the thread is held up meanwhile.
 *
 * Returns: 0; what `init` returned; WHORL_EBUSYRUN in a run; WHORL_EWORKER when one died in `init`;
 *          -EINVAL; -EAGAIN, -ENOMEM, -EMFILE.
 * Never suspends.
 */
WHORL_API WHORL_CHECKED int whorl_process_pool_create(
    const struct whorl_process_pool_options *options, struct whorl_process_pool **ret);

/**
 * Has an idle worker do one piece of work. Any number of tasks of one run may call; they are served
 * in turn. A worker that died idle is replaced, and the call does not notice.
 *
 * @ret  the response, to be freed with free(), terminated by a NUL that is not counted
 *
 * Returns:  0; what `work` returned; WHORL_EWORKER when the worker died at it (the next call has a
 *           new one); -EMSGSIZE; what `init` returned in a replacement; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until a worker is idle and has answered.
 * Cancel:   -ECANCELED; a worker that had begun is killed and will be replaced.
 */
WHORL_API WHORL_SUSPENDS int whorl_process_pool_call(struct whorl_process_pool *pool,
                                                     const void *request, size_t len, void **ret,
                                                     size_t *ret_len);

/** Ends the workers and waits for the server's end, 0.2 s at most. No call may be under way. Accepts
 *  NULL. Never suspends. */
WHORL_API void whorl_process_pool_destroy(struct whorl_process_pool *pool);

static inline void whorl_auto_process_pool(struct whorl_process_pool **pool)
{
    whorl_process_pool_destroy(*pool);
}

#ifdef __cplusplus
}
#endif

#endif
