/* SPDX-License-Identifier: MIT */
/* Tasks for the tests of groups. */
#ifndef TEST_GROUP_JOBS_H
#define TEST_GROUP_JOBS_H

#include <whorl/base.h>
#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/stop.h>
#include <whorl/task.h>

#include "test.h"

#define MS WHORL_MILLISECOND

/* A task that sleeps, logs its name, and returns a given result. */
struct job {
    const char *name;
    int64_t sleep_ns;
    int result;
    bool shielded;
};

static inline int work(void *arg)
{
    const struct job *job = arg;
    struct whorl_scope shield;

    if (job->shielded)
        whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    int err = job->sleep_ns ? whorl_sleep(job->sleep_ns) : 0;
    if (job->shielded)
        err = whorl_scope_leave(&shield, err);
    test_log("%s%s@%lld", err ? "!" : "", job->name, (long long)(whorl_now() / MS));
    return err ? err : job->result;
}

#define JOB(...) (&(struct job){.name = __VA_ARGS__})

static inline int wait_for(void *arg)
{
    return whorl_group_wait(arg);
}

static inline int daemon_until_cancelled(void *arg)
{
    (void)arg;
    CHECK_ERR(whorl_sleep_until(WHORL_FOREVER), -ECANCELED);
    test_log("daemon asked");
    struct whorl_scope shield;
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(whorl_sleep(5 * MS));
    CHECK_OK(whorl_scope_leave(&shield, 0));
    test_log("daemon ended@%lld", (long long)(whorl_now() / MS));
    return -ECANCELED;
}

/* Runs `fn` in another task and waits for its end. */
static inline WHORL_SUSPENDS_SHIELDED void in_another_task(whorl_task_fn fn, void *arg)
{
    struct whorl_group group = {0};

    CHECK_OK(whorl_spawn(&group, fn, arg));
    CHECK_OK(whorl_group_wait(&group));
}

static inline int log_stop(void *arg)
{
    (void)arg;
    test_log("%d", whorl_stop_requested());
    return 0;
}

#endif
