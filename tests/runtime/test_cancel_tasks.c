/* SPDX-License-Identifier: MIT */
/* Groups, sleeps and threads, with a task that is cancelled at every point: all tasks and jobs are
 * joined, and sleeps and intervals end exactly at their time. */
#include <whorl/group.h>
#include <whorl/interval.h>
#include <whorl/map.h>
#include <whorl/offload.h>
#include <whorl/run.h>
#include <whorl/stop.h>

#include "cancel.h"
#include "test.h"

/* --- groups ----------------------------------------------------------------------------------- */

static int children;

static int be_child(void *arg)
{
    children++;
    int err = whorl_sleep(1 + cancel_number(arg) % 3);
    children--;
    return err;
}

static int have_children(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    for (intptr_t i = 0; i < 5; i++) {
        int err = whorl_group_wait_below(&group, 3);
        err = err ? err : whorl_spawn(&group, be_child, (void *)i);
        if (err)
            return err;
    }
    int err = whorl_group_wait(&group);
    CHECK_EQ(whorl_group_alive(&group), 0); /* joined in every case */
    return err;
}

static int race_children(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_RACE};

    (void)arg;
    for (intptr_t i = 0; i < 3; i++) {
        int err = whorl_spawn(&group, be_child, (void *)i);
        if (err)
            return err;
    }
    return whorl_group_wait(&group);
}

static int work_until_asked(void *arg)
{
    (void)arg;
    children++;
    int err = whorl_stop_wait_requested();
    err = err ? err : whorl_sleep(cancel_number(arg));
    children--;
    return err;
}

/* The group is outside the cancelled scope. Stopping the group still joins it. */
static int stop_children(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_scope scope;

    (void)arg;
    for (intptr_t i = 1; i < 4; i++)
        CHECK_OK(whorl_spawn(&group, work_until_asked, (void *)i));
    cancel_scope_enter(&scope);
    int err = whorl_sleep(1);
    if (err == 0 || err == -ECANCELED)
        err = whorl_group_stop(&group, 2);
    CHECK(!group.opened);
    CHECK(err == -ETIMEDOUT || err == -ECANCELED);
    (void)cancel_scope_leave(&scope, 0);
    return 0;
}

static void end_children(void)
{
    CHECK_EQ(children, 0);
}

TEST_SEEDS(group_whose_owner_is_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(
              &(struct cancel_plan){have_children, have_children, 1, NULL, end_children}) > 0);
    CHECK(cancel_everywhere(
              &(struct cancel_plan){race_children, have_children, 1, NULL, end_children}) > 0);
    CHECK(cancel_everywhere(
              &(struct cancel_plan){stop_children, have_children, 1, NULL, end_children}) > 0);
}

static int map_item(void *arg)
{
    children++;
    CHECK(children <= 2);
    int err = whorl_sleep(*(int *)arg % 2 + 1);
    children--;
    return err;
}

static int map_five(void *arg)
{
    int items[5] = {0, 1, 2, 3, 4}, results[5] = {1, 1, 1, 1, 1};
    int err = whorl_map(map_item, items, sizeof *items, 5, 2, results);

    (void)arg;
    for (int i = 0; i < 5; i++)
        CHECK(results[i] == -ECANCELED ? err == -ECANCELED : results[i] == 0);
    CHECK_EQ(children, 0);
    return err;
}

static int sleep_and_sleep(void *arg)
{
    for (int i = 0; i < 4; i++) {
        int err = whorl_sleep(1 + cancel_number(arg));
        if (err)
            return err;
    }
    return 0;
}

TEST_SEEDS(map_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(
              &(struct cancel_plan){map_five, sleep_and_sleep, 2, NULL, end_children}) > 0);
}

/* --- time ------------------------------------------------------------------------------------- */

/* Ticks that passed while the task was cancelled are returned by the next wait. */
static int tick(void *arg)
{
    int64_t began = whorl_now(), ticks = 0, n;
    struct whorl_interval interval;
    struct whorl_scope scope;

    (void)arg;
    whorl_interval_init(&interval, 3);
    cancel_scope_enter(&scope);
    while (ticks < 4 && (n = whorl_interval_wait(&interval)) > 0)
        ticks += n;
    (void)cancel_scope_leave(&scope, 0);
    CHECK(ticks == 4 || n == -ECANCELED);
    while (ticks < 6) {
        n = whorl_interval_wait(&interval);
        CHECK(n > 0);
        ticks += n;
        CHECK_EQ(whorl_now(), began + 3 * ticks);
    }
    return 0;
}

static int sleep_in_time(void *arg)
{
    for (int i = 1; i < 5; i++) {
        int64_t until = whorl_after(i);
        int err = whorl_sleep_until(until);
        if (err)
            return err;
        CHECK_EQ(whorl_now(), until);
    }
    return sleep_and_sleep(arg);
}

TEST_SEEDS(sleeps_and_intervals_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(&(struct cancel_plan){tick, sleep_and_sleep, 3, NULL, NULL}) > 0);
    CHECK(cancel_everywhere(&(struct cancel_plan){sleep_in_time, sleep_in_time, 3, NULL, NULL}) >
          0);
}

/* --- threads ---------------------------------------------------------------------------------- */

static struct whorl_offload *pool;
static int jobs_begun, jobs_done; /* no lock: the pool has one thread */

static int do_job(void *arg)
{
    jobs_begun++;
    *(int *)arg = 1;
    return 0;
}

static int offload_three(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        int ran = 0, err = whorl_offload_run(pool, do_job, &ran);
        CHECK_EQ(ran, err == 0);
        jobs_done += ran;
        if (err)
            return err;
    }
    return 0;
}

static void begin_jobs(void)
{
    struct whorl_offload_options options = {.threads_max = 1, .queue_max = 1};

    jobs_begun = jobs_done = 0;
    CHECK_OK(whorl_offload_create(&options, &pool));
}

static void end_jobs(void)
{
    whorl_offload_destroy(pool);
    CHECK_EQ(jobs_begun, jobs_done);
}

static int cancel_jobs(void *arg)
{
    (void)arg;
    CHECK(cancel_everywhere(
              &(struct cancel_plan){offload_three, offload_three, 4, begin_jobs, end_jobs}) > 0);
    return 0;
}

TEST(offload_cancelled_at_any_point)
{
    for (int i = 0; i < 20; i++)
        CHECK_OK(whorl_run(cancel_jobs, NULL));
}

TEST_MAIN()
