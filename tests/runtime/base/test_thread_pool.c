/* SPDX-License-Identifier: MIT */
/* The thread pool: threads that take work from one queue. */
#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "faults.h"
#include "runtime/base/check.h"
#include "runtime/base/thread_pool.h"
#include "test.h"

struct counted {
    struct work work;
    sem_t *started, *go, *done;
    atomic_int *running, *most;
};

static void run_counted(struct work *work)
{
    struct counted *c = container_of(work, struct counted, work);
    int running = atomic_fetch_add(c->running, 1) + 1;
    for (int most = atomic_load(c->most); running > most;)
        if (atomic_compare_exchange_weak(c->most, &most, running))
            break;
    if (c->started)
        sem_post(c->started);
    if (c->go)
        sem_wait(c->go);
    atomic_fetch_sub(c->running, 1);
    sem_post(c->done);
}

/* Number of threads beside the test's own thread and a sanitizer's thread. */
static int threads_more(void)
{
    static int before;
    DIR *dir = opendir("/proc/self/task");
    int n = 0;
    CHECK(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    if (before == 0)
        before = n;
#ifdef __SANITIZE_THREAD__
    if (n > before) /* the sanitizer's own thread, which exists once another thread has started */
        n--;
#endif
    return n - before;
}

TEST(workers_start_as_work_queues_up_and_never_more_than_asked)
{
    struct thread_pool *workers = thread_pool_create("test", 3);
    struct counted work[10];
    sem_t started, go, done;
    atomic_int running = 0, most = 0;
    sem_init(&started, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&done, 0, 0);
    CHECK_EQ(threads_more(), 0);
    for (int i = 0; i < 10; i++) {
        work[i] = (struct counted){
            .work.run = run_counted, .started = &started, .go = &go, .done = &done};
        work[i].running = &running;
        work[i].most = &most;
        CHECK_OK(thread_pool_add(workers, &work[i].work));
    }
    for (int i = 0; i < 3; i++)
        sem_wait(&started);
    CHECK_EQ(threads_more(), 3);
    CHECK(!thread_pool_withdraw(workers, &work[0].work)); /* it is running */
    CHECK(thread_pool_withdraw(workers, &work[9].work));
    CHECK(thread_pool_withdraw(workers, &work[5].work));
    CHECK(!thread_pool_withdraw(workers, &work[5].work));
    for (int i = 0; i < 8; i++)
        sem_post(&go);
    for (int i = 0; i < 8; i++)
        sem_wait(&done);
    CHECK_EQ(most, 3);
    thread_pool_destroy(workers);
    CHECK_EQ(running, 0);
    thread_pool_destroy(NULL);
}

TEST(a_waiting_worker_is_counted_once_for_work_added_in_a_row)
{
    struct thread_pool *workers = thread_pool_create("test", 4);
    struct counted work[3];
    sem_t started, go, done;
    atomic_int running = 0, most = 0;
    CHECK_EQ(threads_more(), 0);
    sem_init(&started, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&done, 0, 0);
    for (int i = 0; i < 3; i++)
        work[i] = (struct counted){{.run = run_counted}, &started, &go, &done, &running, &most};
    CHECK_OK(thread_pool_add(workers, &work[0].work));
    sem_post(&go);
    sem_wait(&done);
    usleep(10000); /* now the only thread waits */
    CHECK_EQ(threads_more(), 1);
    CHECK_OK(thread_pool_add(workers, &work[1].work));
    CHECK_OK(thread_pool_add(workers, &work[2].work));
    sem_wait(&started);
    sem_wait(&started);
    sem_wait(&started); /* both run at the same time */
    sem_post(&go);
    sem_post(&go);
    thread_pool_destroy(workers);
    CHECK_EQ(running, 0);
    CHECK_EQ(most, 2);
}

TEST(workers_end_after_what_is_queued_is_done)
{
    struct thread_pool *workers = thread_pool_create("test", 2);
    struct counted work[100];
    sem_t done;
    atomic_int running = 0, most = 0;
    int value;
    sem_init(&done, 0, 0);
    for (int i = 0; i < 100; i++) {
        work[i] = (struct counted){
            .work.run = run_counted, .done = &done, .running = &running, .most = &most};
        CHECK_OK(thread_pool_add(workers, &work[i].work));
    }
    thread_pool_destroy(workers);
    sem_getvalue(&done, &value);
    CHECK_EQ(value, 100);
}

TEST(detached_work_that_runs_is_not_waited_for)
{
    static struct counted work;
    static sem_t started, go, done;
    static atomic_int running, most;
    struct thread_pool *workers = thread_pool_create("test", 2);
    CHECK_EQ(threads_more(), 0);
    sem_init(&started, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&done, 0, 0);
    work = (struct counted){
        {.run = run_counted, .detached = true}, &started, &go, &done, &running, &most};
    CHECK_OK(thread_pool_add(workers, &work.work));
    sem_wait(&started);
    thread_pool_destroy(workers);
    CHECK_EQ(running, 1);
    sem_post(&go);
    sem_wait(&done);
    for (int i = 0; i < 1000 && threads_more() > 0; i++)
        usleep(1000); /* its thread must end as well */
    CHECK_EQ(threads_more(), 0);
}

/* All threads run detached work: what is queued is done by another one. */
TEST(queued_work_is_done_although_all_threads_run_detached_work)
{
    static struct counted detached[2], queued[3];
    static sem_t started, go, done, queued_done;
    static atomic_int running, most;
    struct thread_pool *workers = thread_pool_create("test", 2);
    int value;
    sem_init(&started, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&done, 0, 0);
    sem_init(&queued_done, 0, 0);
    for (int i = 0; i < 2; i++) {
        detached[i] = (struct counted){
            {.run = run_counted, .detached = true}, &started, &go, &done, &running, &most};
        CHECK_OK(thread_pool_add(workers, &detached[i].work));
        sem_wait(&started);
    }
    for (int i = 0; i < 3; i++) {
        queued[i] = (struct counted){
            .work.run = run_counted, .done = &queued_done, .running = &running, .most = &most};
        CHECK_OK(thread_pool_add(workers, &queued[i].work));
    }
    thread_pool_destroy(workers);
    sem_getvalue(&queued_done, &value);
    CHECK_EQ(value, 3);
    CHECK_EQ(running, 2);
    sem_post(&go);
    sem_post(&go);
    sem_wait(&done);
    sem_wait(&done);
    for (int i = 0; i < 1000 && threads_more() > 0; i++)
        usleep(1000);
}

static atomic_int ended;
static pthread_key_t at_thread_end;

static void end_slowly(void *value)
{
    (void)value;
    usleep(20000);
    ended++;
}

static void mark_thread(struct work *work)
{
    struct counted *c = container_of(work, struct counted, work);
    CHECK_OK(pthread_setspecific(at_thread_end, c));
    sem_post(c->started);
    sem_wait(c->go);
}

TEST(threads_have_ended_when_their_pool_is_destroyed)
{
    struct thread_pool *workers = thread_pool_create("test", 3);
    struct counted work[3];
    sem_t started, go;
    CHECK_OK(pthread_key_create(&at_thread_end, end_slowly));
    sem_init(&started, 0, 0);
    sem_init(&go, 0, 0);
    for (int i = 0; i < 3; i++) {
        work[i] = (struct counted){.work.run = mark_thread, .started = &started, .go = &go};
        CHECK_OK(thread_pool_add(workers, &work[i].work));
    }
    for (int i = 0; i < 3; i++)
        sem_wait(&started);
    for (int i = 0; i < 3; i++)
        sem_post(&go);
    thread_pool_destroy(workers);
    CHECK_EQ(ended, 3);
}

TEST_MAIN()
