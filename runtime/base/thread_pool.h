/* SPDX-License-Identifier: MIT */
/* A bounded set of threads that take work from one queue. It runs calls that would block a loop.
 *
 *     owner's thread             the queue (under its lock)     a thread
 *     thread_pool_add(work)  ------> QUEUED                    ---> RUNNING: work->run(work)
 *     thread_pool_withdraw() ------> WITHDRAWN, if still QUEUED     (run() reports its own result)
 *
 * A thread is started when work is queued and no thread is waiting for it, up to the limit. The
 * threads block all signals and stay until the pool is destroyed.
 *
 * In a forked child the pool is a copy without threads: it takes no work, all of its work can be
 * withdrawn, and thread_pool_destroy() only frees the memory.
 */
#ifndef BASE_THREAD_POOL_H
#define BASE_THREAD_POOL_H

#include <stdbool.h>

struct thread_pool;

enum work_state { WORK_QUEUED, WORK_RUNNING, WORK_WITHDRAWN };

/* A piece of work. The caller that adds it embeds it in its own memory. */
struct work {
    struct work *next, *prev; /* neighbours in the queue; under its lock */
    enum work_state state;    /* under the lock */
    bool detached;            /* thread_pool_destroy() does not wait for it while it runs */
    /* Runs on a thread; the pool does not touch `work` after the call. */
    void (*run)(struct work *work);
};

/* Creates a pool without threads; the threads will be named `name`-1, `name`-2, ... Returns NULL
 * when memory runs out. */
struct thread_pool *thread_pool_create(const char *name, unsigned threads_max);

/* Queues work whose `run` and `detached` are set. Returns 0; -EAGAIN or -ENOMEM when the pool has
 * no thread and cannot start one; then the work is not queued. */
int thread_pool_add(struct thread_pool *workers, struct work *work);

/* Removes work from the queue. Returns false when a thread has already begun it. */
bool thread_pool_withdraw(struct thread_pool *workers, struct work *work);

/* Waits until the threads have done the queued work and have ended, then frees the pool. A thread
 * that runs detached work ends by itself after that work. Accepts NULL. */
void thread_pool_destroy(struct thread_pool *workers);

#endif
