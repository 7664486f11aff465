/* SPDX-License-Identifier: MIT */
/* Routes requests of the epoll driver: completes them, retries them later or gives them to
 * threads. */
#include "io/driver/epoll_route.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/driver/syscall.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"

enum {
    THREADS_MAX = 8, /* threads for requests on files and paths */
};

/* Delay before a request is retried for which epoll has no event. It doubles while retries fail. */
#define LATER_MIN_NS (WHORL_MILLISECOND / 2)
#define LATER_MAX_NS (16 * WHORL_MILLISECOND)

/* A request that a thread carries out. */
struct job {
    struct work work;
    struct job *next, *prev; /* in the driver's `jobs`; `next` also in `free_jobs` */
    struct job *next_done;   /* in the driver's `done` */
    struct epoll *driver;
    struct io_op *op;
    int result;
};

void epoll_complete(struct epoll *e, struct io_op *op, int res)
{
    op->slot = PLACE_NONE;
    e->stats.completed++;
    io_op_complete(op, res, false);
}

void epoll_complete_once(struct epoll *e, struct io_op *op, int res)
{
    e->stats.completed++;
    io_op_complete(op, res, true);
}

/* --- threads ---------------------------------------------------------------------------------- */

void epoll_kick(struct whorl_poller *poller)
{
    struct epoll *e = (struct epoll *)poller;

    if (e->driver.forked)
        return;
    /* If the flag is already set, the loop has not yet looked at its inbox: it clears the flag
     * before it looks. So it will see the caller's entry without another wake-up. */
    if (!atomic_exchange_explicit(&e->kicked, true, memory_order_acq_rel)) {
        ssize_t n = write(e->kick_fd, &(uint64_t){1}, sizeof(uint64_t));
        whorl_check(n == sizeof(uint64_t));
    }
}

/* Runs on a thread. Once the job is in `done`, the job and its request belong to the loop again. */
static void run_job(struct work *work)
{
    struct job *job = container_of(work, struct job, work);
    struct epoll *e = job->driver;

    job->result = syscall_block(job->op);
    job->next_done = atomic_load_explicit(&e->done, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&e->done, &job->next_done, job,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    epoll_kick(&e->driver.poller);
}

static void release_job(struct epoll *e, struct job *job)
{
    if (job->prev)
        job->prev->next = job->next;
    else
        e->jobs = job->next;
    if (job->next)
        job->next->prev = job->prev;
    job->next = e->free_jobs;
    e->free_jobs = job;
}

static int start_job(struct epoll *e, struct io_op *op)
{
    struct job *job = e->free_jobs;

    if (!e->workers && !(e->workers = thread_pool_create("whorl-io", THREADS_MAX)))
        return -ENOMEM;
    if (job)
        e->free_jobs = job->next;
    else if (!(job = malloc(sizeof *job)))
        return -ENOMEM;
    *job = (struct job){.work.run = run_job, .driver = e, .op = op, .next = e->jobs};
    if (e->jobs)
        e->jobs->prev = job;
    e->jobs = job;
    op->waiter.queue = job;
    op->slot = PLACE_THREAD;
    int err = thread_pool_add(e->workers, &job->work);
    if (err)
        release_job(e, job);
    return err;
}

void epoll_take_jobs(struct epoll *e)
{
    struct job *done, *oldest = NULL;

    if (!atomic_load_explicit(&e->done, memory_order_relaxed))
        return;
    done = atomic_exchange_explicit(&e->done, NULL, memory_order_acquire);
    while (done) { /* reverse the list: the job that ended first comes first */
        struct job *next = done->next_done;
        done->next_done = oldest;
        oldest = done;
        done = next;
    }
    while (oldest) {
        struct job *job = oldest;
        struct io_op *op = job->op;
        int res = job->result;
        oldest = job->next_done;
        release_job(e, job);
        e->stats.threaded++;
        epoll_complete(e, op, res);
    }
}

bool epoll_withdraw_job(struct epoll *e, struct io_op *op)
{
    struct job *job = op->waiter.queue;

    if (!thread_pool_withdraw(e->workers, &job->work))
        return false;
    release_job(e, job);
    return true;
}

void epoll_cancel_jobs(struct epoll *e)
{
    for (struct job *next, *job = e->jobs; job; job = next) {
        next = job->next;
        io_op_cancel(job->op);
    }
}

void epoll_finish_jobs(struct epoll *e)
{
    struct job *job;

    if (e->driver.forked)
        thread_pool_abandon(e->workers);
    else
        thread_pool_destroy(e->workers);
    while ((job = e->jobs))
        release_job(e, job);
    while ((job = e->free_jobs)) {
        e->free_jobs = job->next;
        free(job);
    }
}

/* --- routing ---------------------------------------------------------------------------------- */

static void put_off(struct epoll *e, struct io_op *op)
{
    if (queue_is_empty(&e->later))
        backoff_next(&e->retry, clock_monotonic_ns(), LATER_MIN_NS, LATER_MAX_NS);
    op->slot = PLACE_LATER;
    queue_append(&e->later, &op->waiter);
}

void epoll_route(struct epoll *e, struct io_op *op, int res)
{
    if (op->cancelling && (res == SYSCALL_LATER || res == SYSCALL_THREAD) &&
        op->code != IO_OP_CLOSE) {
        res = syscall_cancelled(op);
    } else if (res == SYSCALL_LATER) {
        put_off(e, op);
        return;
    } else if (res == SYSCALL_THREAD) {
        res = start_job(e, op);
        if (res == 0)
            return;
        if (op->code == IO_OP_CLOSE) /* no thread can start: close here, though it may block */
            res = syscall_block(op);
    }
    epoll_complete(e, op, res);
}
