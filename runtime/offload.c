/* SPDX-License-Identifier: MIT */
/* The thread pool for blocking calls and for computing.
 *
 *     task                      pool (base/thread_pool.h)        a thread
 *     whorl_offload_run() --->  queue ... job
 *     parks                                            --->  takes it: RUNNING, fn(arg)
 *     (cancelled: still QUEUED? removed, -ECANCELED; RUNNING: the wait continues)
 *     woken by the loop  <---   runner_post(job)       <---  done
 *
 * Only the loop's thread touches the loop's fields (in_flight, space). The pool's lock protects the
 * rest.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/group.h>
#include <whorl/offload.h>
#include <whorl/runner.h>

#include "runtime/base/check.h"
#include "runtime/base/forks.h"
#include "runtime/base/thread_pool.h"
#include "runtime/base/thread_work.h"
#include "runtime/runner.h"
#include "runtime/sched.h"

#define THREADS_MIN   4
#define QUEUE_DEFAULT 1024

struct job {
    /* In the thread pool; detached: the job owns `arg`, and no thread waits for it when the pool
     * ends. */
    struct work work;
    struct runner_call call; /* posts the result to the loop */
    whorl_offload_fn fn;
    void *arg;
    int result;
    bool cancelled; /* the caller no longer wants the work; set while a thread may read it */
    bool on_heap;   /* false: the job lives on the waiting task's stack */
    void (*release)(void *arg);
    struct whorl_offload *pool;
    struct whorl_runner *runner; /* held until the job has ended */
    struct whorl_waiter *waiter; /* of the waiting task; NULL: no task waits */
    struct whorl_future *future; /* future that the job completes; NULL: none */
};

struct whorl_offload {
    size_t in_flight, in_flight_max;
    unsigned threads_max;
    struct whorl_wait_queue space; /* tasks that wait until they can queue a job */
    struct thread_pool *workers;   /* NULL: the pool is destroyed */
    /* One for the pool's owner, and one for each unfinished job, each map and each task that waits
     * for space. */
    atomic_uint references;
    unsigned depth; /* see base/forks.h */
};

static void drop_reference(struct whorl_offload *pool)
{
    if (atomic_fetch_sub(&pool->references, 1) == 1)
        free(pool);
}

int whorl_offload_create(const struct whorl_offload_options *options, struct whorl_offload **ret)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t queue_max = options && options->queue_max ? options->queue_max : QUEUE_DEFAULT;

    if (!sched_self())
        return WHORL_ENOTASK;
    struct whorl_offload *pool = calloc(1, sizeof *pool);
    if (!pool)
        return -ENOMEM;
    pool->threads_max = options && options->threads_max ? options->threads_max
                        : processors > THREADS_MIN      ? (unsigned)processors
                                                        : THREADS_MIN;
    if (__builtin_add_overflow(pool->threads_max, queue_max, &pool->in_flight_max))
        pool->in_flight_max = SIZE_MAX;
    pool->references = 1;
    pool->depth = forks_watch();
    pool->workers =
        thread_pool_create(options && options->name ? options->name : "offload", pool->threads_max);
    if (!pool->workers) {
        free(pool);
        return -ENOMEM;
    }
    *ret = pool;
    return 0;
}

/* Runs on a thread. */
static void run_job(struct work *work)
{
    struct job *job = container_of(work, struct job, work);

    thread_work_cancelled = &job->cancelled;
    job->result = job->fn(job->arg);
    thread_work_cancelled = NULL;
    /* The work has forked, and this is the child. This is its only thread, and no run waits for the
     * result. */
    if (forks_copied(job->pool->depth))
        _exit(job->result < 0);
    /* The job may be freed as soon as it is posted. When the post is refused, the run has ended
     * meanwhile. */
    if (runner_post(job->runner, &job->call) < 0)
        job->call.call(&job->call, true);
}

/* --- jobs, on the loop's thread --------------------------------------------------------------- */

static void finish(struct job *job)
{
    struct whorl_offload *pool = job->pool;

    pool->in_flight--;
    whorl_wait_queue_wake_one(&pool->space, 0);
    drop_reference(pool);
    whorl_runner_release_remote(job->runner);
}

static void complete(struct job *job, int result)
{
    job->future->cancel = NULL;
    job->future->worker = NULL;
    whorl_future_complete(job->future, result);
}

