/* SPDX-License-Identifier: MIT */
/* A million tasks at once. */
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/task.h>

#include "test.h"

enum { MILLION = 1000000 };

static int slept;

static int sleep_a_while(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_sleep(WHORL_SECOND + (int64_t)whorl_task_id(whorl_task_self()) * 1000));
    slept++;
    return 0;
}

TEST_SLOW(a_million_tasks_sleep_at_once, TEST_ROOT_VIRTUAL, 120)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_run_stats stats;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    test_skip("sanitizers multiply the memory");
#endif
    if (sysconf(_SC_AVPHYS_PAGES) < 2 * MILLION)
        test_skip("less than 8 GB of memory free");
    for (int i = 0; i < MILLION; i++)
        CHECK_OK(whorl_spawn(&group, sleep_a_while, NULL));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_run_stats(&stats));
    CHECK_EQ(stats.tasks_alive, MILLION + 1);
    CHECK_EQ(stats.timers_armed, MILLION);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(slept, MILLION);
    whorl_run_trim();
    CHECK_OK(whorl_run_stats(&stats));
    CHECK(stats.stacks_mapped < 100);
}

TEST_MAIN()
