/* SPDX-License-Identifier: MIT */
/* A pool of threads. Each thread waits on its own, and the kernel can switch between threads at any
 * instruction. Threads share memory, so a lock protects the list of pages; a forgotten lock shows
 * only now and then. A session must not be shared, so each thread has its own in a thread-local
 * variable.
 *
 * The threads use whorl's client too. Each thread has a run with one task, so its calls block the
 * thread as calls of a blocking client would.
 * Next: tasks.c */
#include <pthread.h>

#include <whorl.h>

#include "../timeline.h"
#include "models.h"
#include "page.h"

struct pool {
    struct batch *batch;
    pthread_mutex_t lock;
    int next; /* protected by the lock */
};

static _Thread_local struct whorl_http_session *session;

static struct page *take(struct pool *pool)
{
    struct page *page = NULL;

    pthread_mutex_lock(&pool->lock);
    if (pool->next < pool->batch->count)
        page = &pool->batch->pages[pool->next++];
    pthread_mutex_unlock(&pool->lock);
    return page;
}

static int root(void *arg)
{
    struct pool *pool = arg;
    struct page *page;

    int err = page_session(pool->batch, &session);
    if (err)
        return err;
    timeline_watch_run(pool->batch->timeline, page_lane(pool->batch, "thread"));
    while ((page = take(pool)))
        page_get(pool->batch, session, page, &page->result);
    whorl_http_session_destroy(session);
    return 0;
}

static void *work(void *arg)
{
    return (void *)(intptr_t)whorl_io_run(root, arg);
}

int run_threads(struct batch *batch)
{
    struct pool pool = {batch, PTHREAD_MUTEX_INITIALIZER, 0};
    pthread_t threads[THREADS_MAX];
    int started = 0, err = 0;
    void *result;

    while (started < batch->threads && err == 0) {
        err = -pthread_create(&threads[started], NULL, work, &pool);
        started += err == 0;
    }
    while (started > 0) {
        pthread_join(threads[--started], &result);
        if (err == 0)
            err = (int)(intptr_t)result;
    }
    return err;
}
