/* SPDX-License-Identifier: MIT */
/* Futures: completed once, seen by all waiters, cancelled at any moment. */
#include <whorl/future.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>

#include "faults.h"
#include "test.h"

TEST_VIRTUAL(future_is_completed_once)
{
    struct whorl_future future = {0};

    CHECK(whorl_future_complete(&future, -EIO));
    CHECK(!whorl_future_complete(&future, 0));
    CHECK(future.done);
    CHECK_ERR(future.result, -EIO);
    CHECK_OK(whorl_future_wait(&future));
    CHECK_OK(whorl_future_wait(&future));
    whorl_future_cancel(&future);
    CHECK_ERR(future.result, -EIO);
}

TEST(future_can_be_completed_but_not_waited_for_outside_a_run)
{
    struct whorl_future future = {0};

    CHECK_ERR(whorl_future_wait(&future), WHORL_ENOTASK);
    CHECK(whorl_future_complete(&future, 3));
    CHECK_ERR(whorl_future_wait(&future), WHORL_ENOTASK);
    CHECK_EQ(future.result, 3);
}

static int wait_and_log(void *arg)
{
    struct whorl_future *future = arg;
    int err = whorl_future_wait(future);

    test_log("%d/%d", err, future->result);
    return 0;
}

TEST_VIRTUAL(future_wakes_all_waiters)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_future future = {0};

    for (int i = 0; i < 1000; i++)
        CHECK_OK(whorl_spawn(&group, wait_and_log, &future));
    CHECK_OK(whorl_yield());
    CHECK_EQ(whorl_group_alive(&group), 1000);
    CHECK(whorl_future_complete(&future, 7));
    CHECK_OK(whorl_group_wait(&group));
    int n = 0;
    for (const char *at = test_logged(); (at = strstr(at, "0/7")); at++)
        n++;
    CHECK(n > 900); /* the log may be too short for all of them */
}

static struct whorl_future news;

static int wait_for_news(void *arg)
{
    int err = whorl_future_wait(&news);
    test_log("%s", (const char *)arg);
    return err;
}

TEST_VIRTUAL(future_tells_in_the_order_of_arrival)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, wait_for_news, "a"));
    CHECK_OK(whorl_spawn(&group, wait_for_news, "b"));
    CHECK_OK(whorl_spawn(&group, wait_for_news, "c"));
    CHECK_OK(whorl_yield());
    CHECK(whorl_future_complete(&news, 0));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a b c");
}

TEST_VIRTUAL(future_waiter_that_is_cancelled_leaves_the_others_and_the_work_alone)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_future future = {0};
    struct whorl_scope scope;

    CHECK_OK(whorl_spawn(&group, wait_and_log, &future));
    whorl_scope_enter(&scope, whorl_after(10));
    int err = whorl_future_wait(&future);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK(!future.done && !future.cancel_requested);
    CHECK(whorl_future_complete(&future, 1));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "0/1");
}

TEST_VIRTUAL(future_waiter_cancelled_in_the_turn_of_completion_gets_the_result)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_future future = {0};

    CHECK_OK(whorl_spawn(&group, wait_and_log, &future));
    CHECK_OK(whorl_yield());
    CHECK(whorl_future_complete(&future, 1));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "0/1");
}

TEST_VIRTUAL(future_without_a_worker_is_cancelled_at_once)
{
    struct whorl_future future = {0};

    whorl_future_cancel(&future);
    CHECK(future.done);
    CHECK_ERR(future.result, -ECANCELED);
    CHECK(!whorl_future_complete(&future, 0));
}

/* --- tasks behind futures --------------------------------------------------------------------- */

static int answer(void *arg)
{
    test_log("begun");
    int err = whorl_sleep(*(int64_t *)arg);

    test_log("%d", err);
    return err ? err : 42;
}

TEST_VIRTUAL(future_of_a_task_has_what_the_task_returned)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_future future = {0};
    int64_t delay = 100;

    CHECK_OK(whorl_spawn_future(&group, answer, &delay, &future));
    CHECK_OK(whorl_future_wait(&future));
    CHECK_EQ(future.result, 42);
    CHECK_EQ(whorl_now(), 100);
    CHECK(!future.cancel && !future.worker);
    CHECK_OK(whorl_group_wait(&group));
}

