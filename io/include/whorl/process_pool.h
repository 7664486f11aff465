/* SPDX-License-Identifier: MIT */
/* Worker processes: functions of this program that run in processes of their own. They are for work
 * that may crash, that leaks memory, or that should use other processors.
 *
 *     static int measure(void *state, const void *request, size_t len, void **ret, size_t *ret_len)
 *     {
 *         ...                                        // in the worker; may suspend, has its own run
 *     }
 *
 *     static int root(void *arg)
 *     {
 *         void *response;
 *         size_t len;
 *         int err = whorl_process_pool_call(arg, "request", 7, &response, &len);
 *         if (err == 0)
 *             free(response);
 *         return err;
 *     }
 *
 *     int main(void)
 *     {
 *         struct whorl_process_pool_options options = {.count = 4, .work = measure};
 *         WHORL_AUTO(process_pool) *pool = NULL;
 *         int err = whorl_process_pool_create(&options, &pool);      // before any run
 *         return err || whorl_io_run(root, pool) ? 1 : 0;
 *     }
 *
 * fork(2) is not safe inside a run. So the pool forks one process, the server, when it is created,
 * and the server forks all workers, also those that replace a worker that died. A worker therefore
 * sees the program's memory as it was when the pool was created.
 *
 * Create the pool before the program starts threads: a lock that a thread holds at that moment
 * stays locked in the workers for ever. Inside a run the call is refused. Workers have the standard
 * descriptors and no others. If a standard descriptor was closed when the pool was created, the
 * workers have /dev/null in its place. They have the default action for every signal except SIGINT,
 * which they ignore, so that the program decides what an interrupt ends. Workers end with the
 * server, and the server ends with the pool or the program.
 */
#ifndef WHORL_PROCESS_POOL_H
#define WHORL_PROCESS_POOL_H

#include <whorl/base.h>

struct whorl_process_pool;

/* Runs once in each worker, in its run, before its first request; may suspend. Returns 0, or a
 * negative code, which the pool's creation or the call that needed the worker then returns. */
typedef WHORL_SUSPENDS int (*whorl_worker_init_fn)(void *arg, void **ret_state);

/* Runs in a worker, for one request at a time; may suspend. `request` is valid until it returns.
 * `*ret` is allocated with malloc() and freed by the pool; NULL: an empty response. Returns 0, or a
 * negative code for the caller. */
typedef WHORL_SUSPENDS int (*whorl_worker_fn)(void *state, const void *request, size_t len,
                                              void **ret, size_t *ret_len);

/* Zero-initialised is valid except for `work`. */
struct whorl_process_pool_options {
    unsigned count; /* of workers; 0: one per processor */
    whorl_worker_init_fn init;
    whorl_worker_fn work;
    void *arg;          /* for `init`; without `init` it is the state */
    size_t message_max; /* longer requests and responses fail with -EMSGSIZE; 0: 64 MiB */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Starts the workers and waits until all are initialised; the thread blocks meanwhile. Never
 * suspends.
 *
 * @ret  the pool; destroy it with whorl_process_pool_destroy()
 *
 * Returns: 0; what `init` returned; WHORL_EBUSYRUN inside a run; WHORL_EWORKER when a worker died
 *          in `init`; -EINVAL; -EAGAIN, -ENOMEM, -EMFILE.
 */
WHORL_API WHORL_CHECKED int whorl_process_pool_create(
    const struct whorl_process_pool_options *options, struct whorl_process_pool **ret);

/**
 * Gives one request to an idle worker and waits for the response. Any number of tasks of one run
 * may call; they are served in the order in which they came. If a worker died while it was idle, it
 * is replaced, and the call still succeeds.
 *
 * @ret      the response, followed by a NUL that is not counted; free it with free()
 * @ret_len  the number of bytes, without the NUL; may be NULL
 *
 * Returns:  0; what `work` returned; WHORL_EWORKER when the worker died during the request (the
 *           next call gets a new worker); -EMSGSIZE; what `init` returned in a replacement;
 *           WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until a worker is idle and has answered.
 * Cancel:   -ECANCELED; a worker that has begun the request is killed and will be replaced.
 */
WHORL_API WHORL_SUSPENDS int whorl_process_pool_call(struct whorl_process_pool *pool,
                                                     const void *request, size_t len, void **ret,
                                                     size_t *ret_len);

/** Ends the workers; the thread blocks until the server has ended, 0.2 s at most. No call may be in
 *  progress. Accepts NULL. Never suspends. */
WHORL_API void whorl_process_pool_destroy(struct whorl_process_pool *pool);

static inline void whorl_auto_process_pool(struct whorl_process_pool **pool)
{
    whorl_process_pool_destroy(*pool);
}

#ifdef __cplusplus
}
#endif

#endif
