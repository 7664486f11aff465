/* SPDX-License-Identifier: MIT */
/* Tasks: one per page, because tasks are cheap. One thread switches between them, but only where
 * they wait. So all tasks share one session without a lock. Only the number of connections per site
 * limits them.
 * Next: processes.c */
#include <whorl.h>

#include "../timeline.h"
#include "models.h"
#include "page.h"

struct job {
    struct batch *batch;
    struct whorl_http_session *session;
    struct page *page;
};

static int work(void *arg)
{
    const struct job *job = arg;

    page_get(job->batch, job->session, job->page, &job->page->result);
    return 0;
}

static int root(void *arg)
{
    struct batch *batch = arg;
    WHORL_AUTO(http_session) *session = NULL;
    WHORL_AUTO(group) group = {0};
    int err = page_session(batch, &session);

    timeline_watch_tasks(batch->timeline);
    for (int i = 0; i < batch->count && err == 0; i++)
        err = whorl_spawn_copy(&group, work, &(struct job){batch, session, &batch->pages[i]});
    return err ? err : whorl_group_wait(&group);
}

int run_tasks(struct batch *batch)
{
    return whorl_io_run(root, batch);
}
