/* SPDX-License-Identifier: MIT */
/* The race between threads. Adding is three steps: read, add, write. What another thread writes between
 * my read and my write is lost, and the system may let it in at any instant. */
#include <pthread.h>
#include <stdatomic.h>

#include "race.h"

enum { AT_ONCE = 100 }; /* threads; the workers come in so many waves as that takes */

/* On a plain `long`, two threads at once would be undefined behaviour, and the compiler could do what
 * it liked: add 100 in one go, say, and hide the race. With relaxed loads and stores the steps are
 * those that are written here, each whole, and nothing but the race is left. */
static atomic_long counter;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;

static void add_one(void)
{
    long seen = atomic_load_explicit(&counter, memory_order_relaxed);
    atomic_store_explicit(&counter, seen + 1, memory_order_relaxed);
}

/* Starting a thread takes longer than all it has to do, so without this each would be alone. */
static void wait_for_the_others(void)
{
    pthread_rwlock_rdlock(&gate); /* many at once may have it, once it is not held for writing */
    pthread_rwlock_unlock(&gate);
}

static void *add(void *arg)
{
    wait_for_the_others();
    for (int i = 0; i < RACE_ADDS; i++)
        add_one();
    return arg;
}

static void *add_locked(void *arg)
{
    wait_for_the_others();
    for (int i = 0; i < RACE_ADDS; i++) {
        pthread_mutex_lock(&lock);
        add_one();
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

static void *add_atomic(void *arg)
{
    wait_for_the_others();
    for (int i = 0; i < RACE_ADDS; i++)
        atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);
    return arg;
}

static int run_wave(void *(*fn)(void *), int n)
{
    pthread_t threads[AT_ONCE];
    int started = 0, err = 0;

    pthread_rwlock_wrlock(&gate);
    while (err == 0 && started < n) {
        err = pthread_create(&threads[started], NULL, fn, NULL);
        started += err == 0;
    }
    pthread_rwlock_unlock(&gate);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    return -err;
}

static int run(void *(*fn)(void *), int workers, long *ret)
{
    int err = 0;

    counter = 0;
    for (int left = workers; left > 0 && err == 0; left -= AT_ONCE)
        err = run_wave(fn, left < AT_ONCE ? left : AT_ONCE);
    if (err == 0)
        *ret = counter;
    return err;
}

int race_threads(int workers, long *ret)
{
    return run(add, workers, ret);
}

int race_threads_locked(int workers, long *ret)
{
    return run(add_locked, workers, ret);
}

int race_threads_atomic(int workers, long *ret)
{
    return run(add_atomic, workers, ret);
}