/* Called when the work has been done. `dropped`: the run has ended, and the waiting task with
 * it. */
static void job_done(struct runner_call *call, bool dropped)
{
    struct job *job = container_of(call, struct job, call);
    struct whorl_runner *runner = job->runner;

    if (dropped) {
        drop_reference(job->pool);
        if (job->release)
            job->release(job->arg);
        if (job->on_heap)
            free(job);
        whorl_runner_release_remote(runner);
        return;
    }
    bool on_heap = job->on_heap;
    finish(job);
    if (job->waiter) {
        whorl_wake(job->waiter, job->result);
        return; /* the waiting task frees a job on the heap */
    }
    if (job->future)
        complete(job, job->result);
    if (job->release)
        job->release(job->arg);
    if (on_heap)
        free(job);
}

/* Replaces a NULL `*pool` by the run's own pool, and makes the runner that jobs need. Returns 0;
 * -ENOMEM; -EAGAIN in the copy of a run in a forked child, where nothing can wait for a result. */
static int pool_of(struct sched *s, struct whorl_offload **pool)
{
    int err = 0;

    if (forks_copied(s->depth))
        return -EAGAIN;
    if (!*pool && !s->offload)
        err = whorl_offload_create(NULL, &s->offload);
    if (err)
        return err;
    if (!*pool)
        *pool = s->offload;
    return runner_of(s) ? 0 : -ENOMEM;
}

/* Queues a job whose fn, arg and pool are set. Returns 0, or a negative code; then the job is not
 * queued. */
static int queue_job(struct sched *s, struct job *job)
{
    struct whorl_offload *pool = job->pool;

    job->call.call = job_done;
    job->work.run = run_job;
    job->runner = s->runner;
    runner_hold(job->runner);
    pool->in_flight++;
    atomic_fetch_add(&pool->references, 1);
    int err = thread_pool_add(pool->workers, &job->work);
    if (err)
        finish(job);
    return err;
}

/* Removes a job from the queue. Returns false when a thread has already begun it; a destroyed pool
 * has no other jobs. In a forked child no thread brings the job to its end, except when its result
 * was posted before the fork. */
static bool withdraw(struct job *job)
{
    struct whorl_offload *pool = job->pool;
    bool ends = forks_copied(pool->depth) ? job->call.posted : !pool->workers;

    if (ends || (pool->workers && !thread_pool_withdraw(pool->workers, &job->work)))
        return false;
    finish(job);
    return true;
}

/* Withdraws the job. If a thread has begun it, whorl_check_cancelled() tells the work. */
static bool cancel(struct job *job)
{
    if (withdraw(job))
        return true;
    __atomic_store_n(&job->cancelled, true, __ATOMIC_RELAXED);
    return false;
}

static enum whorl_abort abort_borrowed(struct whorl_waiter *waiter)
{
    return cancel(waiter->data) ? WHORL_ABORT_DONE : WHORL_ABORT_PENDING;
}

/* The task no longer waits: the end of the work releases the job and its argument. */
static enum whorl_abort abort_owned(struct whorl_waiter *waiter)
{
    struct job *job = waiter->data;

    if (!cancel(job)) {
        job->waiter = NULL;
        waiter->data = NULL; /* the job may be freed before the task runs */
    }
    return WHORL_ABORT_DONE;
}

static WHORL_SUSPENDS int wait_for_space(struct whorl_offload *pool)
{
    int err = 0;

    if (!pool->workers)
        return -ESHUTDOWN; /* the pool was destroyed, but a map still uses its memory */
    if (pool->in_flight < pool->in_flight_max)
        return 0;
    atomic_fetch_add(&pool->references, 1);
    while (err == 0 && pool->workers && pool->in_flight >= pool->in_flight_max)
        err = (int)whorl_wait_queue_park(&pool->space, "place in the offload queue");
    if (err == 0 && !pool->workers)
        err = -ESHUTDOWN;
    drop_reference(pool);
    return err;
}

/* Gets the run and the pool for a task that wants to queue work, and waits until the pool has
 * room. */
static WHORL_SUSPENDS int enter(struct sched **ret, struct whorl_offload **pool)
{
    struct whorl_task *self;

    int err = sched_enter(ret, &self);
    if (err == 0)
        err = pool_of(*ret, pool);
    return err ? err : wait_for_space(*pool);
}

