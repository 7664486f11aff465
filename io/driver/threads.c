/* SPDX-License-Identifier: MIT */
/* Requests on threads: gives them to threads, takes them back, and collects those that are done. */
#include "io/driver/threads.h"

#include <errno.h>
#include <stdlib.h>

#include "io/driver/syscall.h"
#include "runtime/base/check.h"

enum {
    THREADS_MAX = 8, /* for files and paths */
};

struct job {
    struct work work;
    struct job *next, *prev; /* in `jobs`; `next` also in `free_jobs` */
    struct job *next_done;   /* in `done` and `taken` */
    struct threads *threads;
    struct io_op *op;
    int result;
};

/* Runs on a thread. Once the job is in `done`, the job and its request belong to the loop again. */
static void run_job(struct work *work)
{
    struct job *job = container_of(work, struct job, work);
    struct threads *threads = job->threads;

    job->result = syscall_block(job->op);
    job->next_done = atomic_load_explicit(&threads->done, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&threads->done, &job->next_done, job,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    threads->poller->ops->kick(threads->poller);
}

static void release_job(struct threads *threads, struct job *job)
{
    if (job->prev)
        job->prev->next = job->next;
    else
        threads->jobs = job->next;
    if (job->next)
        job->next->prev = job->prev;
    job->op->waiter.queue = NULL;
    job->next = threads->free_jobs;
    threads->free_jobs = job;
}

int threads_start(struct threads *threads, struct io_op *op)
{
    struct job *job = threads->free_jobs;

    if (!threads->pool && !(threads->pool = thread_pool_create("whorl-io", THREADS_MAX)))
        return -ENOMEM;
    if (job)
        threads->free_jobs = job->next;
    else if (!(job = malloc(sizeof *job)))
        return -ENOMEM;
    *job = (struct job){.work.run = run_job, .threads = threads, .op = op, .next = threads->jobs};
    if (threads->jobs)
        threads->jobs->prev = job;
    threads->jobs = job;
    op->waiter.queue = job;
    int err = thread_pool_add(threads->pool, &job->work);
    if (err)
        release_job(threads, job);
    return err;
}

bool threads_withdraw(struct threads *threads, struct io_op *op)
{
    struct job *job = op->waiter.queue;

    if (!thread_pool_withdraw(threads->pool, &job->work))
        return false;
    release_job(threads, job);
    return true;
}

/* Moves `done` to `taken`, into the order in which the requests were done. */
static void collect(struct threads *threads)
{
    struct job *job;

    if (!atomic_load_explicit(&threads->done, memory_order_relaxed))
        return;
    job = atomic_exchange_explicit(&threads->done, NULL, memory_order_acquire);
    while (job) {
        struct job *next = job->next_done;
        job->next_done = threads->taken;
        threads->taken = job;
        job = next;
    }
}

struct io_op *threads_take_done(struct threads *threads, int *ret_result)
{
    struct job *job;

    if (!threads->taken)
        collect(threads);
    job = threads->taken;
    if (!job)
        return NULL;
    struct io_op *op = job->op;
    threads->taken = job->next_done;
    *ret_result = job->result;
    release_job(threads, job);
    return op;
}

bool threads_use(const struct threads *threads, int fd)
{
    for (const struct job *job = threads->jobs; job; job = job->next)
        if (job->op->fd == fd && syscall_is_on_file(job->op))
            return true;
    return false;
}

void threads_cancel_all(struct threads *threads)
{
    for (struct job *next, *job = threads->jobs; job; job = next) {
        next = job->next;
        io_op_cancel(job->op);
    }
}

void threads_finish(struct threads *threads)
{
    struct job *job;

    thread_pool_destroy(threads->pool);
    while ((job = threads->jobs)) {
        threads->jobs = job->next;
        free(job);
    }
    while ((job = threads->free_jobs)) {
        threads->free_jobs = job->next;
        free(job);
    }
}