TEST_VIRTUAL(future_cancelled_before_its_task_began_lets_it_run_cancelled)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_future future = {0}, other = {0};
    int64_t delay = 100;

    CHECK_OK(whorl_spawn_future(&group, answer, &delay, &future));
    CHECK_OK(whorl_spawn_future(&group, answer, &delay, &other));
    whorl_future_cancel(&future);
    CHECK(!future.done);
    CHECK_OK(whorl_future_wait(&future));
    CHECK_ERR(future.result, -ECANCELED);
    CHECK_EQ(whorl_now(), 0);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_EQ(other.result, 42); /* the sibling is not cancelled */
    CHECK_STR(test_logged(), "begun -125 begun 0");
}

TEST_VIRTUAL(future_cancelled_while_its_task_runs_ends_its_waits)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_future future = {0};
    int64_t delay = 100;

    CHECK_OK(whorl_spawn_future(&group, answer, &delay, &future));
    CHECK_OK(whorl_sleep(10));
    whorl_future_cancel(&future);
    whorl_future_cancel(&future);
    CHECK(!future.done); /* the task is asked to stop, and decides itself */
    CHECK_OK(whorl_future_wait(&future));
    CHECK_ERR(future.result, -ECANCELED);
    CHECK_EQ(whorl_now(), 10);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
}

TEST_VIRTUAL(future_cancelled_after_its_task_has_ended_stays_as_it_is)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_future future = {0};
    int64_t delay = 0;

    CHECK_OK(whorl_spawn_future(&group, answer, &delay, &future));
    CHECK_OK(whorl_group_wait(&group));
    whorl_future_cancel(&future);
    CHECK_EQ(future.result, 42);
}

static int insist(void *arg)
{
    (void)arg;
    test_ignore(whorl_sleep(100));
    return 5; /* the canceller gets this result */
}

TEST_VIRTUAL(future_has_the_result_of_a_task_that_ignores_the_cancel)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_future future = {0};

    CHECK_OK(whorl_spawn_future(&group, insist, NULL, &future));
    CHECK_OK(whorl_yield());
    whorl_future_cancel(&future);
    CHECK_OK(whorl_group_wait(&group)); /* no other task is cancelled */
    CHECK_EQ(future.result, 5);
}

TEST_VIRTUAL(future_completes_when_the_group_of_its_task_is_cancelled)
{
    struct whorl_future future = {0}, late = {0};
    int64_t delay = 100;
    {
        WHORL_AUTO(group) group = {0};
        CHECK_OK(whorl_spawn_future(&group, answer, &delay, &future));
        whorl_group_cancel(&group);
        CHECK_ERR(whorl_spawn_future(&group, answer, &delay, &late), -ECANCELED);
    }
    CHECK(future.done);
    CHECK_ERR(future.result, -ECANCELED);
    CHECK(!late.done && !late.worker); /* it stays open, because its task was not started */
    whorl_future_cancel(&late);
    CHECK(late.done);
}

/* Cleans up for some time after it was cancelled. */
static int stop_slowly(void *arg)
{
    struct whorl_scope shield;

    (void)arg;
    int err = whorl_sleep(100);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    CHECK_OK(whorl_sleep(20));
    test_log("stopped %d", whorl_scope_leave(&shield, err));
    return err;
}

TEST_VIRTUAL(future_finish_stops_the_work_and_waits_for_its_end)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    {
        WHORL_AUTO(future) future = {0};
        CHECK_OK(whorl_spawn_future(&group, stop_slowly, NULL, &future));
        CHECK_OK(whorl_sleep(5));
    }
    CHECK_EQ(whorl_now(), 25);
    CHECK_STR(test_logged(), "stopped -125");
}

TEST_VIRTUAL(future_finish_is_shielded)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_future future = {0};
    struct whorl_scope scope;

    CHECK_OK(whorl_spawn_future(&group, stop_slowly, NULL, &future));
    CHECK_OK(whorl_sleep(5));
    whorl_scope_enter(&scope, whorl_after(10));
    whorl_scope_cancel(&scope);
    whorl_future_finish(&future);
    CHECK_EQ(whorl_scope_leave(&scope, 0), 0);
    CHECK_EQ(whorl_now(), 25);
    CHECK_ERR(future.result, -ECANCELED);
}

