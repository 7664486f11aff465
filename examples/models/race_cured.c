/* SPDX-License-Identifier: MIT */
/* The race's cures: a lock, an atomic addition, or tasks, of which nobody else runs between a read and
 * a write unless there is a call that waits in between. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <whorl.h>

enum { ADDS = 100000 };

static int plain;
static atomic_int whole;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *add_locked(void *arg)
{
    for (int i = 0; i < ADDS; i++) {
        pthread_mutex_lock(&lock);
        plain++;
        pthread_mutex_unlock(&lock);
    }
    return arg;
}

static void *add_atomic(void *arg)
{
    for (int i = 0; i < ADDS; i++)
        atomic_fetch_add_explicit(&whole, 1, memory_order_relaxed);
    return arg;
}

static void run_threads(void *(*fn)(void *))
{
    pthread_t threads[2];
    int n = 0;

    while (n < 2 && pthread_create(&threads[n], NULL, fn, NULL) == 0)
        n++;
    while (n > 0)
        pthread_join(threads[--n], NULL);
}

static int add_task(void *arg)
{
    int err = 0;

    for (int i = 0; i < ADDS && err == 0; i++) {
        ++*(int *)arg;
        err = whorl_yield(); /* the other task runs here, and only here */
    }
    return err;
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {0};

    int err = whorl_spawn(&group, add_task, arg);
    if (err == 0)
        err = whorl_spawn(&group, add_task, arg);
    return err ? err : whorl_group_wait(&group);
}

int main(void)
{
    int tasks = 0;

    run_threads(add_locked);
    run_threads(add_atomic);
    int err = whorl_run(root, &tasks);
    printf("%d additions: lock %d, atomic %d, tasks %d\n", 2 * ADDS, plain, whole, tasks);
    return !err && plain == 2 * ADDS && whole == 2 * ADDS && tasks == 2 * ADDS ? 0 : 1;
}
