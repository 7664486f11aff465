/* SPDX-License-Identifier: MIT */
/* The cost of a task. */
#include <whorl.h>

#include "cost.h"
#include "meter.h"

struct measuring {
    int count;
    struct cost *cost;
    struct whorl_event end;
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int wait_for_end(void *arg)
{
    return whorl_event_wait(arg);
}

static WHORL_SUSPENDS int start_each(const struct measuring *m)
{
    WHORL_AUTO(group) group = {0};
    int64_t began_ns = meter_now_ns();
    int err = 0;

    for (int i = 0; i < m->count && err == 0; i++) {
        err = whorl_spawn(&group, nothing, NULL);
        if (err == 0)
            err = whorl_group_wait(&group);
    }
    m->cost->start_ns = (double)(meter_now_ns() - began_ns) / m->count;
    return err;
}

static WHORL_SUSPENDS int keep_all(struct measuring *m)
{
    WHORL_AUTO(group) group = {0};
    double before = meter_resident_bytes();
    int err = 0;

    for (int i = 0; i < m->count && err == 0; i++)
        err = whorl_spawn(&group, wait_for_end, &m->end);
    if (err == 0)
        err = whorl_yield(); /* now all tasks wait */
    m->cost->idle_bytes = (meter_resident_bytes() - before) / m->count;
    whorl_event_set(&m->end);
    return err ? err : whorl_group_wait(&group);
}

static int root(void *arg)
{
    int err = start_each(arg);

    return err ? err : keep_all(arg);
}

int cost_task(int count, struct cost *ret)
{
    struct measuring measuring = {.count = count, .cost = ret};

    return whorl_run(root, &measuring);
}
