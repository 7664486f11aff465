/* SPDX-License-Identifier: MIT */
/* Events: set once, seen by all waiters. */
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "test.h"

struct waiter {
    struct whorl_event *event;
    const char *name;
};

static int wait_and_log(void *arg)
{
    const struct waiter *waiter = arg;
    int err = whorl_event_wait(waiter->event);

    test_log("%s%s", waiter->name, err ? "!" : "");
    return err;
}

static void spawn_waiter(struct whorl_group *group, struct whorl_event *event, const char *name)
{
    CHECK_OK(whorl_spawn_copy(group, wait_and_log, &(struct waiter){event, name}));
}

TEST_VIRTUAL(setting_wakes_all_in_the_order_of_their_arrival)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_event event = {0};

    spawn_waiter(&group, &event, "a");
    spawn_waiter(&group, &event, "b");
    spawn_waiter(&group, &event, "c");
    CHECK_OK(whorl_sleep(1));
    CHECK(!whorl_event_is_set(&event));
    whorl_event_set(&event);
    CHECK(whorl_event_is_set(&event));
    CHECK_STR(test_logged(), ""); /* setting does not switch tasks */
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a b c");
}

TEST_VIRTUAL(waiting_for_a_set_event_returns_at_once)
{
    struct whorl_event event = {0};
    struct whorl_run_stats before, after;

    whorl_event_set(&event);
    whorl_event_set(&event);
    CHECK_OK(whorl_run_get_stats(&before));
    CHECK_OK(whorl_event_wait(&event));
    CHECK_OK(whorl_event_wait(&event));
    CHECK_OK(whorl_run_get_stats(&after));
    CHECK_EQ(after.switches, before.switches);
}

TEST_VIRTUAL(those_woken_return_0_though_it_is_reset_before_they_run)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_event event = {0};

    spawn_waiter(&group, &event, "a");
    CHECK_OK(whorl_sleep(1));
    whorl_event_set(&event);
    whorl_event_reset(&event);
    CHECK(!whorl_event_is_set(&event));
    spawn_waiter(&group, &event, "b");
    CHECK_OK(whorl_sleep(1));
    CHECK_STR(test_logged(), "a");
    whorl_event_set(&event);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a b");
}

TEST_VIRTUAL(a_cancelled_waiter_leaves_no_trace)
{
    struct whorl_group stay = {0}, go = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_event event = {0};

    spawn_waiter(&go, &event, "x");
    spawn_waiter(&stay, &event, "a");
    spawn_waiter(&go, &event, "y");
    spawn_waiter(&stay, &event, "b");
    spawn_waiter(&go, &event, "z");
    CHECK_OK(whorl_sleep(1));
    whorl_group_cancel(&go);
    CHECK_ERR(whorl_group_wait(&go), -ECANCELED);
    CHECK_STR(test_logged(), "x! y! z!");
    whorl_event_set(&event);
    CHECK_OK(whorl_group_wait(&stay));
    CHECK_STR(test_logged(), "x! y! z! a b");
    CHECK(!event.waiters.first && !event.waiters.last);
}

TEST_VIRTUAL(a_waiter_woken_and_cancelled_in_one_turn_returns_0)
{
    struct whorl_group group = {0};
    struct whorl_event event = {0};

    spawn_waiter(&group, &event, "a");
    CHECK_OK(whorl_sleep(1));
    whorl_event_set(&event);
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
    spawn_waiter(&group, &event, "b");
    whorl_event_reset(&event);
    CHECK_OK(whorl_yield());
    whorl_group_cancel(&group);
    whorl_event_set(&event); /* too late */
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_STR(test_logged(), "a b!");
}

/* --- in any order ----------------------------------------------------------------------------- */

static struct {
    struct whorl_event event;
    int64_t set_at[64];
    int settings;
} history;

static void set_now(void)
{
    if (!whorl_event_is_set(&history.event))
        history.set_at[history.settings++] = whorl_now();
    whorl_event_set(&history.event);
}

/* The wait may miss the event only if it is set at the deadline or later. */
static int wait_now_and_then(void *arg)
{
    uint64_t *random = arg;

    for (int i = 0; i < 20; i++) {
        struct whorl_scope scope;
        int64_t deadline = whorl_after((int64_t)test_draw(random, 8));
        bool was_set = whorl_event_is_set(&history.event);
        int before = history.settings;
        whorl_scope_enter(&scope, deadline);
        int err = whorl_event_wait(&history.event);
        (void)whorl_scope_leave(&scope, err);
        if (err == 0) {
            CHECK(was_set || history.settings > before);
        } else {
            CHECK_ERR(err, -ECANCELED);
            CHECK(whorl_now() >= deadline);
            CHECK(history.settings == before || history.set_at[before] >= deadline);
        }
        CHECK_OK(whorl_sleep((int64_t)test_draw(random, 4)));
    }
    return whorl_event_wait(&history.event); /* at the end the event stays set */
}

TEST_SEEDS(event_is_missed_by_no_waiter)
{
    WHORL_AUTO(group) group = {0};
    uint64_t random = test_seed();

    memset(&history, 0, sizeof history);
    for (uint64_t i = 1; i <= 8; i++)
        CHECK_OK(whorl_spawn_copy(&group, wait_now_and_then, &(uint64_t){random + i}));
    for (int i = 0; i < 40; i++) {
        CHECK_OK(whorl_sleep((int64_t)test_draw(&random, 4)));
        set_now();
        if (test_draw(&random, 2))
            CHECK_OK(whorl_yield());
        whorl_event_reset(&history.event);
    }
    set_now();
    CHECK_OK(whorl_group_wait(&group));
    CHECK(!history.event.waiters.first && !history.event.waiters.last);
}

TEST(waiting_outside_a_task_says_so)
{
    struct whorl_event event = {0};

    CHECK_ERR(whorl_event_wait(&event), WHORL_ENOTASK);
    whorl_event_set(&event);
    CHECK_ERR(whorl_event_wait(&event), WHORL_ENOTASK);
}

TEST_MAIN()