TEST_VIRTUAL(future_finish_of_a_task_that_has_not_begun_lets_it_run_cancelled)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    int64_t delay = 100;
    {
        WHORL_AUTO(future) future = {0};
        CHECK_OK(whorl_spawn_future(&group, answer, &delay, &future));
    }
    CHECK_EQ(whorl_now(), 0);
    CHECK_STR(test_logged(), "begun -125");
}

TEST_VIRTUAL(future_finish_accepts_a_future_that_is_zeroed_or_done)
{
    struct whorl_future zeroed = {0}, done = {0};

    whorl_future_finish(&zeroed);
    CHECK_ERR(zeroed.result, -ECANCELED);
    CHECK(whorl_future_complete(&done, 3));
    whorl_future_finish(&done);
    CHECK_EQ(done.result, 3);
}

static int spawn_one(void *arg)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_future future = {0};
    int64_t delay = 1;

    (void)arg;
    int err = whorl_spawn_future(&group, answer, &delay, &future);
    if (err) {
        CHECK(!future.done && !future.worker && !future.cancel);
        return err;
    }
    CHECK_OK(whorl_future_wait(&future));
    return whorl_group_wait(&group);
}

static int run_spawn_one(void *arg)
{
    return whorl_run_virtual(NULL, spawn_one, arg);
}

TEST(future_survives_every_failed_allocation)
{
    CHECK(faults_sweep(run_spawn_one, NULL) > 2);
}

/* --- in any order ----------------------------------------------------------------------------- */

/* A task that produces a future's result: its random state, its requests and its result. */
struct labour {
    struct whorl_future future;
    uint64_t random;
    int64_t asked_at; /* when it was first asked to stop */
    int64_t done_at;
    int result; /* the task's result; done_at: when it returned */
};

static int labour_on(void *arg)
{
    struct labour *labour = arg;
    int64_t started = whorl_now(), takes = (int64_t)test_draw(&labour->random, 8);

    int err = whorl_sleep(takes);
    if (err == 0)
        CHECK_EQ(whorl_now(), started + takes);
    else
        CHECK(err == -ECANCELED && labour->asked_at <= whorl_now());
    labour->result = err ? err : 1 + (int)test_draw(&labour->random, 100);
    labour->done_at = whorl_now();
    return labour->result;
}

static struct labour labours[4];

/* Waits for a random future, or cancels it. */
static int follow(void *arg)
{
    uint64_t *random = arg;

    for (int i = 0; i < 10; i++) {
        struct labour *labour = &labours[test_draw(random, 4)];
        struct whorl_scope scope;
        int64_t deadline = whorl_after((int64_t)test_draw(random, 6));
        if (test_draw(random, 8) == 0) {
            if (labour->asked_at > whorl_now())
                labour->asked_at = whorl_now();
            whorl_future_cancel(&labour->future);
        }
        bool was_done = labour->future.done;
        whorl_scope_enter(&scope, deadline);
        int err = whorl_future_wait(&labour->future);
        (void)whorl_scope_leave(&scope, err);
        if (err == 0) {
            CHECK(labour->future.done);
            CHECK_EQ(labour->future.result, labour->result);
            CHECK(labour->done_at <= whorl_now());
        } else {
            CHECK(err == -ECANCELED && whorl_now() >= deadline);
            CHECK(was_done || labour->done_at >= deadline);
        }
        CHECK_OK(whorl_sleep((int64_t)test_draw(random, 3)));
    }
    return 0;
}

TEST_SEEDS(future_tells_everybody_what_its_task_returned)
{
    struct whorl_group works = {.policy = WHORL_GROUP_COLLECT}, others = {0};

    for (uint64_t i = 0; i < 4; i++) {
        labours[i] = (struct labour){
            .random = test_seed() + i, .asked_at = WHORL_FOREVER, .done_at = WHORL_FOREVER};
        CHECK_OK(whorl_spawn_future(&works, labour_on, &labours[i], &labours[i].future));
    }
    for (uint64_t i = 4; i < 12; i++)
        CHECK_OK(whorl_spawn_copy(&others, follow, &(uint64_t){test_seed() + i}));
    CHECK_OK(whorl_group_wait(&others));
    test_ignore(whorl_group_wait(&works));
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(labours[i].future.result, labours[i].result);
        CHECK(!labours[i].future.waiters.first && !labours[i].future.worker);
    }
}

TEST_MAIN()
