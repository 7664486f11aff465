/* SPDX-License-Identifier: MIT */
/* A bounded set of threads that take work from one queue, for what would block a loop.
 *
 *     owner's thread             the queue (under its lock)     a thread
 *     thread_pool_add(work)  ------> QUEUED                    ---> RUNNING: work->run(work)
 *     thread_pool_withdraw() ------> WITHDRAWN, if still QUEUED     (brings its result home itself)
 *
 * Threads are started one by one as work queues up, block all signals, and stay until the end.
 */
#ifndef BASE_THREAD_POOL_H
#define BASE_THREAD_POOL_H

#include <stdbool.h>

struct thread_pool;

enum work_state { WORK_QUEUED, WORK_RUNNING, WORK_WITHDRAWN };

/* Embedded in the memory of whoever adds it. */
struct work {
    struct work *next, *prev;       /* in the queue; under its lock */
    enum work_state state;          /* under the lock */
    bool detached;                  /* thread_pool_destroy() does not wait for it once it runs */
    void (*run)(struct work *work); /* on a thread; `work` is not touched once it is called */
};

/* No thread is started yet; they will be called `name`-1, ... NULL: no memory. */
struct thread_pool *thread_pool_create(const char *name, unsigned threads_max);

/* Queues work whose `run` and `detached` are set. 0, or a negative code with nothing queued when no
 * thread can be started. */
int thread_pool_add(struct thread_pool *workers, struct work *work);

/* Takes work out of the queue that no thread has begun; false when one has. */
bool thread_pool_withdraw(struct thread_pool *workers, struct work *work);

/* Ends the threads once they have done what is queued; waits for that. Accepts NULL. */
void thread_pool_destroy(struct thread_pool *workers);

/* For a forked child, whose copy has no threads and perhaps a lock for ever held: frees the memory. */
void thread_pool_abandon(struct thread_pool *workers);

#endif
