/* SPDX-License-Identifier: MIT */
/* Tasks: the blocking program with whorl_ before its calls. One thread switches between them where
 * they wait and nowhere else, so `next++` needs no lock. They share one processor: the work on the
 * pages is done by turns.
 * Next: processes.c */
#include <whorl.h>

#include "io.h"

struct queue {
    struct batch *batch;
    int next;
};

struct worker {
    struct queue *queue;
    int number;
};

static void get(const struct batch *batch, struct job *job)
{
    char buf[PAGE_MAX];
    struct whorl_addr addr = {.in = batch->addr, .len = sizeof batch->addr};
    size_t len = 0;
    ssize_t n;

    job->asked_ns = now_ns();
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    n = fd < 0 ? fd : whorl_connect(fd, &addr);
    if (n == 0)
        n = whorl_send_all(fd, buf, (size_t)make_request(job, buf, sizeof buf), 0);
    while (n >= 0 && (n = whorl_recv(fd, buf + len, sizeof buf - len, 0)) > 0)
        len += (size_t)n;
    job->err = n < 0 ? (int)n : 0;
    if (fd >= 0)
        whorl_close(fd);
    if (job->err == 0)
        use_answer(job, buf, len);
}

static int work(void *arg)
{
    const struct worker *worker = arg;
    struct queue *queue = worker->queue;

    while (queue->next < queue->batch->count) {
        struct job *job = &queue->batch->jobs[queue->next++];
        job->worker = worker->number;
        get(queue->batch, job);
    }
    return 0;
}

static int root(void *arg)
{
    struct queue queue = {.batch = arg};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT, .stack_size = 4 * PAGE_MAX};
    int err = 0;

    for (int i = 0; i < queue.batch->workers && err == 0; i++)
        err = whorl_spawn_copy(&group, work, &(struct worker){&queue, i});
    return err ? err : whorl_group_wait(&group);
}

int run_tasks(struct batch *batch)
{
    return whorl_io_run(root, batch);
}
