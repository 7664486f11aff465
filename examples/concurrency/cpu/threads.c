/* SPDX-License-Identifier: MIT */
/* Threads: the system runs as many at the same time as there are processors. They share memory, so
 * the one variable that all of them change, the index of the next number, is atomic. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "../timeline.h"
#include "cpu.h"
#include "squares.h"

struct pool {
    struct cpu_batch *batch;
    atomic_int next, started;
};

static void *work(void *arg)
{
    struct pool *pool = arg;
    struct cpu_batch *batch = pool->batch;
    char name[32];
    int i;

    snprintf(name, sizeof name, "thread %d", atomic_fetch_add(&pool->started, 1) + 1);
    int lane = timeline_lane(batch->timeline, name);
    timeline_mark(batch->timeline, lane, TIMELINE_WORKS);
    while ((i = atomic_fetch_add(&pool->next, 1)) < batch->count)
        cpu_add_squares(&batch->sums[i]);
    timeline_mark(batch->timeline, lane, TIMELINE_ENDS);
    return NULL;
}

int cpu_threads(struct cpu_batch *batch)
{
    struct pool pool = {.batch = batch};
    pthread_t *threads = calloc((size_t)batch->workers, sizeof *threads);
    int n = 0, err = threads ? 0 : ENOMEM;

    while (err == 0 && n < batch->workers) {
        err = pthread_create(&threads[n], NULL, work, &pool);
        n += err == 0;
    }
    if (n > 0)
        err = 0; /* some threads could not be started; the others do all the work */
    while (n > 0)
        pthread_join(threads[--n], NULL);
    free(threads);
    return -err;
}
