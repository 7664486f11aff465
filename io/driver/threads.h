/* SPDX-License-Identifier: MIT */
/* Requests that threads carry out: those that block, and those for which io_uring has no opcode.
 *
 *     loop                                        the queue          a thread
 *     threads_start(op) ------------------------> job      --------> syscall_block(op)
 *     threads_withdraw(op): not begun yet <------ job                      |
 *                                                                          v
 *     kick wakes the loop; threads_take_done() <-- job <------------------ done
 *
 * The request belongs to the thread from threads_start() until threads_take_done() or a successful
 * threads_withdraw() returns it. During this time op->waiter.queue points to the job. Both drivers
 * use this.
 */
#ifndef IO_DRIVER_THREADS_H
#define IO_DRIVER_THREADS_H

#include <stdatomic.h>

#include "io/driver/op.h"
#include "runtime/base/thread_pool.h"

struct job;

/* Zero-initialised is valid, except that `poller` must be set. */
struct threads {
    struct whorl_poller *poller; /* kicked whenever a request is done */
    struct thread_pool *pool;    /* NULL until a request needs one */
    struct job *jobs;            /* every request that a thread has or will have */
    struct job *free_jobs;
    _Atomic(struct job *) done; /* filled by threads, the last one first */
    struct job *taken;          /* by the loop from `done`, the first one first */
};

/* Gives a request to a thread. Returns 0, -ENOMEM or -EAGAIN; a failure changes nothing. */
int threads_start(struct threads *threads, struct io_op *op);

/* Whether a thread has the request or will have it. Only for a driver that stores nothing else in
 * op->waiter.queue. */
static inline bool threads_have(const struct io_op *op)
{
    return op->waiter.queue != NULL;
}

/* Takes back a request that no thread has begun. Returns false when a thread has begun it. */
bool threads_withdraw(struct threads *threads, struct io_op *op);

/* Returns the next request that is done, and its result; NULL when there is none. */
struct io_op *threads_take_done(struct threads *threads, int *ret_result);

/* Whether a thread has, or will get, a request on the file of this descriptor. Requests on a path
 * that starts at the descriptor do not count. */
bool threads_use(const struct threads *threads, int fd);

/* Cancels every request that a thread has or will have, with io_op_cancel(). */
void threads_cancel_all(struct threads *threads);

/* Ends the threads, which must have no work left. In a forked child's copy, which has no threads,
 * it only frees the memory. */
void threads_finish(struct threads *threads);

#endif
