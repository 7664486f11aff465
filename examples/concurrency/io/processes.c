/* SPDX-License-Identifier: MIT */
/* A pool of processes. They share no memory, so there are no races, and a crash ends only one
 * worker. An initialiser gives each worker its own session. Page numbers are sent to the workers,
 * and results are sent back.
 *
 * The workers use the same client as the other models. For each page there is a task that waits for
 * an idle worker, sends it the page number and waits for its result. */
#include <stdlib.h>

#include <whorl.h>

#include "../timeline.h"
#include "models.h"
#include "page.h"

struct worker {
    struct batch *batch;
    struct whorl_http_session *session;
};

/* Runs once in each worker. The session ends with the worker. */
static int begin(void *arg, void **ret_state)
{
    static struct worker worker;

    worker = (struct worker){.batch = arg};
    int err = page_session(arg, &worker.session);
    *ret_state = &worker;
    timeline_watch_run(worker.batch->timeline, page_lane(worker.batch, "process"));
    return err;
}

/* Runs in a worker, once per request. */
static WHORL_SUSPENDS_SHIELDED int work(void *state, const void *request, size_t len, void **ret,
                                        size_t *ret_len)
{
    const struct worker *worker = state;
    const int *number = request;
    struct result *result = len == sizeof *number ? malloc(sizeof *result) : NULL;

    if (!result)
        return -ENOMEM;
    page_get(worker->batch, worker->session, &worker->batch->pages[*number], result);
    *ret = result;
    *ret_len = sizeof *result;
    return 0;
}

struct job {
    struct batch *batch;
    struct whorl_process_pool *workers;
    int number;
};

static int hand_out(void *arg)
{
    const struct job *job = arg;
    struct result *result = &job->batch->pages[job->number].result;
    void *answer;
    size_t len;

    int err =
        whorl_process_pool_call(job->workers, &job->number, sizeof job->number, &answer, &len);
    if (err)
        return whorl_error_set(&result->error, err, "worker", "%s", whorl_strerror(err));
    *result = *(struct result *)answer;
    free(answer);
    return 0;
}

static int root(void *arg)
{
    const struct job *all = arg;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    int err = 0;

    for (int i = 0; i < all->batch->count && err == 0; i++)
        err = whorl_spawn_copy(&group, hand_out, &(struct job){all->batch, all->workers, i});
    return err ? err : whorl_group_wait(&group);
}

int run_processes(struct batch *batch)
{
    struct whorl_process_pool_options options = {
        .count = (unsigned)batch->processes, .init = begin, .work = work, .arg = batch};
    WHORL_AUTO(process_pool) *workers = NULL;
    int err = whorl_process_pool_create(&options, &workers);

    return err ? err : whorl_io_run(root, &(struct job){batch, workers, 0});
}
