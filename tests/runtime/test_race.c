/* SPDX-License-Identifier: MIT */
/* Groups that race: the first success wins. */
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>

#include "test.h"

struct runner {
    const char *name;
    int64_t takes;
    int result;
};

static int race(void *arg)
{
    struct runner *r = arg;
    int err = whorl_sleep(r->takes);

    test_log("%s%d@%d", r->name, err ? err : r->result, (int)whorl_now());
    return err ? err : r->result;
}

static WHORL_SUSPENDS int run_race(struct whorl_group *group, struct runner *runners, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK_OK(whorl_spawn(group, race, &runners[i]));
    return whorl_group_wait(group);
}

TEST_VIRTUAL(race_is_won_by_the_first_success_and_cancels_the_rest)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_RACE};
    struct runner runners[] = {{"a", 30, 0}, {"b", 5, -EIO}, {"c", 10, 0}};

    CHECK_OK(run_race(&group, runners, 3));
    CHECK_STR(test_logged(), "b-5@5 c0@10 a-125@10");
    CHECK_OK(whorl_check_cancelled());
}

TEST_VIRTUAL(race_that_all_lose_has_the_first_failure)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_RACE};
    struct runner runners[] = {{"a", 30, -EPERM}, {"b", 5, -EIO}, {"c", 10, -EBUSY}};

    CHECK_ERR(run_race(&group, runners, 3), -EIO);
    CHECK_STR(test_logged(), "b-5@5 c-16@10 a-1@30");
}

TEST_VIRTUAL(race_that_is_won_takes_no_more_tasks_until_it_is_joined)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_RACE};
    struct runner a = {"a", 1, 7}, b = {"b", 2, -EIO};

    CHECK_OK(whorl_spawn(&group, race, &a));
    CHECK_OK(whorl_sleep(2));
    CHECK_ERR(whorl_spawn(&group, race, &b), -ECANCELED);
    CHECK_OK(whorl_group_wait_below(&group, 1));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_spawn(&group, race, &b)); /* a new race */
    CHECK_ERR(whorl_group_wait(&group), -EIO);
    CHECK_OK(whorl_group_wait(&group)); /* no tasks left */
}

TEST_VIRTUAL(race_with_two_winners_in_one_turn_is_won)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_RACE};
    struct runner runners[] = {{"a", 5, 0}, {"b", 5, 0}, {"c", 5, -EIO}};

    CHECK_OK(run_race(&group, runners, 3));
    CHECK_STR(test_logged(), "a0@5 b0@5 c-5@5"); /* they had finished: woken before the cancel */
}

TEST_VIRTUAL(race_whose_owner_is_cancelled_is_lost)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_RACE};
    struct runner runners[] = {{"a", 30, 0}, {"b", 40, 0}};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(10));
    {
        WHORL_AUTO(group) inner = {.policy = WHORL_GROUP_RACE};
        CHECK_ERR(run_race(&inner, runners, 2), -ECANCELED);
    }
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK_OK(run_race(&group, runners, 2));
    CHECK_STR(test_logged(), "a-125@10 b-125@10 a0@40 b-125@40");
}

/* --- in any order ----------------------------------------------------------------------------- */

/* The model: the time at which each task ends without cancellation. The first success wins at its
 * own instant. A task that would end later does not finish. */
TEST_SEEDS(race_goes_to_the_earliest_success_in_any_order)
{
    uint64_t random = test_seed();

    for (int round = 0; round < 10; round++) {
        WHORL_AUTO(group) group = {.policy = WHORL_GROUP_RACE};
        struct runner runners[6];
        int64_t started = whorl_now(), won = WHORL_FOREVER, last = 0;
        for (int i = 0; i < 6; i++) {
            runners[i] = (struct runner){"", (int64_t)test_draw(&random, 8), 0};
            runners[i].result = test_draw(&random, 3) ? -EIO : 0;
            if (runners[i].result == 0 && runners[i].takes < won)
                won = runners[i].takes;
            if (runners[i].takes > last)
                last = runners[i].takes;
        }
        int err = run_race(&group, runners, 6);
        CHECK_ERR(err, won < WHORL_FOREVER ? 0 : -EIO);
        CHECK_EQ(whorl_now() - started, won < WHORL_FOREVER ? won : last);
        CHECK_OK(whorl_check_cancelled());
    }
}

TEST_MAIN()
