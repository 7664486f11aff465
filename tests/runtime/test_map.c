/* SPDX-License-Identifier: MIT */
/* Map: the limit, the results, the order, and the end. */
#include <stdio.h>
#include <string.h>

#include <whorl/group.h>
#include <whorl/map.h>
#include <whorl/run.h>
#include <whorl/scope.h>

#include "faults.h"
#include "test.h"

struct item {
    int64_t takes;
    int result;
    int ran;
};

static int running, running_max, started;

static int handle(void *arg)
{
    struct item *item = arg;

    item->ran = ++started;
    if (++running > running_max)
        running_max = running;
    int err = whorl_sleep(item->takes);
    running--;
    return err ? err : item->result;
}

TEST_VIRTUAL(map_runs_each_item_once_in_order_and_keeps_every_result)
{
    struct item items[20];
    int results[20];

    for (int i = 0; i < 20; i++)
        items[i] = (struct item){(i * 7) % 5, i + 100, 0};
    CHECK_OK(whorl_map(handle, items, sizeof *items, 20, 3, results));
    CHECK_EQ(running_max, 3);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(results[i], i + 100);
        CHECK_EQ(items[i].ran, i + 1);
    }
}

TEST_VIRTUAL(map_without_a_limit_runs_all_at_once)
{
    struct item items[50];

    for (int i = 0; i < 50; i++)
        items[i] = (struct item){10, 0, 0};
    CHECK_OK(whorl_map(handle, items, sizeof *items, 50, 0, NULL));
    CHECK_EQ(running_max, 50);
    CHECK_EQ(whorl_now(), 10);
    /* The limit is higher than the number of items. */
    CHECK_OK(whorl_map(handle, items, sizeof *items, 2, 1000, NULL));
    CHECK_EQ(started, 52);
}

TEST_VIRTUAL(map_of_nothing_is_done)
{
    CHECK_OK(whorl_map(handle, NULL, 8, 0, 4, NULL));
    CHECK_OK(whorl_map(handle, NULL, 8, 0, 0, NULL));
    CHECK_EQ(started, 0);
}

TEST_VIRTUAL(map_returns_the_first_failure_in_the_items_order_and_runs_the_rest)
{
    struct item items[] = {{10, 1, 0}, {50, -EIO, 0}, {1, -EPERM, 0}, {10, 4, 0}, {1, -EBUSY, 0}};
    int results[5];

    CHECK_ERR(whorl_map(handle, items, sizeof *items, 5, 2, results), -EIO);
    CHECK_EQ(results[0], 1);
    CHECK_ERR(results[1], -EIO);
    CHECK_ERR(results[2], -EPERM);
    CHECK_EQ(results[3], 4);
    CHECK_ERR(results[4], -EBUSY);
}

TEST_VIRTUAL(map_that_is_cancelled_tells_which_items_never_ran)
{
    struct item items[] = {{10, 1, 0}, {100, 2, 0}, {10, 3, 0}, {10, 4, 0}, {10, 5, 0}};
    int results[] = {9, 9, 9, 9, 9};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(15));
    int err = whorl_map(handle, items, sizeof *items, 5, 2, results);
    CHECK_ERR(err, -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_EQ(whorl_now(), 15);
    CHECK_EQ(results[0], 1);
    for (int i = 1; i < 5; i++)
        CHECK_ERR(results[i], -ECANCELED);
    CHECK_EQ(items[2].ran, 3);
    CHECK_EQ(items[3].ran + items[4].ran, 0);
    CHECK_EQ(running, 0);
}

TEST_VIRTUAL(map_in_a_cancelled_scope_runs_nothing)
{
    struct item items[2] = {0};
    int results[2] = {9, 9};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_map(handle, items, sizeof *items, 2, 0, results), -ECANCELED);
    (void)whorl_scope_leave(&scope, 0);
    CHECK_EQ(started, 0);
    CHECK_ERR(results[0], -ECANCELED);
    CHECK_ERR(results[1], -ECANCELED);
}

/* --- in any order ----------------------------------------------------------------------------- */

TEST_SEEDS(map_runs_each_item_once_and_never_more_than_the_limit)
{
    uint64_t random = test_seed();

    for (int round = 0; round < 10; round++) {
        struct item items[12] = {0};
        int results[12], first = 0;
        int64_t deadline = whorl_after((int64_t)test_draw(&random, 40));
        struct whorl_scope scope;
        size_t limit = 1 + test_draw(&random, 5);

        started = running_max = 0;
        for (int i = 0; i < 12; i++) {
            items[i].takes = (int64_t)test_draw(&random, 8);
            items[i].result = test_draw(&random, 4) ? i + 1 : -i - 1;
        }
        whorl_scope_enter(&scope, deadline);
        int err = whorl_map(handle, items, sizeof *items, 12, limit, results);
        (void)whorl_scope_leave(&scope, err);
        CHECK_EQ(running, 0);
        CHECK(running_max <= (int)limit);
        for (int i = 0; i < 12; i++) {
            CHECK(items[i].ran || results[i] == -ECANCELED);
            CHECK(results[i] == items[i].result ||
                  (results[i] == -ECANCELED && whorl_now() >= deadline));
            if (first == 0 && results[i] < 0)
                first = results[i];
        }
        CHECK(err == first || (err == -ECANCELED && whorl_now() >= deadline));
    }
}

/* --- without memory --------------------------------------------------------------------------- */

static int map_three(void *arg)
{
    struct item items[3] = {{1, 1, 0}, {1, 1, 0}, {1, 1, 0}};
    int results[3];

    (void)arg;
    int err = whorl_map(handle, items, sizeof *items, 3, 0, results);
    for (int i = 0; i < 3; i++)
        CHECK_ERR(results[i], err ? -ECANCELED : 1);
    return err;
}

static int run_map_three(void *arg)
{
    return whorl_run_virtual(NULL, map_three, arg);
}

TEST(map_survives_every_failed_allocation)
{
    CHECK(faults_sweep(run_map_three, NULL) > 1);
}

TEST(map_with_fewer_tasks_than_wanted_takes_longer)
{
    struct whorl_virtual_options options = {.run.tasks_max = 2};

    CHECK_OK(whorl_run_virtual(&options, map_three, NULL));
    CHECK_EQ(running_max, 1);
    CHECK_ERR(whorl_map(handle, NULL, 1, 0, 0, NULL), WHORL_ENOTASK);
}

static int say_name(void *arg)
{
    snprintf(arg, 100, "%s", whorl_task_name(whorl_task_self()));
    return 0;
}

TEST_VIRTUAL(map_tasks_are_named_after_the_function_and_the_call)
{
    char names[2][100];

    CHECK_OK(whorl_map(say_name, names, sizeof *names, 2, 0, (int[]){1, 2}));
    for (int i = 0; i < 2; i++) {
        CHECK(strncmp(names[i], "say_name at ", 12) == 0);
        CHECK(strstr(names[i], "test_map.c:"));
    }
}

TEST_MAIN()