WHORL_SUSPENDS int whorl_offload_run(struct whorl_offload *pool, whorl_offload_fn fn, void *arg)
{
    struct whorl_waiter waiter = WHORL_WAITER_INIT;
    struct sched *s;

    int err = enter(&s, &pool);
    if (err)
        return err;
    struct job job = {.fn = fn, .arg = arg, .pool = pool, .waiter = &waiter};
    waiter.data = &job;
    err = queue_job(s, &job);
    return err ? err : (int)whorl_park(&waiter, abort_borrowed, "offloaded work");
}

static WHORL_SUSPENDS int run_owned(struct whorl_offload *pool, struct job *job)
{
    struct whorl_waiter waiter = {.data = job};
    struct sched *s;

    int err = enter(&s, &pool);
    if (err)
        return err;
    job->pool = pool;
    job->waiter = &waiter;
    err = queue_job(s, job);
    if (err)
        return err;
    err = (int)whorl_park(&waiter, abort_owned, "offloaded work");
    /* NULL: abandoned; the job now belongs to the thread. */
    return waiter.data ? err : -EINPROGRESS;
}

WHORL_SUSPENDS int whorl_offload_run_owned(struct whorl_offload *pool, whorl_offload_fn fn,
                                           void *arg, void (*release)(void *arg))
{
    struct job *job = calloc(1, sizeof *job);
    int err = -ENOMEM;

    if (job) {
        *job = (struct job){
            .fn = fn, .arg = arg, .release = release, .work.detached = true, .on_heap = true};
        err = run_owned(pool, job);
        if (err == -EINPROGRESS)
            return -ECANCELED;
    }
    if (release)
        release(arg);
    free(job);
    return err;
}

static void cancel_submitted(struct whorl_future *future)
{
    struct job *job = future->worker;

    if (cancel(job)) {
        complete(job, -ECANCELED);
        free(job);
    }
}

int whorl_offload_submit(struct whorl_offload *pool, whorl_offload_fn fn, void *arg,
                         struct whorl_future *future)
{
    struct sched *s = sched_self();

    if (!s)
        return WHORL_ENOTASK;
    int err = pool_of(s, &pool);
    if (err)
        return err;
    if (pool->in_flight >= pool->in_flight_max)
        return -EAGAIN;
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return -ENOMEM;
    *job = (struct job){.fn = fn, .arg = arg, .pool = pool, .future = future, .on_heap = true};
    err = queue_job(s, job);
    if (err) {
        free(job);
        return err;
    }
    future->worker = job;
    future->cancel = cancel_submitted;
    return 0;
}

void whorl_offload_destroy(struct whorl_offload *pool)
{
    if (!pool)
        return;
    thread_pool_destroy(pool->workers);
    pool->workers = NULL;
    while (whorl_wait_queue_wake_one(&pool->space, 0))
        ;
    drop_reference(pool);
}

/* --- map -------------------------------------------------------------------------------------- */

struct map {
    struct whorl_offload *pool;
    whorl_offload_fn fn;
    char *items;
    size_t item_size, count, next;
    size_t failed_at; /* index of the first item that failed; valid while err is not 0 */
    int err;
};

static int map_some(void *arg)
{
    struct map *map = arg;

    while (map->next < map->count) {
        size_t i = map->next++;
        int err = whorl_check_cancelled();
        if (err)
            return err;
        err = whorl_offload_run(map->pool, map->fn, map->items + i * map->item_size);
        if (err < 0 && (!map->err || i < map->failed_at)) {
            map->err = err;
            map->failed_at = i;
        }
    }
    return 0;
}

WHORL_SUSPENDS int whorl_offload_map(struct whorl_offload *pool, whorl_offload_fn fn, void *items,
                                     size_t item_size, size_t count)
{
    struct map map = {pool, fn, items, item_size, count, 0, 0, 0};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err == 0)
        err = pool_of(s, &map.pool);
    if (err)
        return err;
    atomic_fetch_add(&map.pool->references, 1);
    for (unsigned i = 0; i < map.pool->threads_max && i < count && err == 0; i++)
        err = whorl_spawn(&group, map_some, &map);
    /* With fewer tasks than threads the map only takes longer. */
    if (err == 0 || whorl_group_alive(&group) > 0)
        err = whorl_group_wait(&group);
    drop_reference(map.pool);
    return err ? err : map.err;
}
