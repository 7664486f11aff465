/* SPDX-License-Identifier: MIT */
/* A bounded set of threads that take work from one queue. */
#include "runtime/base/thread_pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/forks.h"

struct thread_pool {
    pthread_mutex_t lock;
    /* work: work is queued, or the pool stops. idle: a thread has finished a piece of work, or has
     * taken one while the pool stops. */
    pthread_cond_t work, idle;
    struct work *first, *last;
    unsigned queued;
    struct worker *workers; /* the threads */
    unsigned threads, threads_max, waiting, running, detached_running;
    unsigned references; /* one for the owner, and one for each thread that is left behind */
    unsigned number;     /* number in the name of the last started thread */
    unsigned depth;      /* see forks.h */
    bool stopping;
    char name[12];
};

struct worker {
    struct worker *next;
    struct thread_pool *pool;
    pthread_t thread;
    bool detached;    /* it runs detached work */
    bool left_behind; /* the pool was destroyed meanwhile; the thread frees this */
};

static void free_pool(struct thread_pool *w)
{
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->idle);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static void drop_reference(struct thread_pool *w)
{
    pthread_mutex_lock(&w->lock);
    bool last = --w->references == 0;
    pthread_mutex_unlock(&w->lock);
    if (last)
        free_pool(w);
}

struct thread_pool *thread_pool_create(const char *name, unsigned threads_max)
{
    struct thread_pool *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->threads_max = threads_max;
    snprintf(w->name, sizeof w->name, "%s", name);
    w->references = 1;
    w->depth = forks_watch();
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    pthread_cond_init(&w->idle, NULL);
    return w;
}

/* --- under the lock --------------------------------------------------------------------------- */

static void queue_append(struct thread_pool *w, struct work *work)
{
    work->next = NULL;
    work->prev = w->last;
    if (w->last)
        w->last->next = work;
    else
        w->first = work;
    w->last = work;
    w->queued++;
}

static void queue_remove(struct thread_pool *w, struct work *work)
{
    if (work->prev)
        work->prev->next = work->next;
    else
        w->first = work->next;
    if (work->next)
        work->next->prev = work->prev;
    else
        w->last = work->prev;
    w->queued--;
}

static void run_first(struct thread_pool *w, struct worker *self)
{
    struct work *work = w->first;

    queue_remove(w, work);
    work->state = WORK_RUNNING;
    self->detached = work->detached; /* `work` may be freed by the end of the call */
    w->running++;
    w->detached_running += self->detached;
    if (w->stopping)
        pthread_cond_broadcast(&w->idle);
    pthread_mutex_unlock(&w->lock);
    work->run(work);
    pthread_mutex_lock(&w->lock);
    w->running--;
    w->detached_running -= self->detached;
    self->detached = false;
    pthread_cond_broadcast(&w->idle);
}

static void *thread_main(void *arg)
{
    struct worker *self = arg;
    struct thread_pool *w = self->pool;
    char name[16];

    pthread_mutex_lock(&w->lock);
    snprintf(name, sizeof name, "%s-%u", w->name, ++w->number % 1000);
    pthread_setname_np(pthread_self(), name);
    while (w->first || !w->stopping) {
        if (w->first) {
            run_first(w, self);
            continue;
        }
        w->waiting++;
        pthread_cond_wait(&w->work, &w->lock);
        w->waiting--;
    }
    bool left_behind = self->left_behind;
    pthread_mutex_unlock(&w->lock);
    if (left_behind) {
        free(self);
        drop_reference(w);
    }
    return NULL;
}

/* Starts one more thread, with all signals blocked. Returns 0 or a negative code. */
static int start_thread(struct thread_pool *w)
{
    struct worker *worker = calloc(1, sizeof *worker);
    sigset_t all, before;

    if (!worker)
        return -ENOMEM;
    worker->pool = w;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&worker->thread, NULL, thread_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        free(worker);
        return -err;
    }
    worker->next = w->workers;
    w->workers = worker;
    w->threads++;
    return 0;
}

/* Waits until the queue is empty and nothing runs but detached work. That work may take for ever,
 * so when it occupies all threads, another one is started for what is queued. */
static void drain(struct thread_pool *w)
{
    while (w->first || w->running > w->detached_running) {
        if (w->first && w->threads == w->detached_running)
            (void)start_thread(w); /* without it, this waits for a thread */
        pthread_cond_wait(&w->idle, &w->lock);
    }
}

/* Detaches the threads that run detached work. Removes and returns the others. */
static struct worker *leave_detached(struct thread_pool *w)
{
    struct worker *ending = NULL, *next;

    for (struct worker *worker = w->workers; worker; worker = next) {
        next = worker->next;
        if (worker->detached) {
            pthread_detach(worker->thread);
            worker->left_behind = true;
            w->references++;
        } else {
            worker->next = ending;
            ending = worker;
        }
    }
    w->workers = NULL;
    return ending;
}

/* --- the owner's side ------------------------------------------------------------------------- */

int thread_pool_add(struct thread_pool *w, struct work *work)
{
    int err = 0;

    if (forks_copied(w->depth))
        return -EAGAIN;
    work->state = WORK_QUEUED;
    pthread_mutex_lock(&w->lock);
    /* A signalled thread counts as waiting until it holds the lock. The work that it will take
     * stays in the queue until then, so the two counts can be compared. */
    if (w->queued >= w->waiting && w->threads < w->threads_max)
        err = start_thread(w);
    if (err == 0 || w->threads > 0) {
        err = 0;
        queue_append(w, work);
        pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    return err;
}

bool thread_pool_withdraw(struct thread_pool *w, struct work *work)
{
    if (forks_copied(w->depth)) {
        work->state = WORK_WITHDRAWN;
        return true;
    }
    pthread_mutex_lock(&w->lock);
    bool queued = work->state == WORK_QUEUED;
    if (queued) {
        queue_remove(w, work);
        work->state = WORK_WITHDRAWN;
    }
    pthread_mutex_unlock(&w->lock);
    return queued;
}

/* For a forked child: the copy has no threads, and a thread of the parent may hold the lock. */
static void free_copy(struct thread_pool *w)
{
    struct worker *worker;

    while ((worker = w->workers)) {
        w->workers = worker->next;
        free(worker);
    }
    free(w);
}

void thread_pool_destroy(struct thread_pool *w)
{
    struct worker *ending, *next;

    if (!w)
        return;
    if (forks_copied(w->depth)) {
        free_copy(w);
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->work);
    drain(w);
    ending = leave_detached(w);
    pthread_mutex_unlock(&w->lock);
    for (; ending; ending = next) {
        next = ending->next;
        pthread_join(ending->thread, NULL);
        free(ending);
    }
    drop_reference(w);
}
