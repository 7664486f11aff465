/* SPDX-License-Identifier: MIT */
/* Watch channels: every waiter receives the latest value. */
#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/task.h>
#include <whorl/watch.h>

#include "cancel.h"
#include "faults.h"
#include "test.h"

static struct whorl_watch *watch;

static void make(int value)
{
    CHECK_OK(whorl_watch_create(sizeof value, &value, &watch));
}

static void set(int value)
{
    CHECK_OK(whorl_watch_set(watch, &value));
}

static int log_changes(void *arg)
{
    struct whorl_watcher watcher;
    int value, err;

    whorl_watcher_init(&watcher, watch);
    while ((err = whorl_watcher_wait_changed(&watcher, &value)) == 0)
        test_log("%s%d", (const char *)arg, value);
    return err == -EPIPE ? 0 : err;
}

TEST_VIRTUAL(watch_tells_every_waiter_about_every_change_that_it_waits_for)
{
    WHORL_AUTO(group) group = {0};

    make(1);
    CHECK_OK(whorl_spawn(&group, log_changes, "a"));
    CHECK_OK(whorl_spawn(&group, log_changes, "b"));
    CHECK_OK(whorl_yield());
    set(2);
    CHECK_OK(whorl_yield());
    set(3);
    whorl_watch_close(watch);
    CHECK_OK(whorl_group_wait(&group));
    whorl_watch_destroy(watch);
    CHECK_STR(test_logged(), "a1 b1 a2 b2 a3 b3");
}

TEST_VIRTUAL(watch_keeps_the_latest_value_only)
{
    struct whorl_watcher watcher;
    int value;

    make(1);
    whorl_watcher_init(&watcher, watch);
    watcher.version = whorl_watch_get(watch, &value);
    CHECK(watcher.version == 1 && value == 1);
    for (int i = 2; i <= 10; i++)
        set(i);
    CHECK_OK(whorl_watcher_wait_changed(&watcher, &value));
    CHECK(watcher.version == 10 && value == 10);
    set(10);
    CHECK_OK(whorl_watcher_wait_changed(&watcher, &value));
    CHECK(watcher.version == 11 && value == 10);
    whorl_watch_destroy(watch);
}

TEST_VIRTUAL(watch_that_is_closed_keeps_its_value)
{
    int value;

    make(1);
    set(2);
    struct whorl_watcher watcher = {watch, 1};
    whorl_watch_close(watch);
    whorl_watch_close(watch);
    CHECK_ERR(whorl_watch_set(watch, &(int){3}), -EPIPE);
    CHECK_EQ(whorl_watch_get(watch, &value), 2);
    CHECK_EQ(value, 2);
    CHECK_OK(whorl_watcher_wait_changed(&watcher, &value));
    CHECK_ERR(whorl_watcher_wait_changed(&watcher, &value), -EPIPE);
    CHECK_EQ(watcher.version, 2);
    whorl_watch_destroy(watch);
}

/* A woken waiter has its value, even if the watch is destroyed before it runs. */
static int wait_once(void *arg)
{
    struct whorl_watcher watcher = {watch, 1};
    int value;

    (void)arg;
    CHECK_OK(whorl_watcher_wait_changed(&watcher, &value));
    CHECK_EQ(value, 2);
    CHECK_EQ(watcher.version, 2);
    return 0;
}

TEST_VIRTUAL(watch_may_be_destroyed_once_its_waiters_are_woken)
{
    WHORL_AUTO(group) group = {0};

    make(1);
    CHECK_OK(whorl_spawn(&group, wait_once, NULL));
    CHECK_OK(whorl_yield());
    set(2);
    whorl_watch_destroy(watch);
    CHECK_OK(whorl_group_wait(&group));
}

static int set_later(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_sleep(5));
    set(7);
    CHECK_OK(whorl_sleep(5));
    whorl_watch_close(watch);
    return 0;
}

TEST_VIRTUAL(watch_case_takes_the_change_only_if_it_wins)
{
    WHORL_AUTO(group) group = {0};
    int value = 0;

    make(1);
    struct whorl_watcher watcher = {watch, 1};
    CHECK_OK(whorl_spawn(&group, set_later, NULL));
    struct whorl_case cases[] = {whorl_case_watcher(&watcher, &value),
                                 whorl_case_deadline(whorl_after(3))};
    CHECK_ERR(whorl_try_select(cases, 2), -EAGAIN);
    CHECK_EQ(whorl_select(cases, 2), 1);
    CHECK(watcher.version == 1 && value == 0);
    CHECK_EQ(whorl_select(cases, 1), 0);
    CHECK_OK(cases[0].result);
    CHECK(watcher.version == 2 && value == 7 && whorl_now() == 5);
    CHECK_EQ(whorl_select(cases, 1), 0);
    CHECK_ERR(cases[0].result, -EPIPE);
    CHECK_EQ(whorl_now(), 10);
    watcher.version = 0;
    CHECK_EQ(whorl_try_select(cases, 1), 0);
    CHECK_OK(cases[0].result);
    CHECK_OK(whorl_group_wait(&group));
    whorl_watch_destroy(watch);
}

TEST(watch_needs_no_run_to_be_set)
{
    struct whorl_watcher watcher;
    int value = 1;

    CHECK_ERR(whorl_watch_create(SIZE_MAX, NULL, &watch), -EOVERFLOW);
    CHECK_OK(whorl_watch_create(sizeof value, NULL, &watch));
    CHECK_EQ(whorl_watch_get(watch, &value), 1);
    CHECK_EQ(value, 0);
    set(5);
    whorl_watcher_init(&watcher, watch);
    CHECK_ERR(whorl_watcher_wait_changed(&watcher, &value), WHORL_ENOTASK);
    whorl_watch_destroy(watch);
    whorl_watch_destroy(NULL);
}

static int create_one(void *arg)
{
    int err = whorl_watch_create(8, arg, &watch);

    if (err == 0)
        whorl_watch_destroy(watch);
    return err;
}

TEST(watch_creation_survives_every_failed_allocation)
{
    CHECK_EQ(faults_sweep(create_one, NULL), 1);
}

/* --- cancelled at any point ------------------------------------------------------------------- */

enum { LAST = 5 };

static void begin_watch(void)
{
    make(0);
}

static void end_watch(void)
{
    whorl_watch_destroy(watch); /* checks that no task waits */
}

static int follow(void *arg)
{
    struct whorl_watcher watcher = {watch, 0};
    uint64_t before = 0;
    int value = -1, err;

    while (value != LAST && (err = whorl_watcher_wait_changed(&watcher, &value)) == 0) {
        CHECK(watcher.version > before && watcher.version == (uint64_t)value + 1);
        before = watcher.version;
        if ((value + cancel_number(arg)) % 2 && (err = whorl_sleep(1)) != 0)
            break;
    }
    CHECK(value == LAST || err == -ECANCELED);
    CHECK_EQ(watcher.version, before);
    return value == LAST ? 0 : err;
}

static int change_or_follow(void *arg)
{
    if (cancel_number(arg) != 2)
        return follow(arg);
    for (int i = 1; i <= LAST; i++) {
        CHECK_OK(i % 2 ? whorl_sleep(1) : whorl_yield());
        set(i);
    }
    return 0;
}

TEST_SEEDS(watch_with_a_waiter_cancelled_at_any_point)
{
    CHECK(cancel_everywhere(
              &(struct cancel_plan){follow, change_or_follow, 4, begin_watch, end_watch}) > 0);
}

TEST_MAIN()
