/* SPDX-License-Identifier: MIT */
/* A bounded set of threads that take work from one queue. */
#include "runtime/base/thread_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct thread_pool {
    pthread_mutex_t lock;
    /* work: work is queued, or the pool stops. idle: a thread has ended or has finished a piece of
     * work. */
    pthread_cond_t work, idle;
    struct work *first, *last;
    unsigned queued;
    unsigned threads, threads_max, waiting, detached_running;
    unsigned references; /* one for the owner and one for each thread */
    unsigned number;     /* number in the name of the last started thread */
    bool stopping;
    char name[12];
};

static void drop_reference(struct thread_pool *w)
{
    pthread_mutex_lock(&w->lock);
    bool last = --w->references == 0;
    pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->idle);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct thread_pool *thread_pool_create(const char *name, unsigned threads_max)
{
    struct thread_pool *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->threads_max = threads_max;
    snprintf(w->name, sizeof w->name, "%s", name);
    w->references = 1;
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

static void run_first(struct thread_pool *w)
{
    struct work *work = w->first;
    bool detached = work->detached;

    queue_remove(w, work);
    work->state = WORK_RUNNING;
    w->detached_running += detached;
    pthread_mutex_unlock(&w->lock);
    work->run(work);
    pthread_mutex_lock(&w->lock);
    w->detached_running -= detached;
    pthread_cond_broadcast(&w->idle);
}

static void *thread_main(void *arg)
{
    struct thread_pool *w = arg;
    char name[16];

    pthread_mutex_lock(&w->lock);
    snprintf(name, sizeof name, "%s-%u", w->name, ++w->number % 1000);
    pthread_setname_np(pthread_self(), name);
    while (w->first || !w->stopping) {
        if (w->first) {
            run_first(w);
            continue;
        }
        w->waiting++;
        pthread_cond_wait(&w->work, &w->lock);
        w->waiting--;
    }
    w->threads--;
    pthread_cond_broadcast(&w->idle);
    pthread_mutex_unlock(&w->lock);
    drop_reference(w);
    return NULL;
}

/* Starts one more thread, detached and with all signals blocked. Returns 0 or a negative code. */
static int start_thread(struct thread_pool *w)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&thread, NULL, thread_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        return -err;
    pthread_detach(thread);
    w->threads++;
    w->references++;
    return 0;
}

/* --- the owner's side ------------------------------------------------------------------------- */

int thread_pool_add(struct thread_pool *w, struct work *work)
{
    int err = 0;

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
    pthread_mutex_lock(&w->lock);
    bool queued = work->state == WORK_QUEUED;
    if (queued) {
        queue_remove(w, work);
        work->state = WORK_WITHDRAWN;
    }
    pthread_mutex_unlock(&w->lock);
    return queued;
}

void thread_pool_destroy(struct thread_pool *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->work);
    /* Do not wait for threads that run detached work. */
    while (w->threads > w->detached_running)
        pthread_cond_wait(&w->idle, &w->lock);
    pthread_mutex_unlock(&w->lock);
    drop_reference(w);
}

void thread_pool_abandon(struct thread_pool *w)
{
    free(w);
}
