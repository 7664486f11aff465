/* SPDX-License-Identifier: MIT */
/* Threads: each blocks on its own, the kernel switches between them. They share memory, so the queue
 * needs a lock; what is forgotten here shows now and then (race.c).
 * Next: tasks.c */
#include <pthread.h>

#include "io.h"

struct queue {
    pthread_mutex_t lock;
    struct batch *batch;
    int next; /* under lock */
};

struct worker {
    pthread_t thread;
    struct queue *queue;
    int number;
};

static struct job *take(struct queue *queue)
{
    struct job *job = NULL;

    pthread_mutex_lock(&queue->lock);
    if (queue->next < queue->batch->count)
        job = &queue->batch->jobs[queue->next++];
    pthread_mutex_unlock(&queue->lock);
    return job;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct job *job;

    while ((job = take(worker->queue))) {
        job->worker = worker->number;
        get_blocking(worker->queue->batch, job);
    }
    return NULL;
}

int run_threads(struct batch *batch)
{
    struct queue queue = {PTHREAD_MUTEX_INITIALIZER, batch, 0};
    struct worker workers[WORKERS_MAX];
    int started, err = 0;

    for (started = 0; started < batch->workers; started++) {
        workers[started] = (struct worker){.queue = &queue, .number = started};
        err = -pthread_create(&workers[started].thread, NULL, work, &workers[started]);
        if (err)
            break;
    }
    for (int i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    return started > 0 ? 0 : err;
}
