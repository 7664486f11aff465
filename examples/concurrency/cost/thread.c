/* SPDX-License-Identifier: MIT */
/* The cost of a thread. The measurement does not include the memory that the kernel uses for each
 * thread. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "cost.h"
#include "meter.h"

static sem_t arrived, end;

static void *nothing(void *arg)
{
    return arg;
}

static void *wait_for_end(void *arg)
{
    sem_post(&arrived);
    while (sem_wait(&end) < 0 && errno == EINTR)
        ;
    return arg;
}

static int start_each(int count, struct cost *ret)
{
    int64_t began_ns = meter_now_ns();
    pthread_t thread;
    int err = 0;

    for (int i = 0; i < count && err == 0; i++) {
        err = pthread_create(&thread, NULL, nothing, NULL);
        if (err == 0)
            pthread_join(thread, NULL);
    }
    ret->start_ns = (double)(meter_now_ns() - began_ns) / count;
    return -err;
}

static int keep_all(int count, pthread_t *threads, struct cost *ret)
{
    double before = meter_resident_bytes();
    int started = 0, err = 0;

    while (started < count && err == 0) {
        err = pthread_create(&threads[started], NULL, wait_for_end, NULL);
        started += err == 0;
    }
    for (int i = 0; i < started; i++)
        while (sem_wait(&arrived) < 0 && errno == EINTR)
            ;
    ret->idle_bytes = (meter_resident_bytes() - before) / count;
    for (int i = 0; i < started; i++)
        sem_post(&end);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    return -err;
}

int cost_thread(int count, struct cost *ret)
{
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    int err = threads ? 0 : -ENOMEM;

    sem_init(&arrived, 0, 0);
    sem_init(&end, 0, 0);
    if (err == 0)
        err = start_each(count, ret);
    if (err == 0)
        err = keep_all(count, threads, ret);
    free(threads);
    return err;
}
