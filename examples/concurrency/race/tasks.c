/* SPDX-License-Identifier: MIT */
/* The race between tasks. They run on one thread, and no other task runs between two suspending
 * calls. So a plain variable and a plain addition are correct, unless a suspending call is in the
 * middle. */
#include <stdio.h>

#include <whorl.h>

#include "../timeline.h"
#include "race.h"

static long counter;
static struct whorl_mutex lock;

static int add(void *arg)
{
    int err = 0;

    (void)arg;
    for (int i = 0; i < RACE_ADDS && err == 0; i++) {
        counter++;           /* read, add and write: none of the three suspends */
        err = whorl_yield(); /* now the other tasks run */
    }
    return err;
}

/* A value read before a suspending call may be stale after it. */
static WHORL_SUSPENDS int add_one_suspending(void)
{
    long seen = counter;
    int err = whorl_yield(); /* like a database query: every other task runs here */
    counter = seen + 1;
    return err;
}

static int add_suspending(void *arg)
{
    int err = 0;

    (void)arg;
    for (int i = 0; i < RACE_ADDS && err == 0; i++)
        err = add_one_suspending();
    return err;
}

static int add_locked(void *arg)
{
    int err = 0;

    (void)arg;
    for (int i = 0; i < RACE_ADDS && err == 0; i++) {
        err = whorl_mutex_lock(&lock);
        if (err)
            break;
        err = add_one_suspending();
        whorl_mutex_unlock(&lock);
    }
    return err;
}

struct race {
    whorl_task_fn fn;
    int workers;
    struct timeline *timeline;
};

static int root(void *arg)
{
    const struct race *race = arg;
    WHORL_AUTO(group) group = {0};
    int err = 0;

    timeline_watch_tasks(race->timeline);
    for (int i = 0; i < race->workers && err == 0; i++) {
        char name[32];
        snprintf(name, sizeof name, "task %d", i + 1);
        err = whorl_spawn_with(&group, race->fn, NULL, &(struct whorl_spawn_options){.name = name});
    }
    return err ? err : whorl_group_wait(&group);
}

static int run(whorl_task_fn fn, int workers, struct timeline *timeline, long *ret)
{
    counter = 0;
    int err = whorl_run(root, &(struct race){fn, workers, timeline});
    if (err == 0)
        *ret = counter;
    return err;
}

int race_tasks(int workers, struct timeline *timeline, long *ret)
{
    return run(add, workers, timeline, ret);
}

int race_tasks_suspending(int workers, struct timeline *timeline, long *ret)
{
    return run(add_suspending, workers, timeline, ret);
}

int race_tasks_locked(int workers, struct timeline *timeline, long *ret)
{
    return run(add_locked, workers, timeline, ret);
}
