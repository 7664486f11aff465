/* SPDX-License-Identifier: MIT */
/* Tasks: one per number, without any gain. Tasks take turns on one thread, and a turn ends when the
 * task waits. These tasks never wait. */
#include <stdio.h>

#include <whorl.h>

#include "../timeline.h"
#include "cpu.h"
#include "squares.h"

static int work(void *arg)
{
    cpu_add_squares(arg);
    return 0;
}

static int root(void *arg)
{
    struct cpu_batch *batch = arg;
    WHORL_AUTO(group) group = {0};
    int err = 0;

    timeline_watch_tasks(batch->timeline);
    for (int i = 0; i < batch->count && err == 0; i++) {
        char name[32];
        snprintf(name, sizeof name, "task %d", i + 1);
        err = whorl_spawn_with(&group, work, &batch->sums[i],
                               &(struct whorl_spawn_options){.name = name});
    }
    return err ? err : whorl_group_wait(&group);
}

int cpu_tasks(struct cpu_batch *batch)
{
    return whorl_run(root, batch);
}
