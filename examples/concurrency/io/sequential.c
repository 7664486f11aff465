/* SPDX-License-Identifier: MIT */
/* Sequential: one page after the other. This is the simplest program, and it waits nearly all the
 * time.
 * Next: threads.c */
#include <whorl.h>

#include "../timeline.h"
#include "models.h"
#include "page.h"

static int root(void *arg)
{
    struct batch *batch = arg;
    WHORL_AUTO(http_session) *session = NULL;

    int err = page_session(batch, &session);
    if (err)
        return err;
    timeline_watch_run(batch->timeline, timeline_lane(batch->timeline, "program"));
    for (int i = 0; i < batch->count; i++)
        page_get(batch, session, &batch->pages[i], &batch->pages[i].result);
    return 0;
}

int run_sequential(struct batch *batch)
{
    return whorl_io_run(root, batch);
}
