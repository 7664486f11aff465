/* SPDX-License-Identifier: MIT */
/* The race between threads. An addition has three steps: read, add, write. If another thread writes
 * between the read and the write, its addition is lost. The system can switch threads at any
 * time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "../timeline.h"
#include "race.h"

/* With a plain `long`, two threads at the same time would be undefined behaviour. The compiler
 * could, for example, add 100 at once and hide the race. With relaxed loads and stores each step
 * happens as it is written here, and only the race is left. */
static atomic_long counter;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;

static void add_one(void)
{
    long seen = atomic_load_explicit(&counter, memory_order_relaxed);
    atomic_store_explicit(&counter, seen + 1, memory_order_relaxed);
}

static void add(void)
{
    for (int i = 0; i < RACE_ADDS; i++)
        add_one();
}

static void add_locked(void)
{
    for (int i = 0; i < RACE_ADDS; i++) {
        pthread_mutex_lock(&lock);
        add_one();
        pthread_mutex_unlock(&lock);
    }
}

static void add_atomic(void)
{
    for (int i = 0; i < RACE_ADDS; i++)
        atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);
}

struct wave {
    void (*add)(void);
    struct timeline *timeline;
    atomic_int started;
};

static void *work(void *arg)
{
    struct wave *wave = arg;
    char name[32];

    snprintf(name, sizeof name, "thread %d", atomic_fetch_add(&wave->started, 1) + 1);
    int lane = timeline_lane(wave->timeline, name);
    timeline_mark(wave->timeline, lane, TIMELINE_WAITS);
    /* Starting a thread takes longer than its additions, so without a gate each thread would run
     * alone. All threads of a wave wait here until the write lock is released, and then start
     * together. */
    pthread_rwlock_rdlock(&gate);
    pthread_rwlock_unlock(&gate);
    timeline_mark(wave->timeline, lane, TIMELINE_WORKS);
    wave->add();
    timeline_mark(wave->timeline, lane, TIMELINE_ENDS);
    return NULL;
}

static int run_wave(struct wave *wave, int n)
{
    pthread_t threads[RACE_THREADS_AT_ONCE];
    int started = 0, err = 0;

    pthread_rwlock_wrlock(&gate);
    while (err == 0 && started < n) {
        err = pthread_create(&threads[started], NULL, work, wave);
        started += err == 0;
    }
    pthread_rwlock_unlock(&gate);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    return -err;
}

static int run(void (*add_fn)(void), int workers, struct timeline *timeline, long *ret)
{
    struct wave wave = {.add = add_fn, .timeline = timeline};
    int err = 0;

    counter = 0;
    for (int left = workers; left > 0 && err == 0; left -= RACE_THREADS_AT_ONCE)
        err = run_wave(&wave, left < RACE_THREADS_AT_ONCE ? left : RACE_THREADS_AT_ONCE);
    if (err == 0)
        *ret = counter;
    return err;
}

int race_threads(int workers, struct timeline *timeline, long *ret)
{
    return run(add, workers, timeline, ret);
}

int race_threads_locked(int workers, struct timeline *timeline, long *ret)
{
    return run(add_locked, workers, timeline, ret);
}

int race_threads_atomic(int workers, struct timeline *timeline, long *ret)
{
    return run(add_atomic, workers, timeline, ret);
}
